"""SIGTERM ends each process cleanly within 10 seconds, and nothing is lost."""

import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from booking.store import Bookings
from tests.faults.chat import SENT, Chat, booked, counted, is_apology
from tests.support.receivers import SILENCE, MailServer
from tests.support.samples import a_request
from tests.support.servers import ROOT, Server, free_port

SECONDS_TO_END = 10


@contextmanager
def bookings_locked(folder: Path) -> Iterator[None]:
    """Keep the action server waiting in the middle of a booking."""
    with closing(sqlite3.connect(folder / "bookings.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def wait_until_a_turn_runs(server: Server, before: float) -> None:
    while counted(server, 'assistant_messages_total{channel="rest"}') == before:
        time.sleep(0.05)


def taken(server: Server) -> float:
    return counted(server, 'assistant_messages_total{channel="rest"}')


@pytest.mark.parametrize("ended", ["server", "helper"])
def test_a_turn_in_progress_is_answered(servers: tuple[Server, Server], ended: str) -> None:
    server, helper = servers
    chat, folder = Chat(server), helper.log.parent
    chat.book_up_to_the_read_back()
    before, messages = booked(folder), taken(server)
    ending = server if ended == "server" else helper
    with ThreadPoolExecutor(1) as person:
        with bookings_locked(folder):
            said = person.submit(chat.say, "yes")
            wait_until_a_turn_runs(server, messages)
            # From here to the action takes Rasa a moment; what it does then must not be cut off either.
            time.sleep(0.5)
            ending.ask_to_end()
            time.sleep(0.5)
        assert SENT in said.result()
    try:
        assert ending.ended(SECONDS_TO_END) == 0
    finally:
        ending.start()
    assert booked(folder) == before + 1
    assert "Source:" in chat.say("what causes it?")


def test_a_turn_that_cannot_end_is_apologised_for(servers: tuple[Server, Server]) -> None:
    server, helper = servers
    chat = Chat(server)
    chat.book_up_to_the_read_back()
    messages = taken(server)
    with ThreadPoolExecutor(1) as person:
        helper.pause()
        said = person.submit(chat.say, "yes")
        wait_until_a_turn_runs(server, messages)
        server.ask_to_end()
        try:
            assert is_apology(said.result())
            assert server.ended(SECONDS_TO_END) == 0
        finally:
            helper.resume()
            server.start()
    assert SENT in chat.say("yes")


def test_idle_connections_hold_nothing_up(servers: tuple[Server, Server]) -> None:
    for one in servers:
        with requests.Session() as session:
            session.get(f"{one.url}/health", timeout=30)
            one.ask_to_end()
            assert one.ended(SECONDS_TO_END) == 0
        assert "Traceback" not in one.log.read_text()
        one.start()


def test_a_delivery_that_hangs_is_put_off_and_goes_out_later_under_the_same_id(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bookings.db'}"
    store = Bookings(url, ["email"], "clinic.example")
    store.add(a_request(), "one")
    with MailServer() as mail:
        mail.script = [SILENCE]
        environment = {**os.environ, "DATABASE_URL": url, **mail.environment()}
        worker = subprocess.Popen([sys.executable, "-m", "booking.delivery"], cwd=ROOT, env=environment)
        while not mail.received:
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(SECONDS_TO_END) == 0
        [booking] = store.list()
        [delivery] = booking.deliveries
        assert (delivery.attempts, delivery.delivered_at, delivery.failed_at) == (1, None, None)
        store.retry(booking.shown)
        subprocess.run([sys.executable, "-m", "booking.delivery", "--once"], cwd=ROOT, env=environment, check=True)
        assert mail.ids == [delivery.key] * 2
    [booking] = store.list()
    assert booking.deliveries[0].delivered_at
    store.close()


def test_ending_make_run_ends_all_three(tmp_path: Path) -> None:
    ports = {"PORT": free_port(), "ACTION_PORT": free_port(), "DELIVERY_PORT": free_port()}
    environment = {
        **os.environ,
        **{name: str(port) for name, port in ports.items()},
        "ACTION_URL": f"http://127.0.0.1:{ports['ACTION_PORT']}/webhook",
        "ACTION_TOKEN": secrets.token_hex(16),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'all.db'}",
        "SESSION_SECRET": secrets.token_hex(16),
    }
    command = ["honcho", "--no-colour", "start", "--no-prefix", "-p", str(ports["PORT"]), "-f", "deploy/Procfile"]
    with (tmp_path / "log").open("wb") as log:
        manager = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        while not all(_answers(port) for port in ports.values()):
            assert manager.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.2)
        manager.send_signal(signal.SIGTERM)
        manager.wait(SECONDS_TO_END)
    finally:
        if manager.poll() is None:
            os.killpg(manager.pid, signal.SIGKILL)
    assert not any(_answers(port) for port in ports.values())
    shown = (tmp_path / "log").read_text()
    assert f"The assistant is ready: open http://127.0.0.1:{ports['PORT']}/chat/" in shown
    # A person sees progress and the address, and nothing of what libraries think of one another.
    for noise in ("Warning", "Traceback", "alembic", "[info", "SIGKILL", "rc=-"):
        assert noise not in shown, shown


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
    except requests.RequestException:
        return False
