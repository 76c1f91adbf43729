"""What a person sees when the conversations cannot be kept, and that the form goes on once they can."""

import os
import resource
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from clinic.profile import the_clinic
from tests.faults.chat import READ_BACK, SENT, Chat, booked, is_apology
from tests.support.postgres import Postgres, running
from tests.support.servers import ROOT, Server, actions, rasa

PROCESS_OF_ROOT = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all")


@contextmanager
def served(folder: Path, url: str, *program: str) -> Iterator[tuple[Server, Server]]:
    """Run both servers, the conversations in the database at `url`, the requests in a file."""
    with ExitStack() as stack:
        token = secrets.token_hex(16)
        helper = actions(folder, {"ACTION_TOKEN": token})
        environment = {"ACTION_TOKEN": token, "ACTION_URL": f"{helper.url}/webhook", "DATABASE_URL": url}
        server = rasa(folder, environment)
        server.program = (*program, *server.program)
        for one in (helper, server):
            stack.callback(one.kill)
            one.start()
        yield server, helper


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    folder = tmp_path_factory.mktemp("sqlite")
    # Root may write to any file; like this it may not.
    program = PROCESS_OF_ROOT if os.geteuid() == 0 else ()
    with served(folder, f"sqlite:///{folder / 'conversations.db'}", *program) as both:
        yield both


@contextmanager
def locked(server: Server) -> Iterator[None]:
    """Hold the database as a writer that does not end."""
    with closing(sqlite3.connect(_file(server), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(server: Server) -> Iterator[None]:
    """Let no file of the server grow, as on a full disk; its log included."""
    pid = server.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    """Take the right to write from a server that starts, and give it back."""
    files = [path for path in _file(server).parent.iterdir() if path.name.startswith("conversations.db")]
    server.stop()
    for path in files:
        path.chmod(0o444)
    _file(server).parent.chmod(0o555)
    try:
        server.start()
        yield
    finally:
        _file(server).parent.chmod(0o755)
        for path in files:
            if path.exists():
                path.chmod(0o644)


def _file(server: Server) -> Path:
    return server.log.parent / "conversations.db"


@pytest.mark.parametrize("fault", [locked, full])
def test_a_database_that_cannot_be_written_is_told_and_the_form_goes_on(
    sqlite: tuple[Server, Server], fault: Callable[[Server], "contextmanager[None]"]
) -> None:
    server, helper = sqlite
    chat, before = Chat(server), booked(helper.log.parent)
    chat.book_up_to_the_read_back()
    with fault(server):
        assert is_apology(chat.say("what causes it?"))
        assert is_apology(Chat(server).say("hello"))
        assert requests.get(f"{server.url}/health", timeout=30).status_code == 200
    assert "Source:" in chat.say("what causes it?")
    assert SENT in chat.say("yes")
    assert booked(helper.log.parent) == before + 1


def test_a_read_only_database_is_told_and_the_form_goes_on_without_a_restart(sqlite: tuple[Server, Server]) -> None:
    server, helper = sqlite
    chat, before = Chat(server), booked(helper.log.parent)
    chat.book_up_to_the_read_back()
    with read_only(server):
        assert is_apology(chat.say("what causes it?"))
    assert "Source:" in chat.say("what causes it?")
    assert SENT in chat.say("yes")
    assert booked(helper.log.parent) == before + 1


def test_a_request_that_cannot_be_written_is_told_and_sent_later(sqlite: tuple[Server, Server]) -> None:
    server, helper = sqlite
    chat, before = Chat(server), booked(helper.log.parent)
    chat.book_up_to_the_read_back()
    with full(helper):
        assert the_clinic().phone in chat.say("yes")
    assert booked(helper.log.parent) == before
    assert READ_BACK in chat.say("yes")
    assert SENT in chat.say("yes")
    assert booked(helper.log.parent) == before + 1


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running() as database:
        yield database


@pytest.fixture(scope="module")
def on_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[tuple[Server, Server, Postgres]]:
    with served(tmp_path_factory.mktemp("postgres"), postgres.url) as (server, helper):
        yield server, helper, postgres


def test_a_database_that_goes_and_comes_back_is_told_and_the_form_goes_on(
    on_postgres: tuple[Server, Server, Postgres],
) -> None:
    server, helper, database = on_postgres
    chat, before = Chat(server), booked(helper.log.parent)
    chat.book_up_to_the_read_back()
    database.stop()
    try:
        assert is_apology(chat.say("yes"))
        assert "care" in chat.say("my calf is hot and swollen")
        ready = requests.get(f"{server.url}/ready", timeout=30)
        assert (ready.status_code, ready.json()["parts"]["conversations"]) == (503, "away")
        assert requests.get(f"{server.url}/health", timeout=30).status_code == 200
    finally:
        database.start()
    assert booked(helper.log.parent) == before
    assert SENT in chat.say("yes")
    assert booked(helper.log.parent) == before + 1
    assert requests.get(f"{server.url}/ready", timeout=30).json()["status"] == "ready"


def test_a_database_that_takes_no_writes_is_told_and_the_form_goes_on(
    on_postgres: tuple[Server, Server, Postgres],
) -> None:
    server, helper, database = on_postgres
    chat, before = Chat(server), booked(helper.log.parent)
    chat.book_up_to_the_read_back()
    _set_read_only(database, "on")
    try:
        assert is_apology(chat.say("what causes it?"))
    finally:
        _set_read_only(database, "off")
    assert "Source:" in chat.say("what causes it?")
    assert SENT in chat.say("yes")
    assert booked(helper.log.parent) == before + 1


def _set_read_only(database: Postgres, value: str) -> None:
    engine = sa.create_engine(database.url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"ALTER SYSTEM SET default_transaction_read_only = {value}"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))


def test_a_database_away_at_the_start_ends_the_server_with_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "assistant", "run", "-p", str(rasa(tmp_path).port)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "SESSION_SECRET": "x" * 32},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.splitlines()) == 1, done.stderr
