"""The chat on a page of its own: the widget alone, and for who has no script a plain form that works."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from sanic import Request
from sanic.response import HTTPResponse

from assistant.website.files import Files
from assistant.website.origins import Origins
from assistant.website.sessions import Reply, Sessions
from service.limits import body_of

_LARGEST_BODY = 32_768

Begin = Callable[[Request], Awaitable[str]]
Say = Callable[[Request, str, str, str], Awaitable[Reply]]


class Talk:
    """Shows the page and answers its form.

    Args:
        begin: opens a session and returns it.
        say: says something in a session, with the id of the message, and returns what is answered.
    """

    def __init__(self, files: Files, origins: Origins, sessions: Sessions, begin: Begin, say: Say) -> None:
        self._files = files
        self._origins = origins
        self._sessions = sessions
        self._begin = begin
        self._say = say

    async def answer(self, request: Request) -> HTTPResponse:
        """Say what the form holds, and return the page with the answer.

        Raises:
            TooLarge: the form has more than a message needs.
        """
        fields = parse_qs((await body_of(request, _LARGEST_BODY)).decode("utf-8", "replace"), max_num_fields=10)
        message, text, token = (fields.get(name, [""])[0].strip() for name in ("id", "text", "token"))
        if not text:
            return self.page(request, token=token)
        session = await self._sessions.of(token)
        is_new = session is None
        session = session or await self._begin(request)
        said = await self._say(request, session, message, text)
        fault = "The chat before has ended, so what was said in it is forgotten." if is_new and token else ""
        # What was chosen is no sentence of the visitor's.
        asked = "" if text.startswith("/") else text
        return self.page(request, said=said, asked=asked, token=self._sessions.token(session), fault=fault)

    def fault(self, request: Request, status: int, reason: str) -> HTTPResponse:
        """Return the page with what went wrong."""
        return self.page(request, status, fault=f"{reason[:1].upper()}{reason[1:]}.")

    def page(self, request: Request, status: int = 200, **values: Any) -> HTTPResponse:
        """Return the page; `values` are what was said, and what goes with it."""
        frames = self._origins.frames(request.host)
        # A page that is sent twice says what it says once.
        return self._files.page("talk.html", request, frames, status, new_id=secrets.token_hex(16), **values)
