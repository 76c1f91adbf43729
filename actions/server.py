"""The action server: `python -m actions`."""

import hmac
import logging
import os
import re
import sys

import structlog
from prometheus_client import REGISTRY
from pydantic import ValidationError
from rasa_sdk.endpoint import create_app
from sanic import Request, Sanic
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler
from sanic.response import HTTPResponse, json

from actions.calls import Call
from booking.metrics import ACTION_FAILURES, Backlog
from booking.store import Bookings, open_bookings
from clinic.articles import the_library
from clinic.profile import ClinicError, the_clinic
from service import logs
from service.health import Health
from service.http import Protocol
from service.secrets import secret
from service.settings import SettingError, settings
from service.startup import StartError, check_port

LARGEST_BODY = 1_000_000
SECONDS_TO_STOP = 8
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
        ACTION_FAILURES.inc()
        logger.error("action %s failed: %s", name, type(exception).__name__)
        return json({"error": "action failed", "action_name": name}, status)


def build(token: str, bookings: Bookings) -> Sanic:
    """Return the action server with every action of the package `actions`.

    Args:
        token: what each caller must send in the header `X-Action-Token`.
        bookings: the store that `/ready` asks, and whose backlog is among the metrics.
    """
    app = create_app("actions", cors_origins=[])
    app.error_handler = _Faults()
    app.config.REQUEST_MAX_SIZE = LARGEST_BODY
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = SECONDS_TO_STOP
    own_state = Health({"bookings": lambda: bookings.ping()}).handlers()

    @app.middleware("request")
    async def guard(request: Request) -> HTTPResponse | None:
        structlog.contextvars.clear_contextvars()
        if request.path in own_state:
            return await own_state[request.path](request)
        if not hmac.compare_digest(
            request.headers.get("x-action-token", "").encode(errors="surrogateescape"), token.encode()
        ):
            return json({"error": "the header X-Action-Token is missing or wrong"}, 401)
        # The SDK inflates such a body without bound.
        if "content-encoding" in request.headers:
            return json({"error": "send the body as it is"}, 415)
        if request.body and not _is_call(request):
            return json({"error": "the body is no action call"}, 400)
        structlog.contextvars.bind_contextvars(turn=_turn(request))
        return None

    return app


def _is_call(request: Request) -> bool:
    try:
        Call.model_validate(request.json)
    except (SanicException, ValidationError):
        return False
    return True


def _action_name(request: Request) -> str | None:
    """Return the name of the action that was asked for, when it is a name."""
    try:
        name = request.json["next_action"]
    except Exception:
        return None
    return name if isinstance(name, str) and _ACTION_NAME.fullmatch(name) else None


def _turn(request: Request) -> str | None:
    """Return what the logs of all servers call the turn that an action is asked for."""
    try:
        tracker = request.json["tracker"]
        return logs.turn_id(tracker["sender_id"], tracker["latest_message"]["message_id"])
    except Exception:
        return None


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; return the exit code."""
    try:
        # The logs call a turn by it.
        os.environ["ACTION_TOKEN"] = token = secret("ACTION_TOKEN")
        host, port = settings().action_host, settings().action_port
        bookings = open_bookings(the_clinic())
        # Read before the first message, which need not wait for it.
        the_library()
        check_port(host, port)
    except (ClinicError, SettingError, StartError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    app = build(token, bookings)
    REGISTRY.register(Backlog(bookings))
    app.run(host, port, access_log=False, debug=False, motd=False, single_process=True, protocol=Protocol)
    return 0
