"""One conversation over the REST channel, and the two servers behind it."""

import secrets
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import requests

from clinic.profile import the_clinic
from tests.support.servers import Server

NAME, PHONE, PHONE_SHOWN = "Ana Ruiz", "949-555-0133", "(949) 555-0133"
READ_BACK = "Here is your request"
SENT = "Your reference is"


@dataclass
class Chat:
    """A person who writes to `server`."""

    server: Server
    sender: str = field(default_factory=lambda: secrets.token_hex(8))

    def say(self, text: str) -> str:
        """Return all that is said to a text."""
        message = {"sender": self.sender, "message": text}
        answer = requests.post(f"{self.server.url}/webhooks/rest/webhook", json=message, timeout=60)
        answer.raise_for_status()
        return "\n".join(said.get("text", "") for said in answer.json())

    def book_up_to_the_read_back(self) -> None:
        for text in (f"book me a visit, {NAME}, {PHONE}, any weekday morning", "skip", "skip"):
            said = self.say(text)
        assert PHONE_SHOWN in said, said


def is_apology(said: str) -> bool:
    return "sorry" in said.lower() and the_clinic().phone in said


def booked(folder: Path) -> int:
    """Return how many requests the action server of a folder has written."""
    with sqlite3.connect(folder / "bookings.db") as database:
        return int(database.execute("SELECT count(*) FROM requests").fetchone()[0])


def counted(server: Server, metric: str) -> float:
    """Return what a server's /metrics says of one metric, such as `assistant_fallbacks_total`; 0 when nothing."""
    lines = requests.get(f"{server.url}/metrics", timeout=30).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == metric)
