"""The Rasa server's own state: /health, /ready and /metrics."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urljoin

import aiohttp
from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Sanic

from assistant import metrics
from assistant.startup import agent_of, announce
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
        status.listener("after_server_start")(announce)
        for path, handler in health_of_server().handlers().items():
            status.add_route(handler, path)
        return status


def health_of_server() -> Health:
    """Return the state of the Sanic server that is running.

    Without the action server there are no bookings but everything else, so the server is then only "degraded".
    """

    async def conversations() -> bool:
        agent = agent_of(Sanic.get_app())
        if agent is None:
            return False
        await agent.tracker_store.retrieve("status:ready")
        return True

    async def model() -> bool:
        return agent_of(Sanic.get_app()) is not None

    return Health({"model": model, "conversations": conversations}, {"actions": _actions_answer})


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
