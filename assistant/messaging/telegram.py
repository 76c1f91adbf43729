"""The Telegram channel: a bot's updates at /webhooks/telegram/webhook (https://core.telegram.org/bots/api)."""

import hmac
import html
import json
import re
import time
from typing import Any

from sanic import Request

from assistant.messaging.base import Forged, MessagingChannel
from assistant.messaging.incoming import Incoming
from assistant.messaging.rendering import Capabilities, Outgoing, format_text
from assistant.messaging.telegram_api import ADDRESS, SECRET, TOKEN, TelegramApi
from clinic.intents import ASK_HELP, GREET
from clinic.profile import the_clinic
from service.sealing import conversation_id

_COMMAND = re.compile(r"/(start|help)(?:@\w+)?(?:\s.*)?", re.DOTALL)
_MEANINGS = {"start": GREET, "help": ASK_HELP}
# What people send that is no text; a message with none of these and no text is a notice of Telegram's own.
_WORDLESS = frozenset(
    {
        "animation",
        "audio",
        "checklist",
        "contact",
        "dice",
        "document",
        "game",
        "giveaway",
        "location",
        "paid_media",
        "photo",
        "poll",
        "sticker",
        "story",
        "venue",
        "video",
        "video_note",
        "voice",
    }
)


class TelegramChannel(MessagingChannel):
    """Answers people in their private chat with the bot; in a group it asks whoever addresses it to write there.

    An album is one message. An edited message is not answered again.
    """

    REQUIRED = (TOKEN, SECRET)
    OPTIONAL = (ADDRESS,)

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__(settings)
        if settings:
            self._clinic = the_clinic()
            self._api = TelegramApi(settings)
            self._bot = settings[TOKEN].partition(":")[0]
            self._username = ""
            self._capabilities = Capabilities(
                longest=4096,
                measure=_units,
                format=self._format,
                format_source=lambda line: f"<i>{self._format(line)}</i>",
                most_buttons=10,
                longest_label=60,
            )

    @classmethod
    def name(cls) -> str:
        return "telegram"

    def check(self, request: Request, body: bytes) -> None:
        given = request.headers.get("x-telegram-bot-api-secret-token", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, self.settings[SECRET].encode()):
            raise Forged("its secret token is not ours")

    def read(self, request: Request, body: bytes) -> list[Incoming]:
        update = json.loads(body)
        read = self._press(update) if "callback_query" in update else self._message(update)
        return [read] if read else []

    def capabilities(self, channel: str) -> Capabilities:
        return self._capabilities

    async def begin(self, message: Incoming) -> None:
        """Let the button that was pressed come to rest."""
        if "query" in message.details:
            await self._api.call("answerCallbackQuery", callback_query_id=message.details["query"])

    async def send(self, message: Incoming, part: Outgoing) -> None:
        details = message.details
        content: dict[str, Any] = {
            "chat_id": int(details["chat"]),
            "text": part.text,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if "names" in details and await self._name() not in details["names"].casefold().split():
            return
        if "answers" in details:
            answered = {"message_id": int(details["answers"]), "allow_sending_without_reply": True}
            content["reply_parameters"] = answered
        if part.buttons:
            rows = [[{"text": label, "callback_data": data}] for label, data in part.buttons]
            content["reply_markup"] = {"inline_keyboard": rows}
        await self._api.call("sendMessage", **content)

    async def close(self) -> None:
        await self._api.close()

    def _message(self, update: dict[str, Any]) -> Incoming | None:
        message = update.get("message") or {}
        chat, sender = message.get("chat", {}), message.get("from", {"is_bot": True})
        if sender.get("is_bot") or "sender_chat" in message:
            return None
        text = message.get("text") or message.get("caption")
        if text is None and not _WORDLESS & message.keys():
            return None
        album = message.get("media_group_id")
        told = {"id": f"album.{album}" if album else str(update["update_id"]), "sent_at": float(message.get("date", 0))}
        if chat["type"] == "private":
            command = _COMMAND.fullmatch(text or "")
            intent = _MEANINGS[command[1]] if command else None
            details = {"chat": str(chat["id"])}
            return self._incoming(update, told, chat["id"], None if intent else text, details, intent=intent)
        if chat["type"] in ("group", "supergroup"):
            return self._group(update, told, message, text)
        return None

    def _group(
        self, update: dict[str, Any], told: dict[str, Any], message: dict[str, Any], text: str | None
    ) -> Incoming | None:
        """Return a message that addresses the bot in a group, with the one sentence that is said to it there."""
        chat, sender = message["chat"]["id"], message["from"]["id"]
        details = {"chat": str(chat), "answers": str(message["message_id"])}
        if not self._is_addressed(message):
            names = _names(message, text)
            if not names:
                return None
            details["names"] = names
        reply = (
            "In a group everybody reads along, so I only talk in private: tap my name and write to me there. "
            f"In an emergency, call {self._clinic.emergency_number}."
        )
        return self._incoming(update, told, f"{chat}.{sender}", None, details, reply)

    def _is_addressed(self, message: dict[str, Any]) -> bool:
        """Tell whether a message answers the bot or points at it without its user name."""
        people = [entity.get("user") for entity in _entities(message) if entity["type"] == "text_mention"]
        people.append((message.get("reply_to_message") or {}).get("from"))
        return any(person and str(person["id"]) == self._bot for person in people)

    def _press(self, update: dict[str, Any]) -> Incoming | None:
        query = update["callback_query"]
        chat = (query.get("message") or {}).get("chat", {})
        if query["from"].get("is_bot") or chat.get("type") != "private" or not query.get("data"):
            return None
        details = {"chat": str(chat["id"]), "query": str(query["id"])}
        # Telegram tells no time of a press, and of a message whole seconds: within one, the order of updates counts.
        told = {"id": str(update["update_id"]), "sent_at": float(int(time.time()))}
        return self._incoming(update, told, chat["id"], query["data"], details)

    def _incoming(
        self,
        update: dict[str, Any],
        told: dict[str, Any],
        person: Any,
        text: str | None,
        details: dict[str, str],
        reply: str | None = None,
        intent: str | None = None,
    ) -> Incoming:
        return Incoming(
            **told,
            sequence=int(update["update_id"]),
            conversation=conversation_id(self.name(), str(person)),
            text=text,
            details=details,
            reply=reply,
            intent=intent,
        )

    async def _name(self) -> str:
        """Return the bot's user name as people write it, asked for when first needed."""
        if not self._username:
            self._username = f"@{(await self._api.call('getMe'))['username']}".casefold()
        return self._username

    def _format(self, text: str) -> str:
        return format_text(text, self._clinic, _escaped)


def _entities(message: dict[str, Any]) -> list[dict[str, Any]]:
    return message.get("entities") or message.get("caption_entities") or []


def _names(message: dict[str, Any], text: str | None) -> str:
    """Return the user names that a message mentions or gives a command to, each with its "@", as one text."""
    # Telegram counts in units of UTF-16.
    units = (text or "").encode("utf-16-le")
    found = []
    for entity in _entities(message):
        if entity["type"] in ("mention", "bot_command"):
            start = 2 * entity["offset"]
            part = units[start : start + 2 * entity["length"]].decode("utf-16-le")
            found += re.findall(r"@\w+", part)
    return " ".join(found)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)
