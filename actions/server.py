"""The action server: `python -m actions`."""

import asyncio
import hmac
import logging
import os
import re
import sys
from collections.abc import Mapping

from rasa_sdk.endpoint import create_app
from sanic import Request, Sanic
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler
from sanic.response import HTTPResponse, json

from actions.storage import Bookings, StorageError, open_bookings
from assistant.clinic import ClinicError, the_clinic
from assistant.secret import secret

LARGEST_BODY = 1_000_000
_HEALTH_SECONDS = 5
_ACTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")

logger = logging.getLogger(__name__)


class _Faults(ErrorHandler):
    """Answers every fault without its text and without what was asked: both hold what people typed."""

    def lookup(self, exception: BaseException, route_name: str | None = None) -> None:
        """Return no handler: the SDK's own would send the exception and the whole tracker back."""
        return None

    def default(self, request: Request, exception: BaseException) -> HTTPResponse:
        status = exception.status_code if isinstance(exception, SanicException) else 500
        if status < 500:
            return json({"error": "request refused"}, status)
        name = _action_name(request)
        logger.error("action %s failed: %s", name, type(exception).__name__)
        return json({"error": "action failed", "action_name": name}, status)


def build(token: str, bookings: Bookings) -> Sanic:
    """Return the action server with every action of the package `actions`.

    Args:
        token: what each caller must send in the header `X-Action-Token`.
        bookings: the store that `/health` asks.
    """
    app = create_app("actions", cors_origins=[])
    app.error_handler = _Faults()
    app.config.REQUEST_MAX_SIZE = LARGEST_BODY
    app.config.FALLBACK_ERROR_FORMAT = "json"

    @app.middleware("request")
    async def guard(request: Request) -> HTTPResponse | None:
        if request.path == "/health":
            return await _health(bookings)
        if not hmac.compare_digest(request.headers.get("x-action-token", "").encode(), token.encode()):
            return json({"error": "the header X-Action-Token is missing or wrong"}, 401)
        # The SDK inflates such a body without bound.
        if "content-encoding" in request.headers:
            return json({"error": "send the body as it is"}, 415)
        return None

    return app


async def _health(bookings: Bookings) -> HTTPResponse:
    try:
        await asyncio.wait_for(asyncio.to_thread(bookings.ping), _HEALTH_SECONDS)
    except (StorageError, asyncio.TimeoutError) as error:
        logger.warning("health: the database is away (%s)", type(error).__name__)
        return json({"status": "the database is away"}, 503)
    return json({"status": "ok"})


def _action_name(request: Request) -> str | None:
    """Return the name of the action that was asked for, when it is a name."""
    try:
        name = request.json["next_action"]
    except Exception:
        return None
    return name if isinstance(name, str) and _ACTION_NAME.fullmatch(name) else None


def serve(environment: Mapping[str, str]) -> int:
    """Serve until SIGTERM or Ctrl-C; return the exit code.

    Reads ACTION_TOKEN, ACTION_HOST (127.0.0.1) and ACTION_PORT (5055).
    """
    token = environment.get("ACTION_TOKEN", "")
    if not token:
        sys.stderr.write("ACTION_TOKEN is not set: set the same secret for the action server and for Rasa.\n")
        return 2
    port = environment.get("ACTION_PORT") or "5055"
    if not port.isdigit() or not 0 < int(port) < 65536:
        sys.stderr.write("ACTION_PORT must be a port such as 5055.\n")
        return 2
    host = environment.get("ACTION_HOST") or "127.0.0.1"
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("alembic", "sanic.root", "sanic.access", "sanic.error", "rasa_sdk.executor", "rasa_sdk.endpoint"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        bookings = open_bookings(the_clinic())
    except ClinicError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    app = build(token, bookings)
    logger.info("action server on http://%s:%s", host, port)
    app.run(host, int(port), access_log=False, debug=False, motd=False)
    return 0


def main() -> int:
    return serve({**os.environ, "ACTION_TOKEN": secret("ACTION_TOKEN")})
