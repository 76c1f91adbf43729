"""People who write to the assistant on a messaging platform, and the payloads that platforms are known to send."""

import itertools
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import requests

from tests.support.platforms import Call, Platform
from tests.support.servers import Server, assistant

PAYLOADS = Path(__file__).parent / "payloads"
_SECONDS_TO_SETTLE = 60
_SECONDS_BETWEEN_LOOKS = 0.03
_NUMBERS = itertools.count(1)


@dataclass
class Installation:
    """The servers with one platform's channel on, and the platform they answer through."""

    server: Server
    platform: Any
    folder: Path

    def settle(self) -> None:
        """Return once every message that was taken is done with.

        Raises:
            AssertionError: that takes too long.
        """
        deadline = time.monotonic() + _SECONDS_TO_SETTLE
        while self.rows("SELECT count(*) FROM messaging_inbox WHERE done_at IS NULL") != [(0,)]:
            assert time.monotonic() < deadline, "a message is still waiting"
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def taken(self) -> int:
        """Return how many messages were ever taken."""
        return int(self.rows("SELECT count(*) FROM messaging_inbox")[0][0])

    def bookings(self) -> int:
        return int(self.rows("SELECT count(*) FROM requests", "bookings.db")[0][0])

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    def rows(self, query: str, database: str = "conversations.db") -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.folder / database, timeout=10)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


@contextmanager
def installed(folder: Path, platform: Platform) -> Iterator[Installation]:
    """Start the assistant with a platform's channel and the action server, and the platform only after them."""
    with platform, ExitStack() as running:
        with platform.away():
            server = running.enter_context(assistant(folder, with_actions=True, **platform.environment()))
        yield Installation(server, platform, folder)


class Person:
    """Someone on a platform, whom nobody has heard of before."""

    NAME: ClassVar[str]

    def __init__(self, at: Installation) -> None:
        self.at = at
        self.number = next(_NUMBERS)
        self.url = f"{at.server.url}/webhooks/{self.NAME}/webhook"

    # What a platform adds:

    def message(self, text: str) -> Any:
        """Return the payload of a new message."""
        raise NotImplementedError

    def press(self, button: dict[str, Any]) -> Any:
        """Return the payload of pressing one of the buttons that `buttons` found."""
        raise NotImplementedError

    def sign(self, body: bytes) -> dict[str, str]:
        """Return the headers that prove a body."""
        raise NotImplementedError

    def is_told(self, call: Call) -> bool:
        """Tell whether a call says something to this person."""
        raise NotImplementedError

    def text(self, call: Call) -> str:
        """Return the words of a call."""
        raise NotImplementedError

    def buttons(self, call: Call) -> dict[str, dict[str, Any]]:
        """Return the native buttons of a call by their labels."""
        raise NotImplementedError

    def anew(self, payload: Any) -> Any:
        """Return a kept payload as if it came from this person just now."""
        raise NotImplementedError

    # What all do:

    def encode(self, payload: Any, is_form: bool = False) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers with which the platform sends a payload."""
        body = json.dumps(payload).encode()
        return body, {"Content-Type": "application/json", **self.sign(body)}

    def post(self, payload: Any, is_form: bool = False) -> requests.Response:
        """Send a payload as the platform does."""
        return self.post_raw(*self.encode(payload, is_form))

    def post_raw(self, body: bytes, headers: dict[str, str]) -> requests.Response:
        return requests.post(self.url, data=body, headers=headers, timeout=30)

    def heard(self) -> list[Call]:
        """Return all that this person was told, in order."""
        return [call for call in list(self.at.platform.sent) if self.is_told(call)]

    def told(self, payload: Any, is_form: bool = False) -> list[Call]:
        """Send a payload and return what is said to it, once nothing waits any more."""
        before = len(self.heard())
        answer = self.post(payload, is_form)
        assert answer.status_code == 200, answer.status_code
        self.at.settle()
        return self.heard()[before:]

    def say(self, text: str) -> str:
        """Say something and return the one message that answers it."""
        (answer,) = self.told(self.message(text))
        return self.text(answer)

    def choose(self, label: str) -> str:
        """Press a button of the latest message, or type its number, and return the one message that answers it."""
        latest = self.heard()[-1]
        buttons = self.buttons(latest)
        if label in buttons:
            (answer,) = self.told(self.press(buttons[label]))
            return self.text(answer)
        numbered = re.findall(r"^(\d+)\. (.+)$", self.text(latest), re.MULTILINE)
        return self.say(next(number for number, shown in numbered if shown == label))


def recorded(platform: str) -> dict[str, dict[str, Any]]:
    """Return the kept payloads of a platform by their names.

    Each has the address of its `documentation`, the `reaction` that a person expects, its `payload`, and `form` when it
    comes as a form.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((PAYLOADS / platform).glob("*.json")):
        for name, case in json.loads(path.read_text(encoding="utf-8")).items():
            found[f"{path.stem}: {name}"] = case
    return found


def replaced(payload: Any, values: dict[str, str]) -> Any:
    """Return a payload with texts in it replaced, in numbers and within longer texts too."""
    content = json.dumps(payload)
    for old, new in values.items():
        content = content.replace(old, new)
    return json.loads(content)
