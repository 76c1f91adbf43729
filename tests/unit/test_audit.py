"""The audit fails on what is new and on what is stale, and calls nothing sound that no service has answered for."""

import re
from collections.abc import Mapping

import pytest

from clinic.profile import ROOT
from deploy import audit
from deploy.audit import Report, judge, read_accepted, read_npm_audit, read_pip_audit

LOCKED = set(re.findall(r'^name = "([^"]+)"', (ROOT / "uv.lock").read_text(encoding="utf-8"), re.MULTILINE))


def report(*packages: tuple[str, list[list[str]]], unanswered: tuple[str, ...] = ()) -> Report:
    made = Report(unanswered=set(unanswered))
    for package, vulnerabilities in packages:
        made.add(package, vulnerabilities)
    return made


@pytest.mark.parametrize(
    ("known", "accepted", "new", "stale"),
    [
        (report(("keras", [])), {}, [], []),
        (report(("keras", [["PYSEC-1", "CVE-1"]])), {}, ["keras: CVE-1, PYSEC-1"], []),
        (report(("keras", [["PYSEC-1", "CVE-1"]])), {"keras": {"CVE-1"}}, [], []),
        (report(("keras", [["PYSEC-1", "CVE-1"]])), {"onnx": {"CVE-1"}}, ["keras: CVE-1, PYSEC-1"], ["onnx: CVE-1"]),
        (report(("keras", [["CVE-1"], ["CVE-2"]])), {"keras": {"CVE-1"}}, ["keras: CVE-2"], []),
        (report(("keras", [["CVE-2"]])), {"keras": {"CVE-1", "CVE-2"}}, [], ["keras: CVE-1"]),
        (report(("keras", [])), {"keras": {"CVE-1"}}, [], ["keras: CVE-1"]),
        (report(unanswered=("keras",)), {"keras": {"CVE-1"}}, [], []),
        # A package that has left the lock leaves the table too.
        (report(("numpy", [])), {"keras": {"CVE-1"}}, [], ["keras: CVE-1"]),
    ],
)
def test_what_is_new_and_what_is_stale(
    known: Report, accepted: Mapping[str, set[str]], new: list[str], stale: list[str]
) -> None:
    assert judge(known, accepted) == (new, stale)


def test_the_answers_of_both_services_are_read() -> None:
    made = Report()
    python = [
        {"name": "keras", "version": "2.12.0", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": []}]},
        {"name": "numpy", "version": "1.23.5", "vulns": []},
        {"name": "torch", "skip_reason": "not found"},
    ]
    read_pip_audit(made, {"dependencies": python, "fixes": []})
    via = ["esbuild", {"url": "https://github.com/advisories/GHSA-67mh-4wv8-2f99", "title": "a fault"}]
    read_npm_audit(made, {"vulnerabilities": {"esbuild": {"via": via}}}, ["esbuild", "preact"])
    assert made.audited == {"keras", "numpy", "esbuild", "preact"}
    assert made.unanswered == {"torch"}
    assert made.found["keras"] == [frozenset({"PYSEC-1", "CVE-1"})]
    assert made.found["esbuild"] == [frozenset({"GHSA-67mh-4wv8-2f99"})]


def test_a_service_that_refuses_has_audited_nothing() -> None:
    made = Report()
    read_npm_audit(made, {"message": "405 Method Not Allowed", "statusCode": 405}, ["preact"])
    assert (made.audited, made.unanswered) == (set(), {"preact"})


def test_every_entry_of_the_table_is_of_a_locked_package() -> None:
    assert set(read_accepted()) - LOCKED == set()


def test_nothing_passes_that_no_service_has_answered_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = read_accepted()
    skipped = [{"name": name, "skip_reason": "not found"} for name in accepted]
    monkeypatch.setattr(audit.shutil, "which", lambda *_, **__: "uv")
    monkeypatch.setattr(audit, "_ask_npm", lambda: {"statusCode": 405})
    monkeypatch.setattr(audit, "_ask_pip_audit", lambda _: {"dependencies": skipped})
    assert audit.main() == 2
    assert "NOT AUDITED" in capsys.readouterr().out
    answered = [
        {"name": name, "vulns": [{"id": one, "aliases": []} for one in names]} for name, names in accepted.items()
    ]
    monkeypatch.setattr(audit, "_ask_pip_audit", lambda _: {"dependencies": answered})
    monkeypatch.setattr(audit, "_ask_npm", lambda: {"vulnerabilities": {}})
    assert audit.main() == 0
