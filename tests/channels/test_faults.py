"""What a person and the logs see when a server behind the chat fails, and that no booking is lost or doubled."""

import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from assistant.clinic import the_clinic
from tests.servers import Server, actions, rasa

NAME, PHONE, PHONE_SHOWN = "Ana Ruiz", "949-555-0133", "(949) 555-0133"


@dataclass
class Chat:
    """One conversation over the REST channel, and the two servers behind it."""

    server: Server
    helper: Server
    sender: str

    def say(self, text: str) -> str:
        """Return all that is said to a text."""
        message = {"sender": self.sender, "message": text}
        answer = requests.post(f"{self.server.url}/webhooks/rest/webhook", json=message, timeout=30)
        answer.raise_for_status()
        return "\n".join(said.get("text", "") for said in answer.json())

    def book_up_to_the_read_back(self) -> None:
        for text in (f"book me a visit, {NAME}, {PHONE}, any weekday morning", "skip", "skip"):
            said = self.say(text)
        assert PHONE_SHOWN in said


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    folder = tmp_path_factory.mktemp("faults")
    token = secrets.token_hex(16)
    helper = actions(folder, {"ACTION_TOKEN": token})
    server = rasa(folder, {"ACTION_TOKEN": token, "ACTION_URL": f"{helper.url}/webhook"})
    for one in (helper, server):
        one.start()
    yield server, helper
    for one in (server, helper):
        one.kill()


@pytest.fixture
def chat(servers: tuple[Server, Server]) -> Chat:
    return Chat(*servers, sender=secrets.token_hex(8))


def booked(folder: Path) -> int:
    with sqlite3.connect(folder / "bookings.db") as database:
        return int(database.execute("SELECT count(*) FROM requests").fetchone()[0])


def test_a_whole_booking_leaves_nothing_personal_in_the_logs(chat: Chat) -> None:
    before = booked(chat.server.log.parent)
    chat.book_up_to_the_read_back()
    assert "Your reference is" in chat.say("yes")
    assert booked(chat.server.log.parent) == before + 1
    logs = chat.server.log.read_text() + chat.helper.log.read_text()
    for personal in (NAME, "Ruiz", PHONE, PHONE_SHOWN, "9495550133"):
        assert personal not in logs


def test_a_dead_action_server_costs_a_sentence_and_no_booking(chat: Chat) -> None:
    before = booked(chat.server.log.parent)
    chat.book_up_to_the_read_back()
    chat.helper.kill()
    try:
        assert the_clinic().phone in chat.say("yes")
        assert "Source:" in Chat(chat.server, chat.helper, secrets.token_hex(8)).say("what is runner's knee?")
        emergency = chat.say("my calf is hot and swollen")
        assert "urgent care" in emergency
    finally:
        chat.helper.start()
    assert booked(chat.server.log.parent) == before
    assert "Your reference is" in chat.say("yes")
    assert booked(chat.server.log.parent) == before + 1


def test_a_hung_action_server_is_answered_in_time_and_books_once(chat: Chat) -> None:
    before = booked(chat.server.log.parent)
    chat.book_up_to_the_read_back()
    chat.helper.pause()
    try:
        assert the_clinic().phone in chat.say("yes")
    finally:
        chat.helper.resume()
    assert "Your reference is" in chat.say("yes")
    assert booked(chat.server.log.parent) == before + 1
