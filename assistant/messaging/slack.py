"""The Slack channel: events, buttons and slash commands, all at /webhooks/slack/webhook (https://docs.slack.dev)."""

import html
import json
import re
from typing import Any
from urllib.parse import parse_qsl

from sanic import Request, response
from sanic.response import HTTPResponse
from slack_sdk.signature import SignatureVerifier

from assistant.messaging.api import Api, Refused, TryAgain
from assistant.messaging.base import Forged, MessagingChannel
from assistant.messaging.incoming import Incoming
from assistant.messaging.rendering import Capabilities, Outgoing, format_text
from clinic.intents import ASK_HELP, GREET
from clinic.profile import the_clinic
from service.sealing import conversation_id

_FORM = "application/x-www-form-urlencoded"
# Of what people do in a channel, Slack tells each in a kind of its own; these are the kinds that speak.
_SPOKEN = frozenset({None, "file_share", "thread_broadcast"})
_LINK = re.compile(r"<(?P<to>[^<>|]*)(?:\|(?P<label>[^<>]*))?>")
_EMOJI = re.compile(r":(?P<name>[a-z0-9_+'-]+):(?::skin-tone-\d:)?")
_SIGNS = {"+1": "👍", "thumbsup": "👍", "-1": "👎", "thumbsdown": "👎", "ok_hand": "👌", "white_check_mark": "✅"}
_SIGNS |= {"x": "❌", "wave": "👋", "pray": "🙏", "heart": "❤"}
_PASSING = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})


