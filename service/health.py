"""The state of a process, for those who watch it: /health, /ready and /metrics.

A Sanic server answers these paths with `Health.handlers`; a process without a web server listens with `Health.serve`.
"""

import asyncio
import hmac
import ipaddress
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import lru_cache
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CONTENT_TYPE_LATEST, disable_created_metrics, generate_latest
from sanic import Request, response
from sanic.response import HTTPResponse

from service.database import StoreUnavailable
from service.settings import settings
from service.startup import check_port

# When a counter began tells nobody here anything.
disable_created_metrics()
# What a proxy or a browser sends.
_OF_OTHERS = ("x-forwarded-for", "forwarded", "x-real-ip", "via", "origin")
_SECONDS_TO_CHECK = 3
_REFUSAL = "metrics need METRICS_TOKEN, or a program on this machine"
_OK, _AWAY = "ok", "away"

logger = logging.getLogger(__name__)

# Returns or raises what tells whether a part can be used now; a function that may block runs in a thread.
Check = Callable[[], Any] | Callable[[], Awaitable[Any]]
Handler = Callable[[Request], Coroutine[Any, Any, HTTPResponse]]


class Answer(NamedTuple):
    """An answer about the state of a process."""

    status: int
    content_type: str
    body: bytes


class Health:
    """What a process needs in order to work, and whether that is there."""

    def __init__(self, needed: dict[str, Check], useful: dict[str, Check] | None = None) -> None:
        """Name the parts that a process needs.

        Args:
            needed: the checks of parts without which the process is not ready, by the names that `/ready` shows.
            useful: the checks of parts without which it is only "degraded", and stays in use.

        A check fails when it raises StoreUnavailable, returns False or takes longer than three seconds.
        """
        self._needed = needed
        self._checks = {**needed, **(useful or {})}

    async def health(self) -> Answer:
        """Return the answer that the process lives."""
        return _json(200, {"status": _OK})

    async def ready(self) -> Answer:
        """Return the answer whether the process can work, and which of its parts are away."""
        found = await asyncio.gather(*map(_passes, self._checks.values()))
        parts = {name: _OK if passed else _AWAY for name, passed in zip(self._checks, found, strict=True)}
        is_ready = all(parts[name] == _OK for name in self._needed)
        word = "not ready" if not is_ready else "degraded" if _AWAY in parts.values() else "ready"
        if not is_ready:
            logger.warning("not ready: away are %s", ", ".join(name for name in parts if parts[name] == _AWAY))
        return _json(200 if is_ready else 503, {"status": word, "parts": parts})

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers of a Sanic server, by their paths."""

        async def health(_request: Request) -> HTTPResponse:
            return _as_response(await self.health())

        async def ready(_request: Request) -> HTTPResponse:
            return _as_response(await self.ready())

        return {"/health": health, "/ready": ready, "/metrics": _metrics}

    def serve(self, host: str, port: int) -> None:
        """Answer on a port of its own, in a thread that ends with the process.

        Raises:
            StartError: nothing can listen there.
        """
        check_port(host, port)
        server = make_server(host, port, self._application, _Server, _QuietHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        paths: dict[str, Callable[[], Answer]] = {
            "/health": lambda: asyncio.run(self.health()),
            "/ready": lambda: asyncio.run(self.ready()),
            "/metrics": lambda: _exposition(
                _is_loopback(environ["REMOTE_ADDR"]), environ.get("HTTP_AUTHORIZATION", "")
            ),
        }
        answer = paths.get(environ["PATH_INFO"], lambda: _json(404, {"error": "there is no such page"}))()
        status = f"{answer.status} {HTTPStatus(answer.status).phrase}"
        start_response(status, [("Content-Type", answer.content_type)])
        return [answer.body]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def is_from_here(request: Request) -> bool:
    """Tell whether a program of this machine asks, and neither a proxy nor a page in a browser."""
    return not any(header in request.headers for header in _OF_OTHERS) and _is_loopback(request.ip)


@lru_cache
def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


async def _passes(check: Check) -> bool:
    is_async = asyncio.iscoroutinefunction(check)
    try:
        found = await asyncio.wait_for(check() if is_async else asyncio.to_thread(check), _SECONDS_TO_CHECK)
    except (TimeoutError, StoreUnavailable):
        return False
    return found is not False


async def _metrics(request: Request) -> HTTPResponse:
    authorization = request.headers.get("authorization", "")
    # In a thread, since a collector may ask a database.
    return _as_response(await asyncio.to_thread(_exposition, is_from_here(request), authorization))


def _exposition(is_here: bool, authorization: str) -> Answer:
    """Return the metrics: with METRICS_TOKEN to clients that send it, without it to programs of this machine."""
    token = settings().metrics_token
    # Sanic keeps bytes that are no UTF-8 as surrogates.
    given = authorization.encode(errors="surrogateescape")
    if not (hmac.compare_digest(given, f"Bearer {token}".encode()) if token else is_here):
        return _json(403, {"error": _REFUSAL})
    return Answer(200, CONTENT_TYPE_LATEST, generate_latest())


def _json(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, "application/json", json.dumps(body).encode())


def _as_response(answer: Answer) -> HTTPResponse:
    return response.raw(answer.body, answer.status, content_type=answer.content_type)
