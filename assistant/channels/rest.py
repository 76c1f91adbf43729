"""The REST channel: Rasa's own protocol at /webhooks/rest/webhook, for tests and tools on this machine."""

import asyncio
import ipaddress
import os
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from sanic import Blueprint, Request, Sanic, response
from sanic.response import HTTPResponse

from assistant.gate import Gate

_SENDER = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RestChannel(InputChannel):
    """Takes {"sender": id, "message": text} and answers with the list of what the assistant says."""

    @classmethod
    def name(cls) -> str:
        return "rest"

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        webhook = Blueprint("rest_channel")

        @webhook.listener("after_server_start")
        async def announce(_app: Sanic, _loop: asyncio.AbstractEventLoop) -> None:
            port = os.environ.get("PORT")
            if port:
                sys.stderr.write(f"\nThe assistant is ready: open http://127.0.0.1:{port}/chat/\n\n")

        @webhook.get("/")
        async def health(_request: Request) -> HTTPResponse:
            return response.json({"status": "ok"})

        @webhook.post("/webhook")
        async def receive(request: Request) -> HTTPResponse:
            if not _is_from_here(request):
                return response.json({"error": "this channel is for programs on this machine"}, status=403)
            body = _body(request)
            sender, text = body.get("sender"), body.get("message")
            if not isinstance(sender, str) or not _SENDER.fullmatch(sender):
                return _refusal("sender must be 1 to 64 letters, digits, dots, dashes or underscores")
            if not isinstance(text, str):
                return _refusal("message must be a text")
            output = CollectingOutputChannel()
            conversation = f"{self.name()}:{sender}"
            await Gate.of(request.app)(UserMessage(text, output, conversation, input_channel=self.name()))
            return response.json([{**said, "recipient_id": sender} for said in output.messages])

        return webhook


def _is_from_here(request: Request) -> bool:
    """Tell whether a program of this machine asks, and neither a proxy nor a page in a browser."""
    through_others = {"x-forwarded-for", "forwarded", "x-real-ip", "origin"} & set(request.headers)
    return not through_others and ipaddress.ip_address(request.ip).is_loopback


def _body(request: Request) -> dict[str, Any]:
    try:
        body = request.load_json()
    except Exception:
        return {}
    return body if isinstance(body, dict) else {}


def _refusal(reason: str) -> HTTPResponse:
    return response.json({"error": reason}, status=400)
