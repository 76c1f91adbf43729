"""The Rasa server's own state: /health, /ready and /metrics."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urljoin

import aiohttp
from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Request, Sanic, response
from sanic.response import HTTPResponse

from assistant import metrics
from assistant.rasa.tracker_store import conversation_store
from assistant.rasa.tuning import settle, unwrap_store
from service.database import StoreUnavailable
from service.health import exposition
from service.startup import MODEL

_SECONDS = 3
_OK, _AWAY = "ok", "away"


class Status(InputChannel):
    """Tells whether the server lives and can work; no conversation comes through it.

    `/ready` answers 503 while there can be no conversations. Without the action server there are no bookings but
    everything else, so the server is only "degraded" and stays in use.
    """

    @classmethod
    def name(cls) -> str:
        return "status"

    def url_prefix(self) -> str:
        return "/"

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        status = Blueprint("status")
        metrics.prepare()

        @status.listener("after_server_start")
        async def announce(app: Sanic, _loop: asyncio.AbstractEventLoop) -> None:
            if not _has_model(app):
                sys.stderr.write(f"The model cannot be loaded: delete {MODEL} and run `make train`.\n")
                raise SystemExit(1)
            unwrap_store(app.ctx.agent)
            settle()
            port = os.environ.get("PORT")
            if port:
                sys.stderr.write(f"\nThe assistant is ready: open http://127.0.0.1:{port}/chat/\n\n")

        for path, handler in {"/health": health, "/ready": ready, "/metrics": exposition}.items():
            status.add_route(handler, path)
        return status


async def health(_request: Request) -> HTTPResponse:
    """Answer that the process lives."""
    return response.json({"status": _OK})


async def ready(request: Request) -> HTTPResponse:
    """Answer whether there can be conversations, and what is away."""
    parts = await _parts(request.app)
    is_ready = parts["model"] == parts["conversations"] == _OK
    word = "not ready" if not is_ready else "degraded" if _AWAY in parts.values() else "ready"
    return response.json({"status": word, "parts": parts}, status=200 if is_ready else 503)


async def _parts(app: Sanic) -> dict[str, str]:
    """Return what the server needs, each "ok" or "away"."""
    if not _has_model(app):
        return {"model": _AWAY, "conversations": _AWAY, "actions": _AWAY}
    store, actions = await asyncio.gather(_store_answers(app), _actions_answer())
    return {"model": _OK, "conversations": _OK if store else _AWAY, "actions": _OK if actions else _AWAY}


def _has_model(app: Sanic) -> bool:
    agent = getattr(app.ctx, "agent", None)
    return agent is not None and agent.is_ready()


async def _store_answers(app: Sanic) -> bool:
    try:
        await asyncio.wait_for(conversation_store(app.ctx.agent).retrieve("status:ready"), _SECONDS)
    except (TimeoutError, StoreUnavailable):
        return False
    return True


async def _actions_answer() -> bool:
    address = urljoin(os.environ.get("ACTION_URL", ""), "health")
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.get(address) as answer,
        ):
            return answer.status == 200
    except (TimeoutError, aiohttp.ClientError, ValueError):
        return False
