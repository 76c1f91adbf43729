"""Text messages (SMS, MMS) and WhatsApp through Twilio.

Incoming: https://www.twilio.com/docs/messaging/guides/webhook-request. Outgoing:
https://www.twilio.com/docs/messaging/api/message-resource. What carriers do at STOP and the like:
https://help.twilio.com/articles/223134027.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import aiohttp
import phonenumbers
from multidict import MultiDict
from sanic import Request, response
from sanic.response import HTTPResponse
from twilio.request_validator import RequestValidator

from assistant.messaging.api import Api, Refused, Unwanted
from assistant.messaging.base import Forged, MessagingChannel
from assistant.messaging.incoming import Consent, Incoming
from assistant.messaging.rendering import Capabilities, Outgoing
from assistant.messaging.sms import MOST_SEGMENTS, YES, free_of_keywords, in_gsm_7, keyword, segments
from assistant.metrics import SMS_SEGMENTS
from service.sealing import conversation_id

SMS, WHATSAPP = "sms", "whatsapp"
_LONGEST_BODY = 1600
_UNSUBSCRIBED = 21610
_MOST_FIELDS = 200
# Others than telephone numbers, such as short codes, are programs, and cannot be answered.
_PERSON = re.compile(r"(?P<whatsapp>whatsapp:)?(?P<number>\+\d{7,15})")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9]{8,64}")
_CONSENTS: dict[str | None, Consent] = {"STOP": "opt_out", "START": "opt_in", YES: "opt_in_if_opted_out"}

CAPABILITIES = {
    SMS: Capabilities(
        longest=MOST_SEGMENTS,
        measure=lambda text: segments(text) if len(text) <= _LONGEST_BODY else MOST_SEGMENTS + 1,
        format=lambda text: in_gsm_7(free_of_keywords(text)),
        replace_label=free_of_keywords,
    ),
    WHATSAPP: Capabilities(
        longest=_LONGEST_BODY,
        format_source="_{}_".format,
    ),
}


class TwilioChannel(MessagingChannel):
    """Takes text and WhatsApp messages, and answers each from the number that it was written to."""

    REQUIRED = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "PUBLIC_URL")
    OPTIONAL = ("TWILIO_API_URL",)
    CHANNELS = (SMS, WHATSAPP)

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__(settings)
        if settings:
            self._account = settings["TWILIO_ACCOUNT_SID"]
            token = settings["TWILIO_AUTH_TOKEN"]
            self._validator = RequestValidator(token)
            self._api = Api(settings["TWILIO_API_URL"], auth=aiohttp.BasicAuth(self._account, token))

    @classmethod
    def name(cls) -> str:
        return "twilio"

    def check(self, request: Request, body: bytes) -> None:
        signature = request.headers.get("x-twilio-signature", "")
        # The address that Twilio called: behind a proxy, the request itself names another.
        url = f"{self.settings['PUBLIC_URL'].rstrip('/')}{request.path}"
        if request.query_string:
            url += f"?{request.query_string}"
        try:
            is_genuine = bool(signature) and self._validator.validate(url, _form(body), signature)
        except ValueError:
            is_genuine = False
        if not is_genuine:
            raise Forged("its signature is missing or wrong")

    def read(self, request: Request, body: bytes) -> list[Incoming]:
        form = _form(body)
        sender = _PERSON.fullmatch(form.get("From", ""))
        if not _is_message(form) or sender is None or form["From"] == form["To"]:
            return []
        if not _MESSAGE_ID.fullmatch(form.get("MessageSid", "")):
            raise ValueError("a message without an id")
        channel = WHATSAPP if sender["whatsapp"] else SMS
        text = form.get("ButtonText") or form.get("Body") or ""
        # Twilio names the meaning itself where it is set up to, and answers such words in every case.
        meaning = form.get("OptOutType") or (keyword(text) if channel == SMS else None)
        if meaning == "HELP":
            return []
        return [
            Incoming(
                id=form["MessageSid"],
                conversation=conversation_id(channel, sender["number"], is_phone=True),
                text=text if text.strip() else None,
                contact=_dialable(sender["number"]),
                details={"from": form["To"], "to": form["From"]},
                consent=_CONSENTS.get(meaning),
            )
        ]

    def capabilities(self, channel: str) -> Capabilities:
        return CAPABILITIES[channel]

    async def send(self, message: Incoming, part: Outgoing) -> None:
        data = {"To": message.details["to"], "From": message.details["from"], "Body": part.text}
        if message.channel == SMS:
            SMS_SEGMENTS.inc(segments(part.text))
        try:
            await self._api.post(f"/2010-04-01/Accounts/{self._account}/Messages.json", data=data)
        except Refused as fault:
            code = fault.answer.get("code") if isinstance(fault.answer, dict) else None
            kind = Unwanted if code == _UNSUBSCRIBED else Refused
            raise kind(f"Twilio error {code}" if isinstance(code, int) else fault.what) from None

    async def close(self) -> None:
        await self._api.close()

    def reply(self, request: Request, body: bytes) -> HTTPResponse:
        """Answer with empty TwiML: the assistant's answer follows through the API."""
        return response.text("<Response/>", content_type="text/xml")


def _form(body: bytes) -> MultiDict[str]:
    """Read a form.

    Raises:
        ValueError: the body is not a form, or has too many fields.
    """
    pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    return MultiDict(pairs)


def _is_message(form: Mapping[str, str]) -> bool:
    """Tell whether a request brings a message, and not how an answer of ours fares or a reaction to one."""
    status = form.get("SmsStatus") or form.get("MessageStatus") or "received"
    return status in ("received", "receiving") and form.get("MessageType") != "reaction" and "EventType" not in form


def _dialable(number: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(parsed) else None
