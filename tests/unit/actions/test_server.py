import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from rasa_sdk import Action
from rasa_sdk.interfaces import ActionExecutionRejection
from sanic import Sanic

from actions import server
from booking.store import Bookings
from clinic.profile import ROOT
from service.database import StoreUnavailable
from tests.support.sanic_server import serving

TOKEN = {"X-Action-Token": "a token of the tests"}
SECRET = "Ana Ruiz +19495550133"


class ActionOfTheTests(Action):
    """Does what the text of the last message says."""

    def name(self) -> str:
        return "action_of_the_tests"

    async def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[dict[str, Any]]:
        text = tracker.latest_message["text"]
        if text == "fail":
            raise RuntimeError(SECRET)
        if text == "reject":
            raise ActionExecutionRejection(self.name())
        dispatcher.utter_message(text=text)
        return []


def call(text: str, action: str = "action_of_the_tests") -> dict[str, Any]:
    """What Rasa sends for a message that says `text`."""
    tracker = {
        "sender_id": SECRET,
        "slots": {"booking_name": SECRET},
        "latest_message": {"text": text, "intent": {}, "entities": []},
        "events": [],
        "paused": False,
        "followup_action": None,
        "active_loop": {},
        "latest_action_name": None,
    }
    return {"next_action": action, "sender_id": SECRET, "tracker": tracker, "domain": {}, "version": "3.6.21"}


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Sanic, "test_mode", True)
    store = Bookings(f"sqlite:///{tmp_path / 'bookings.db'}", [], "clinic.example")
    with serving(server.build(TOKEN["X-Action-Token"], store)) as served:
        yield served
    store.close()


def test_an_action_runs_for_who_has_the_token(address: str) -> None:
    answer = requests.post(f"{address}/webhook", json=call("hello"), headers=TOKEN)
    assert answer.status_code == 200
    assert answer.json()["responses"][0]["text"] == "hello"


@pytest.mark.parametrize("token", [None, b"", b"wrong", "é".encode(), b"\xe9"])
@pytest.mark.parametrize("path", ["/webhook", "/actions", "/nothing"])
def test_nothing_happens_without_the_token(address: str, token: bytes | None, path: str) -> None:
    answer = requests.post(f"{address}{path}", json=call("hello"), headers={"X-Action-Token": token})
    assert answer.status_code == 401
    assert "hello" not in answer.text


def test_a_failing_action_tells_neither_the_fault_nor_the_conversation(
    address: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = requests.post(f"{address}/webhook", json=call("fail"), headers=TOKEN)
    assert answer.status_code == 500
    assert answer.json() == {"error": "action failed", "action_name": "action_of_the_tests"}
    logged = caplog.text + "".join(capfd.readouterr())
    assert "RuntimeError" in logged
    for secret in ("Ruiz", "5550133"):
        assert secret not in logged


def test_a_rejection_stays_a_rejection(address: str) -> None:
    answer = requests.post(f"{address}/webhook", json=call("reject"), headers=TOKEN)
    assert answer.status_code == 400
    assert answer.json()["action_name"] == "action_of_the_tests"


def test_an_unknown_action_is_named(address: str) -> None:
    answer = requests.post(f"{address}/webhook", json=call("hello", "action_unknown"), headers=TOKEN)
    assert answer.status_code == 404
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b'"text"', b"{}", b"\xff\xfe", json.dumps({"next_action": SECRET}).encode()]
)
def test_a_malformed_call_gets_nothing_back(address: str, body: bytes) -> None:
    answer = requests.post(f"{address}/webhook", data=body, headers=TOKEN)
    assert 200 <= answer.status_code < 600
    if answer.status_code == 500:
        assert answer.json() == {"error": "action failed", "action_name": None}
    assert "Traceback" not in answer.text
    assert requests.post(f"{address}/webhook", json=call("hello"), headers=TOKEN).status_code == 200


def test_a_body_is_bounded_and_never_inflated(address: str) -> None:
    huge = requests.post(f"{address}/webhook", data=b"x" * (server.LARGEST_BODY + 1), headers=TOKEN)
    assert huge.status_code == 413
    packed = requests.post(f"{address}/webhook", data=b"x", headers={**TOKEN, "Content-Encoding": "deflate"})
    assert packed.status_code == 415


def test_readiness_asks_the_database_and_health_does_not(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = requests.get(f"{address}/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "parts": {"bookings": "ok"}})

    def away(_: Bookings) -> None:
        raise StoreUnavailable("OperationalError")

    monkeypatch.setattr(Bookings, "ping", away)
    answer = requests.get(f"{address}/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "parts": {"bookings": "away"}})
    assert requests.get(f"{address}/health").json() == {"status": "ok"}


def test_no_other_site_may_read_an_answer(address: str) -> None:
    answer = requests.get(f"{address}/health", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def start(tmp_path: Path, **environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACTION_")}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "actions"],
        cwd=ROOT,
        env={**kept, "DATABASE_URL": f"sqlite:///{tmp_path / 'bookings.db'}", "PYTHONPATH": str(ROOT), **environment},
        text=True,
        stderr=subprocess.PIPE,
    )


def test_it_starts_on_loopback_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start(tmp_path, ACTION_TOKEN=TOKEN["X-Action-Token"], ACTION_PORT=str(port))
    answer = None
    while answer is None and process.poll() is None:
        try:
            answer = requests.post(f"http://127.0.0.1:{port}/webhook", json=call("hi", "action_unknown"), headers=TOKEN)
        except requests.ConnectionError:
            continue
    assert answer is not None
    assert answer.status_code == 404
    assert requests.get(f"http://127.0.0.1:{port}/health").status_code == 200
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 0
    assert SECRET not in errors
    assert "Traceback" not in errors
    assert not [line for line in errors.splitlines() if "[info" in line or "Warning" in line]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"ACTION_TOKEN": "x", "ACTION_PORT": "many"}, "ACTION_PORT must be a port"),
        ({"ACTION_TOKEN": "x", "ACTION_HOST": "203.0.113.1"}, "Nothing can listen on 203.0.113.1:5055"),
    ],
)
def test_it_refuses_to_start_with_settings_that_cannot_work(
    environment: dict[str, str], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert server.main() == 2
    assert sentence in capsys.readouterr().err


def test_it_refuses_to_start_without_clinic_details(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise server.ClinicError("clinic.yml is missing.")

    monkeypatch.setattr(server, "the_clinic", missing)
    monkeypatch.setenv("ACTION_TOKEN", "x")
    assert server.main() == 2
    assert capsys.readouterr().err == "clinic.yml is missing.\n"


def test_every_module_of_the_package_can_be_imported_without_doing_anything(tmp_path: Path) -> None:
    """The SDK imports them all, wherever it is started: no file may appear, nothing may be read or connected."""
    code = (
        "import pkgutil, importlib, actions\n"
        "for module in pkgutil.walk_packages(actions.__path__, 'actions.'): importlib.import_module(module.name)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CLINIC_FILE": "/nowhere", "DATABASE_URL": "nonsense"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