class SlackChannel(MessagingChannel):
    """Answers in direct messages, in a thread under a message that mentions it, and to a slash command.

    Only the person who typed a slash command sees its answer. One person in one thread is one conversation.
    """

    REQUIRED = ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET")
    OPTIONAL = ("SLACK_API_URL",)

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__(settings)
        if settings:
            self._clinic = the_clinic()
            self._verifier = SignatureVerifier(settings["SLACK_SIGNING_SECRET"])
            self._api = Api(settings["SLACK_API_URL"], {"Authorization": f"Bearer {settings['SLACK_BOT_TOKEN']}"})
            self._responses = Api("")
            self._capabilities = Capabilities(
                longest=3000,
                format=self._format,
                format_source=lambda line: f"_{self._format(line)}_",
                most_buttons=10,
                longest_label=75,
            )

    @classmethod
    def name(cls) -> str:
        return "slack"

    def check(self, request: Request, body: bytes) -> None:
        try:
            is_valid = self._verifier.is_valid_request(body, dict(request.headers))
        except (TypeError, ValueError, OverflowError):
            is_valid = False
        if not is_valid:
            raise Forged("its signature is not that of the signing secret, or is old")

    def read(self, request: Request, body: bytes) -> list[Incoming]:
        if request.headers.get("content-type", "").startswith(_FORM):
            form = dict(parse_qsl(body.decode()))
            read = self._press(json.loads(form["payload"])) if "payload" in form else self._command(form)
        else:
            read = self._event(json.loads(body))
        return [read] if read else []

    def reply(self, request: Request, body: bytes) -> HTTPResponse:
        """Answer the handshake with which the app's settings try the address; all else with an empty 200."""
        try:
            notice = json.loads(body)
            if notice["type"] == "url_verification":
                return response.json({"challenge": str(notice["challenge"])})
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        return super().reply(request, body)

    def capabilities(self, channel: str) -> Capabilities:
        return self._capabilities

    async def send(self, message: Incoming, part: Outgoing) -> None:
        blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": part.text}}]
        if part.buttons:
            blocks.append({"type": "actions", "elements": [_button(*button) for button in enumerate(part.buttons)]})
        content = {"text": part.text, "blocks": blocks}
        details = message.details
        if "response" in details:
            body = {**content, "response_type": "ephemeral", "replace_original": False}
            await self._responses.post(details["response"], json=body)
            return
        place = {"channel": details["channel"], "unfurl_links": False, "unfurl_media": False}
        if "thread" in details:
            place["thread_ts"] = details["thread"]
        answer = await self._api.post("/chat.postMessage", json={**content, **place})
        # Slack refuses with status 200 and a code.
        if not isinstance(answer, dict) or not answer.get("ok"):
            code = answer.get("error") if isinstance(answer, dict) else None
            known = code if isinstance(code, str) and re.fullmatch("[a-z_]{1,60}", code) else "no code"
            raise (TryAgain if code in _PASSING else Refused)(known)

    async def close(self) -> None:
        await self._api.close()
        await self._responses.close()

    def _event(self, notice: dict[str, Any]) -> Incoming | None:
        if notice.get("type") != "event_callback":
            return None
        event = notice["event"]
        if event["type"] not in ("message", "app_mention") or event.get("subtype") not in _SPOKEN:
            return None
        bots = [each["user_id"] for each in notice.get("authorizations") or [] if each.get("is_bot")]
        stamp, channel, user, text = event["ts"], event["channel"], event.get("user"), event.get("text") or ""
        if not user or user in bots or "bot_id" in event:
            return None
        is_direct = event.get("channel_type") == "im" or channel.startswith("D")
        if not (is_direct or event["type"] == "app_mention" or any(f"<@{bot}" in text for bot in bots)):
            return None
        team = notice.get("team_id", "")
        details, person = {"channel": channel}, f"{team}.{user}"
        thread = event.get("thread_ts")
        if not is_direct:
            thread = thread or stamp
            person = f"{team}.{channel}.{thread}.{user}"
        if thread:
            details["thread"] = thread
        words = plain(text)
        is_bare = not (words or event.get("files") or event.get("attachments") or _EMOJI.search(text))
        # The same message comes as a mention and as one of the channel's: what names it is its place and time.
        intent = GREET if is_bare else None
        return self._incoming(f"{channel}.{stamp}", person, words or None, float(stamp), details, intent)

    def _press(self, payload: dict[str, Any]) -> Incoming | None:
        if payload.get("type") != "block_actions" or not payload.get("actions"):
            return None
        action = payload["actions"][0]
        if action.get("type") != "button" or not action.get("value"):
            return None
        user, channel = payload["user"]["id"], payload["channel"]["id"]
        # An app of a whole organisation belongs to no team.
        team = (payload.get("team") or {}).get("id") or payload["user"].get("team_id", "")
        container, pressed_at = payload.get("container", {}), action["action_ts"]
        id_ = f"{user}.{pressed_at}"
        if container.get("is_ephemeral"):
            details = {"response": payload["response_url"]}
            return self._incoming(id_, f"{team}.{channel}.{user}", action["value"], float(pressed_at), details)
        thread = container.get("thread_ts") or (payload.get("message") or {}).get("thread_ts")
        details = {"channel": channel} | ({"thread": thread} if thread else {})
        person = f"{team}.{user}" if channel.startswith("D") else f"{team}.{channel}.{thread}.{user}"
        return self._incoming(id_, person, action["value"], float(pressed_at), details)

    def _command(self, form: dict[str, str]) -> Incoming | None:
        if "command" not in form:
            return None
        words = plain(form.get("text", "")) or None
        intent = None if words else ASK_HELP
        person = f"{form['team_id']}.{form['channel_id']}.{form['user_id']}"
        details = {"response": form["response_url"]}
        return self._incoming(form["trigger_id"], person, words, 0.0, details, intent)

    def _incoming(
        self,
        id_: str,
        person: str,
        text: str | None,
        sent_at: float,
        details: dict[str, str],
        intent: str | None = None,
    ) -> Incoming:
        return Incoming(id_, conversation_id(self.name(), person), text, sent_at, details=details, intent=intent)

    def _format(self, text: str) -> str:
        return format_text(text, self._clinic, _escaped, phone=lambda shown, to: f"<{to}|{shown}>", link="<{}>".format)


def plain(text: str) -> str:
    """Return the words of a text in Slack's markup: no mentions, links as they were typed, signs for emoji's names.

    A text of nothing but mentions, or of emoji that say nothing, is "".
    """
    text = html.unescape(_LINK.sub(_typed, text)).strip()
    if _EMOJI.sub("", text).strip():
        return text
    return next((_SIGNS[found["name"]] for found in _EMOJI.finditer(text) if found["name"] in _SIGNS), "")


def _typed(link: re.Match[str]) -> str:
    if link["to"][:1] in ("@", "!"):
        return " "
    return link["label"] or link["to"]


def _button(place: int, button: tuple[str, str]) -> dict[str, Any]:
    label, value = button
    words = {"type": "plain_text", "text": label, "emoji": False}
    return {"type": "button", "text": words, "value": value, "action_id": f"choice.{place}"}


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)
