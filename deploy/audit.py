"""Audit the locked packages: `make audit` fails on a known vulnerability that vulnerabilities.toml does not explain.

Exit codes: 0 all is known and explained; 1 something is new, or no longer there; 2 the services did not answer.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = ROOT / "deploy" / "vulnerabilities.toml"
_PIP_AUDIT = "pip-audit==2.10.1"


@dataclass
class Report:
    """What the services know.

    Attributes:
        found: for each package the vulnerabilities of its locked version, each with all its names.
        audited: the packages that a service has answered for.
        unanswered: those that none has.
    """

    found: dict[str, list[frozenset[str]]] = field(default_factory=dict)
    audited: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)

    def add(self, package: str, vulnerabilities: Iterable[Iterable[str]]) -> None:
        """Note what is known of a package, also when that is nothing."""
        self.audited.add(package)
        self.found.setdefault(package, []).extend(frozenset(names) for names in vulnerabilities)


def judge(report: Report, accepted: Mapping[str, set[str]]) -> tuple[list[str], list[str]]:
    """Compare what is known with what is explained.

    Args:
        accepted: for each package the names of vulnerabilities that are explained.

    Returns:
        What is new, and what is explained though its package was audited and nothing reports it any more.
    """
    new = [
        f"{package}: {', '.join(sorted(names))}"
        for package, vulnerabilities in sorted(report.found.items())
        for names in vulnerabilities
        if not names & accepted.get(package, set())
    ]
    stale = [
        f"{package}: {name}"
        for package, names in sorted(accepted.items())
        for name in sorted(names)
        if package not in report.unanswered and not any(name in reported for reported in report.found.get(package, []))
    ]
    return new, stale


def read_accepted(path: Path = ACCEPTED) -> dict[str, set[str]]:
    """Return for each package the names of vulnerabilities that the table explains."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["accepted"]
    accepted: dict[str, set[str]] = {}
    for entry in entries:
        if not entry["why"].strip():
            raise ValueError(f"{entry['package']}: an accepted vulnerability needs a why")
        accepted.setdefault(entry["package"], set()).update(entry["ids"])
    return accepted


def read_pip_audit(report: Report, answer: dict[str, Any]) -> None:
    """Add what pip-audit's JSON says."""
    for package in answer["dependencies"]:
        if "skip_reason" in package:
            report.unanswered.add(package["name"])
        else:
            report.add(package["name"], ([one["id"], *one["aliases"]] for one in package["vulns"]))


def read_npm_audit(report: Report, answer: dict[str, Any], names: Iterable[str]) -> None:
    """Add what npm's JSON says of the widget's packages."""
    if "vulnerabilities" not in answer:
        report.unanswered.update(names)
        return
    for name in names:
        report.add(name, [])
    for name, found in answer["vulnerabilities"].items():
        advisories = [via for via in found["via"] if isinstance(via, dict)]
        report.add(name, ([str(via["url"]).rpartition("/")[2]] for via in advisories))


def _ask_pip_audit(uv: str) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as locked:
        export = [uv, "export", "--frozen", "--no-hashes", "--no-emit-project", "--quiet", "-o", locked.name]
        subprocess.run(export, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        options = ["-r", locked.name, "--no-deps", "--disable-pip", "-f", "json", "--progress-spinner", "off"]
        command = [uv, "tool", "run", "--quiet", "--python", sys.executable, _PIP_AUDIT, *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"pip-audit does not run: {done.stderr.strip()[-500:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _ask_npm() -> dict[str, Any]:
    done = subprocess.run(["npm", "audit", "--json"], cwd=ROOT / "widget", capture_output=True, text=True, check=False)
    answer: dict[str, Any] = json.loads(done.stdout or "{}")
    return answer


def main() -> int:
    uv = shutil.which("uv", path=f"{ROOT}/.tools/bin:{os.environ['PATH']}")
    if uv is None:
        sys.stderr.write("The audit needs uv: see https://docs.astral.sh/uv/.\n")
        return 2
    lock = json.loads((ROOT / "widget" / "package-lock.json").read_text(encoding="utf-8"))
    widget = [path.rpartition("node_modules/")[2] for path in lock["packages"] if path]
    report = Report()
    read_pip_audit(report, _ask_pip_audit(uv))
    read_npm_audit(report, _ask_npm(), widget)
    accepted = read_accepted()
    new, stale = judge(report, accepted)
    for line in new:
        sys.stdout.write(
            f"NEW    {line}: override it in pyproject.toml, or say in {ACCEPTED.name} why it is harmless\n"
        )
    for line in stale:
        sys.stdout.write(f"STALE  {line}: take it out of {ACCEPTED.name}\n")
    known = sum(map(len, accepted.values()))
    sys.stdout.write(f"{len(report.audited)} packages audited; {known} vulnerabilities explained, {len(new)} new.\n")
    if report.unanswered:
        sys.stdout.write(f"NOT AUDITED: no service answered for {len(report.unanswered)} packages. Try again online.\n")
    return 1 if new or stale else 2 if report.unanswered else 0


if __name__ == "__main__":
    sys.exit(main())
