"""A visitor of the web site, by plain HTTP."""

import itertools
from typing import Any

import requests

_NUMBERS = itertools.count(1)


class Visitor:
    """Speaks the website channel's protocol, and keeps the newest token as the widget does."""

    def __init__(self, server: str) -> None:
        self._chat = f"{server}/chat"
        self._http = requests.Session()
        self.token: str | None = None

    def post(self, path: str, body: Any = None, token: str | None = None, **options: Any) -> requests.Response:
        """Post JSON, or `data` as it is, with this visitor's token or another."""
        headers = options.pop("headers", {})
        if token or self.token:
            headers["Authorization"] = f"Bearer {token or self.token}"
        if "data" not in options:
            options["json"] = {} if body is None else body
        return self._http.post(f"{self._chat}/{path}", headers=headers, timeout=30, **options)

    def open(self) -> list[dict[str, Any]]:
        """Begin a session; return the opening messages."""
        answer = self.post("session")
        assert answer.status_code == 201, answer.text
        self.token = answer.json()["token"]
        return list(answer.json()["messages"])

    def say(self, text: str, message: str | None = None) -> list[dict[str, Any]]:
        """Say something and return what the assistant says."""
        answer = self.post("messages", {"id": message or new_id(), "text": text})
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["token"]
        return list(answer.json()["messages"])


def new_id() -> str:
    """Return a message id that was not used before."""
    return f"message-{next(_NUMBERS):06}"
