"""What a person sees when the action server fails, and that no booking is lost or doubled."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from assistant.gate import SECONDS_TO_ANSWER
from tests.faults.chat import SENT, Chat, booked, counted, is_apology
from tests.support.receivers import CLOSE, SILENCE, WebReceiver
from tests.support.servers import Server, assistant

TIMEOUTS = 'assistant_apologies_total{cause="timeout"}'


@pytest.fixture
def chat(servers: tuple[Server, Server]) -> Chat:
    return Chat(servers[0])


@pytest.fixture
def helper(servers: tuple[Server, Server]) -> Server:
    return servers[1]


def test_a_dead_action_server_costs_a_sentence_and_no_booking(chat: Chat, helper: Server) -> None:
    before = booked(helper.log.parent)
    chat.book_up_to_the_read_back()
    helper.kill()
    try:
        assert is_apology(chat.say("yes"))
        # Without bookings it is still worth talking to.
        ready = requests.get(f"{chat.server.url}/ready", timeout=30)
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert "Source:" in Chat(chat.server).say("what is runner's knee?")
        assert "urgent care" in Chat(chat.server).say("my calf is hot and swollen")
    finally:
        helper.start()
    assert booked(helper.log.parent) == before
    assert SENT in chat.say("yes")
    assert booked(helper.log.parent) == before + 1


def test_a_hung_action_server_is_answered_in_time_and_books_once(chat: Chat, helper: Server) -> None:
    assert SECONDS_TO_ANSWER < 5
    before, cut = booked(helper.log.parent), counted(chat.server, TIMEOUTS)
    chat.book_up_to_the_read_back()
    helper.pause()
    try:
        assert is_apology(chat.say("yes"))
    finally:
        helper.resume()
    assert counted(chat.server, TIMEOUTS) == cut + 1
    assert SENT in chat.say("yes")
    assert booked(helper.log.parent) == before + 1


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, WebReceiver]]:
    """A Rasa server whose action server is one that fails on demand."""
    folder = tmp_path_factory.mktemp("faulty")
    with WebReceiver() as receiver, assistant(folder, ACTION_URL=receiver.url) as server:
        yield server, receiver


@pytest.mark.parametrize("fault", [500, 400, 404, 200, CLOSE, SILENCE])
def test_an_action_that_fails_at_the_start_of_the_form_is_apologised_for(
    faulty: tuple[Server, WebReceiver], fault: int | str
) -> None:
    server, receiver = faulty
    chat = Chat(server)
    receiver.script = [fault] * 20
    try:
        assert is_apology(chat.say("book me a visit"))
        assert "Source:" in chat.say("what causes it?")
    finally:
        receiver.script = []


def test_no_log_tells_what_was_said(faulty: tuple[Server, WebReceiver]) -> None:
    server, receiver = faulty
    receiver.script = [500] * 20
    Chat(server).say("book me a visit, Ana Ruiz, 949-555-0133")
    logged = server.log.read_text()
    assert "Ruiz" not in logged
    assert "5550133" not in logged.replace("-", "")
    assert Path(server.log).stat().st_size
