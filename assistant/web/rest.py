"""The REST channel: Rasa's own protocol at /webhooks/rest/webhook, for tests and tools on this machine."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from sanic import Blueprint, Request, response
from sanic.response import HTTPResponse

from assistant.gate import Gate
from assistant.message import as_text
from service.health import is_from_here

_SENDER = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RestChannel(InputChannel):
    """Takes {"sender": id, "message": text} and answers with the list of what the assistant says."""

    @classmethod
    def name(cls) -> str:
        return "rest"

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        webhook = Blueprint("rest_channel")

        @webhook.post("/webhook")
        async def receive(request: Request) -> HTTPResponse:
            if not is_from_here(request):
                return response.json({"error": "this channel is for programs on this machine"}, status=403)
            body = _body(request)
            sender, text = body.get("sender"), body.get("message")
            if not isinstance(sender, str) or not _SENDER.fullmatch(sender):
                return _refusal("sender must be 1 to 64 letters, digits, dots, dashes or underscores")
            if not isinstance(text, str):
                return _refusal("message must be a text")
            output = TextOutput()
            conversation = f"{self.name()}:{sender}"
            await Gate.of(request.app)(UserMessage(text, output, conversation, input_channel=self.name()))
            return response.json([{**said, "recipient_id": sender} for said in output.messages])

        return webhook


class TextOutput(CollectingOutputChannel):
    """Collects answers as Rasa's own channel does, with card and source as lines of the text."""

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        await super().send_response(recipient_id, {**message, "text": as_text(message)})


def _body(request: Request) -> dict[str, Any]:
    try:
        body = request.load_json()
    except Exception:
        return {}
    return body if isinstance(body, dict) else {}


def _refusal(reason: str) -> HTTPResponse:
    return response.json({"error": reason}, status=400)
