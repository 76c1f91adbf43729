"""The web sites whose pages may use the chat."""

import re

from sanic import Request
from sanic.response import HTTPResponse

from clinic.profile import Clinic

METHODS = ("POST", "OPTIONS")
# localhost:5005, http://127.0.0.1 and [::1]:80, but neither localhost.example nor 127.0.0.1.example.
_LOOPBACK = re.compile(r"(https?://)?(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class Origins:
    """The origins that a clinic allows, and the answers that their pages may read."""

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic

    def may_embed(self, request: Request) -> bool:
        """Tell whether a page may use the chat: this server's own, the clinic's, and on this machine any local one.

        A client that is no browser names no origin, and gains nothing by naming one.
        """
        origin = request.headers.get("origin")
        if origin is None or origin in self._clinic.origins:
            return True
        if _LOOPBACK.fullmatch(request.host) and (origin == "null" or _LOOPBACK.fullmatch(origin)):
            return True
        return re.sub("^https?://", "", origin) == request.host

    async def share(self, request: Request, answer: HTTPResponse) -> None:
        """Let the pages of allowed origins read an answer, also that to a preflight, which Rasa gives itself."""
        origin = request.headers.get("origin")
        if request.method in METHODS and origin and self.may_embed(request):
            answer.headers.update(
                {
                    "Access-Control-Allow-Origin": origin,
                    "Access-Control-Allow-Headers": "Authorization, Content-Type",
                    "Access-Control-Allow-Methods": "POST",
                    "Access-Control-Expose-Headers": "Retry-After",
                    "Access-Control-Max-Age": "7200",
                    "Vary": "Origin",
                }
            )
