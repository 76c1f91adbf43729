"""What a server tells of itself: whether it lives, whether it can work, and what it counts."""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.chat import SENT, Chat, counted
from tests.support.receivers import MailServer
from tests.support.servers import ROOT, Server, actions, free_port, rasa

TOKEN = "a token of the tests"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
MOST_LABELS = 60


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of the Rasa server, the action server and the delivery worker, after they have worked."""
    folder = tmp_path_factory.mktemp("status")
    token = secrets.token_hex(16)
    helper = actions(folder, {"ACTION_TOKEN": token})
    server = rasa(folder, {"ACTION_TOKEN": token, "ACTION_URL": f"{helper.url}/webhook"})
    with ExitStack() as stack:
        mail = stack.enter_context(MailServer())
        worker = Server(
            ["booking.delivery"],
            "/ready",
            folder / "delivery.log",
            {**helper.environment, **mail.environment(), "DELIVERY_PORT": "{port}"},
        )
        worker.environment = {name: value for name, value in worker.environment.items() if "ACTION" not in name}
        worker.environment["DATABASE_URL"] = f"sqlite:///{folder / 'bookings.db'}"
        for one in (helper, server, worker):
            stack.callback(one.kill)
            one.start()
        _work(server)
        while counted(worker, 'assistant_deliveries_total{kind="email",outcome="delivered"}') == 0:
            time.sleep(0.1)
        yield {"rasa": server.url, "actions": helper.url, "delivery": worker.url}


def _work(server: Server) -> None:
    chat = Chat(server, "sendermark")
    for text in (
        "hi",
        "what is runner's knee and how do I treat it?",
        "what are the treatments for lupus?",
        "grmbl fnord xyzzy",
        "my calf is hot and swollen",
        "book me a visit, Zaphodia Ruizmark, 949-555-0133, any weekday morning",
        "skip",
        "skip",
    ):
        assert chat.say(text)
    assert SENT in chat.say("yes")


def samples(address: str, **headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = requests.get(f"{address}/metrics", headers=headers, timeout=30)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(address: str, name: str, **labels: str) -> float:
    return samples(address)[name, frozenset(labels.items())]


def test_every_process_lives_and_is_ready(three: dict[str, str]) -> None:
    for address in three.values():
        assert requests.get(f"{address}/health", timeout=30).json() == {"status": "ok"}
        ready = requests.get(f"{address}/ready", timeout=30)
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert set(ready.json()["parts"].values()) == {"ok"}


def test_what_happened_is_counted_once(three: dict[str, str]) -> None:
    at = three["rasa"]
    assert value(at, "assistant_messages_total", channel="rest") == 9
    # One message held two questions.
    assert value(at, "assistant_turns_total", channel="rest") == 10
    assert value(at, "assistant_answer_seconds_count", channel="rest") == 9
    assert value(at, "assistant_refusals_total", intent="ask_other_condition") == 1
    assert value(at, "assistant_red_flags_total") == 1
    assert value(at, "assistant_fallbacks_total") + value(at, "assistant_refusals_total", intent="out_of_scope") == 1
    assert value(at, "assistant_apologies_total", cause="timeout") == 0
    assert value(three["actions"], "assistant_bookings_total", outcome="new") == 1
    assert value(three["actions"], "assistant_bookings_store_up") == 1
    for address in (three["actions"], three["delivery"]):
        assert value(address, "assistant_delivery_backlog", kind="email", state="waiting") == 0
        assert value(address, "assistant_delivery_oldest_seconds", kind="email") == 0
    assert value(three["delivery"], "assistant_deliveries_total", kind="email", outcome="delivered") == 1


def test_metrics_hold_no_words_no_ids_and_few_labels(three: dict[str, str]) -> None:
    for address in three.values():
        text = requests.get(f"{address}/metrics", timeout=30).text
        for mark in ("Zaphodia", "Ruizmark", "9495550133", "sendermark", "lupus"):
            assert mark not in text
        names = [name for name, labels in samples(address) if labels]
        assert max(names.count(name) for name in names) < MOST_LABELS


def test_metrics_are_for_this_machine_unless_there_is_a_token(three: dict[str, str]) -> None:
    for name in ("rasa", "actions"):
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Origin"):
            answer = requests.get(f"{three[name]}/metrics", headers={header: "203.0.113.7"}, timeout=30)
            assert answer.status_code == 403
            assert "assistant_" not in answer.text


def test_with_a_token_metrics_are_for_who_has_it(tmp_path: Path) -> None:
    helper = actions(tmp_path, {"ACTION_TOKEN": secrets.token_hex(16), "METRICS_TOKEN": TOKEN})
    worker = Server(
        ["booking.delivery"],
        "/ready",
        tmp_path / "delivery.log",
        {"DELIVERY_PORT": "{port}", "METRICS_TOKEN": TOKEN, "DATABASE_URL": f"sqlite:///{tmp_path / 'bookings.db'}"},
    )
    for one in (helper, worker):
        one.start()
        try:
            for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
                assert requests.get(f"{one.url}/metrics", headers=wrong, timeout=30).status_code == 403
            right = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "203.0.113.7"}
            assert samples(one.url, **right)
        finally:
            one.kill()


def test_every_process_listens_on_loopback_alone(three: dict[str, str]) -> None:
    ports = {int(address.rpartition(":")[2]) for address in three.values()}
    assert {address for address, port in _listening() if port in ports} == {"127.0.0.1"}


def _listening() -> set[tuple[str, int]]:
    """Return the IPv4 addresses and ports that something on this machine listens on, and "IPv6" for others."""
    found = set()
    for table, shown in (("tcp", None), ("tcp6", "IPv6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            host, port = local.split(":")
            if state == "0A":
                found.add((shown or ".".join(str(byte) for byte in reversed(bytes.fromhex(host))), int(port, 16)))
    return found


def test_nothing_but_the_variables_decides_where_a_server_listens(tmp_path: Path) -> None:
    """Without any option Rasa's own default would be every address."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'conversations.db'}",
        "SESSION_SECRET": secrets.token_hex(16),
    }
    command = [sys.executable, "-m", "assistant", "run", "-p", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        while port not in {taken for _, taken in _listening()}:
            assert server.poll() is None
            time.sleep(0.1)
        assert {address for address, taken in _listening() if taken == port} == {"127.0.0.1"}
        for path in ("/status", "/domain", "/conversations/default/tracker", "/model", "/version"):
            assert requests.get(f"http://127.0.0.1:{port}{path}", timeout=30).status_code == 404
    finally:
        server.kill()
        server.wait()


def test_the_dashboard_shows_what_there_is_and_all_of_it(three: dict[str, str]) -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    shown = set(re.findall(r"\b(?:assistant|process)_[a-z_]+", asked))
    families = {
        family.name: [one.name for one in family.samples]
        for address in three.values()
        for family in text_string_to_metric_families(requests.get(f"{address}/metrics", timeout=30).text)
    }
    there = {name for names in families.values() for name in names}
    assert shown - there == set()
    ours = {family for family in families if family.startswith("assistant_")}
    assert {family for family in ours if not any(name.startswith(family) for name in shown)} == set()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
