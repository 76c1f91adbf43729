"""The Rasa server's own state: /health, /ready and /metrics."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urljoin

import aiohttp
from rasa.core.agent import Agent
from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Sanic

from assistant import metrics
from assistant.rasa.tracker_store import conversation_store
from assistant.rasa.tuning import settle, unwrap_store
from assistant.startup import MODEL
from service.health import Health
from service.settings import settings

_SECONDS = 3


class Status(InputChannel):
    """Tells whether the server lives and can work; no conversation comes through it."""

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
            agent = _agent_of(app)
            if agent is None:
                sys.stderr.write(f"The model cannot be loaded: delete {MODEL} and run `make train`.\n")
                raise SystemExit(1)
            unwrap_store(agent)
            settle()
            port = settings().port
            if port:
                sys.stderr.write(f"\nThe assistant is ready: open http://127.0.0.1:{port}/chat/\n\n")

        for path, handler in health_of_server().handlers().items():
            status.add_route(handler, path)
        return status


def health_of_server() -> Health:
    """Return the state of the Sanic server that is running.

    Without the action server there are no bookings but everything else, so the server is then only "degraded".
    """

    async def conversations() -> bool:
        agent = _agent_of(Sanic.get_app())
        if agent is None:
            return False
        await conversation_store(agent).retrieve("status:ready")
        return True

    async def model() -> bool:
        return _agent_of(Sanic.get_app()) is not None

    return Health({"model": model, "conversations": conversations}, {"actions": _actions_answer})


def _agent_of(app: Sanic) -> Agent | None:
    """Return the agent of a server, or None while it has no model."""
    agent: Agent | None = getattr(app.ctx, "agent", None)
    return agent if agent is not None and agent.is_ready() else None


async def _actions_answer() -> bool:
    address = urljoin(settings().action_url, "health")
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.get(address) as answer,
        ):
            return answer.status == 200
    except (TimeoutError, aiohttp.ClientError, ValueError):
        return False
