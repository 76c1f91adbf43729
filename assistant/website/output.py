"""The output of the website channel: the reply to one message, as the widget shows it."""

from typing import Any

from rasa.core.channels.channel import OutputChannel

from assistant.message import source_of
from assistant.website.sessions import Reply

_BOOKED = "utter_booking_sent"
# What a visitor may call helpful or not.
RATED_KINDS = frozenset({"answer", "desk", "refusal", "told"})


class WebsiteOutput(OutputChannel):
    """Collects the reply to one message, in the shape that the widget shows.

    Attributes:
        said: for each message its `id`, `text`, `source` (or None), `buttons`, `card` (rows of label and value),
            `response`, the name of an answer that can be rated (or None), and `event`, what has come to pass with it
            ("booked", or None).
    """

    def __init__(self, channel: str, message: str) -> None:
        self._channel = channel
        self._message = message
        self.said: Reply = []

    def name(self) -> str:
        return self._channel

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        action = message.get("utter_action")
        is_rated = (message.get("metadata") or {}).get("kind") in RATED_KINDS
        buttons = message.get("buttons") or message.get("quick_replies") or []
        self.said.append(
            {
                "id": f"{self._message}.{len(self.said)}",
                "text": str(message.get("text") or ""),
                "source": source_of(message),
                "buttons": [{"title": button["title"], "payload": button["payload"]} for button in buttons],
                "card": message.get("card") or [],
                "response": action if is_rated else None,
                "event": "booked" if action == _BOOKED else None,
            }
        )
