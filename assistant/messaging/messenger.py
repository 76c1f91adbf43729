"""The Messenger channel: a Facebook page's messages at /webhooks/messenger/webhook.

See https://developers.facebook.com/documentation/business-messaging/messenger-platform.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from sanic import Blueprint, Request, response
from sanic.response import HTTPResponse

from assistant.messaging.api import Api, Refused, TryAgain
from assistant.messaging.base import Forged, MessagingChannel
from assistant.messaging.incoming import Incoming
from assistant.messaging.rendering import Capabilities, Outgoing
from clinic.intents import GREET
from service.sealing import conversation_id

_GET_STARTED = "get started"
_LONGEST_ID = 128
# Codes of the Graph API for "too often" and "not just now", which come with status 400.
_PASSING = frozenset({1, 2, 4, 17, 32, 613, 1200})


class MessengerChannel(MessagingChannel):
    """Answers messages to the page, and writes to nobody who has not written just before."""

    REQUIRED = ("MESSENGER_PAGE_TOKEN", "MESSENGER_APP_SECRET", "MESSENGER_VERIFY_TOKEN")
    OPTIONAL = ("MESSENGER_API_URL",)

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__(settings)
        if settings:
            self._api = Api(settings["MESSENGER_API_URL"])
            self._capabilities = Capabilities(longest=2000, most_buttons=13, longest_label=20)
            token = settings["MESSENGER_PAGE_TOKEN"]
            self._access = {"access_token": token, "appsecret_proof": self._sign(token.encode())}

    @classmethod
    def name(cls) -> str:
        return "messenger"

    def check(self, request: Request, body: bytes) -> None:
        given = request.headers.get("x-hub-signature-256", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, f"sha256={self._sign(body)}".encode()):
            raise Forged("its signature is not that of the app secret")

    def read(self, request: Request, body: bytes) -> list[Incoming]:
        notice = json.loads(body)
        if notice.get("object") != "page":
            return []
        events = [event for entry in notice.get("entry", []) for event in entry.get("messaging", [])]
        return [message for place, event in enumerate(events) for message in self._read(event, place)]

    def capabilities(self, channel: str) -> Capabilities:
        return self._capabilities

    async def send(self, message: Incoming, part: Outgoing) -> None:
        content: dict[str, Any] = {"text": part.text}
        if part.buttons:
            content["quick_replies"] = [
                {"content_type": "text", "title": label, "payload": data} for label, data in part.buttons
            ]
        # A response may be sent for 24 hours after a message; the inbox gives up long before.
        body = {
            "recipient": {"id": message.details["person"]},
            "messaging_type": "RESPONSE",
            "message": content,
        }
        try:
            await self._api.post("/me/messages", params=self._access, json=body)
        except Refused as refusal:
            error = refusal.answer.get("error", {}) if isinstance(refusal.answer, dict) else {}
            what = f"{refusal.what}, code {error.get('code')}"
            raise (TryAgain if error.get("code") in _PASSING else Refused)(what) from None

    async def close(self) -> None:
        await self._api.close()

    def routes(self, webhook: Blueprint) -> None:
        @webhook.get("/webhook")
        async def verify(request: Request) -> HTTPResponse:
            return self._verify(request)

    def _verify(self, request: Request) -> HTTPResponse:
        """Answer the handshake with which the app's settings try a webhook."""
        given = request.args.get("hub.verify_token", "").encode(errors="surrogateescape")
        is_ours = hmac.compare_digest(given, self.settings["MESSENGER_VERIFY_TOKEN"].encode())
        if not is_ours or request.args.get("hub.mode") != "subscribe":
            return response.empty(status=403)
        return response.text(request.args.get("hub.challenge", ""))

    def _read(self, event: dict[str, Any], place: int) -> Iterator[Incoming]:
        person = event.get("sender", {}).get("id")
        said = event.get("message") or event.get("postback")
        if not person or not said or said.get("is_echo") or said.get("is_deleted"):
            return
        id_ = said.get("mid") or f"{person}.{event['timestamp']}"
        yield Incoming(
            id=id_ if len(id_) <= _LONGEST_ID else hashlib.sha256(id_.encode()).hexdigest(),
            conversation=conversation_id(self.name(), person),
            text=_text(said) if "message" in event else _title(said),
            intent=GREET if "postback" in event and _title(said) is None else None,
            sent_at=int(event.get("timestamp", 0)) / 1000,
            sequence=place,
            details={"person": person},
        )

    def _sign(self, content: bytes) -> str:
        return hmac.new(self.settings["MESSENGER_APP_SECRET"].encode(), content, hashlib.sha256).hexdigest()


def _text(message: dict[str, Any]) -> str | None:
    return (message.get("quick_reply") or {}).get("payload") or message.get("text")


def _title(postback: dict[str, Any]) -> str | None:
    """Return the words on a button of the page's own settings, or None for the one with which people begin."""
    title = str(postback.get("title") or "")
    return None if title.casefold() in ("", _GET_STARTED) else title
