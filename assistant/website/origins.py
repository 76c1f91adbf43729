"""The web sites whose pages may use the chat, and what the web master of another one is told."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from sanic import Request
from sanic.response import HTTPResponse

from clinic.profile import Clinic

METHODS = ("POST", "OPTIONS")
# localhost:5005, http://127.0.0.1 and [::1]:80, but neither localhost.example nor 127.0.0.1.example.
_LOOPBACK = re.compile(r"(https?://)?(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_HOST = re.compile(r"[a-z0-9.-]+(:\d+)?")


@dataclass(frozen=True)
class Advice:
    """What a web master is told of a site: its `origin`, whether it is `allowed`, and what to do, in one sentence."""

    origin: str
    allowed: bool
    advice: str


class Origins:
    """The origins that a clinic allows, and the answers that their pages may read."""

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic

    def may_embed(self, request: Request) -> bool:
        """Tell whether the page that a request comes from may use the chat.

        A client that is no browser names no origin, and gains nothing by naming one.
        """
        origin = request.headers.get("origin")
        return origin is None or self._admits(origin, request.host)

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

    def frames(self, host: str) -> str:
        """Return the sites that may show a page of this server in a frame, as a policy names them."""
        local = ["http://localhost:*", "http://127.0.0.1:*"] if _LOOPBACK.fullmatch(host) else []
        return " ".join(["'self'", *self._clinic.origins, *local])

    def advice(self, site: str, host: str) -> Advice:
        """Return what there is to do for a site to hold the chat; `site` is an address as a person types it."""
        origin = origin_of(site)
        if origin is None:
            return Advice(site, False, "That is no web address: write it like https://www.clinic.example")
        if self._admits(origin, host):
            return Advice(origin, True, f"Pages of {origin} may hold the chat.")
        return Advice(origin, False, f"The clinic's chat takes nothing from {origin}: add it to origins in clinic.yml.")

    def _admits(self, origin: str, host: str) -> bool:
        """Tell whether an origin is this server's own, one of the clinic's, or, on this machine, any local one."""
        if origin in self._clinic.origins:
            return True
        if _LOOPBACK.fullmatch(host) and (origin == "null" or _LOOPBACK.fullmatch(origin)):
            return True
        return re.sub("^https?://", "", origin) == host


def origin_of(site: str) -> str | None:
    """Return the origin of an address, with https where it names no scheme; None for what is no web address."""
    try:
        parts = urlsplit(site.strip() if "://" in site else f"https://{site.strip()}")
        port = f":{parts.port}" if parts.port and parts.port != {"http": 80, "https": 443}.get(parts.scheme) else ""
    except ValueError:
        return None
    host = f"{parts.hostname or ''}{port}"
    return f"{parts.scheme}://{host}" if parts.scheme in ("http", "https") and _HOST.fullmatch(host) else None


def safe_host(host: str) -> str:
    """Return the host that a request names, or nothing when it is none."""
    return host if _HOST.fullmatch(host) else ""
