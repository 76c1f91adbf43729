"""What all messaging channels share: off until their variables are set, a proven sender, the inbox, the answers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeVar

from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from sanic import Blueprint, Request, Sanic, response
from sanic.response import HTTPResponse

from assistant.gate import Gate
from assistant.messaging.incoming import Incoming
from assistant.messaging.rendering import Capabilities, Outgoing, outgoing
from assistant.messaging.worker import Worker
from service.database import StoreUnavailable
from service.limits import TooLarge, body_of
from service.settings import settings

logger = logging.getLogger(__name__)

LARGEST_BODY = 262_144

Channel = TypeVar("Channel", bound="MessagingChannel")


class Forged(Exception):
    """A request does not come from the platform, or came too late: the reason, without content."""


class MessagingChannel(InputChannel):
    """A connector of one platform, at /webhooks/<name>/webhook.

    It is silently off while none of `REQUIRED` is set, and says which are missing when only some are.

    Attributes:
        REQUIRED: environment variables it cannot do without. PUBLIC_URL, which channels share, does not count as one
            that was set for this channel.
        OPTIONAL: environment variables that have defaults, such as the address of the platform's API.
        CHANNELS: what may stand before the colon of its conversations; its name unless given.
        settings: the values of both kinds of variables, by name; empty while the channel is off.
    """

    REQUIRED: ClassVar[tuple[str, ...]]
    OPTIONAL: ClassVar[tuple[str, ...]] = ()
    CHANNELS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings

    @classmethod
    def from_credentials(cls: type[Channel], credentials: dict[str, Any] | None) -> Channel:
        """Return the channel with its settings from the environment; `credentials.yml` holds none of them."""
        found = {name: getattr(settings(), name.lower()) for name in (*cls.REQUIRED, *cls.OPTIONAL)}
        missing = [name for name in cls.REQUIRED if not found[name]]
        if not missing:
            return cls(found)
        if any(found[name] for name in cls.REQUIRED if name != "PUBLIC_URL"):
            logger.error("The %s channel does not start: %s is not set.", cls.name(), " and ".join(missing))
        return cls({})

    # What a connector adds:

    def check(self, request: Request, body: bytes) -> None:
        """Prove that a request comes from the platform; nothing of the body may be used before.

        Raises:
            Forged: it is unsigned, wrongly signed or stale.
        """
        raise NotImplementedError

    def read(self, request: Request, body: bytes) -> list[Incoming]:
        """Return the messages of a proven request: none for receipts, reactions and all else that wants no answer.

        Any exception is taken for a malformed request: it is logged by its kind, and the platform is told "ok", so
        that it does not send it again.
        """
        raise NotImplementedError

    def capabilities(self, channel: str) -> Capabilities:
        """Return the capabilities of `channel`, one of `CHANNELS`."""
        raise NotImplementedError

    async def send(self, message: Incoming, part: Outgoing) -> None:
        """Send one message of the answer to `message`.

        Raises:
            TryAgain: the inbox tries this part again later.
            Refused: the rest of the answer is given up; after `Unwanted`, nothing is sent until the person asks for it.
        """
        raise NotImplementedError

    async def begin(self, message: Incoming) -> None:
        """Show that an answer is on its way, such as "typing"; called once before it, and its faults are ignored."""

    async def close(self) -> None:
        """Close connections to the platform."""

    def routes(self, webhook: Blueprint) -> None:
        """Add the routes that the platform asks for beside the webhook, such as a verify handshake."""

    def reply(self, request: Request, body: bytes) -> HTTPResponse:
        """Return the immediate answer to a proven webhook: empty, 200, unless the platform wants more."""
        return response.empty(status=200)

    # What it is given:

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        webhook = Blueprint(f"{self.name()}_channel")
        if not self.settings:
            return webhook

        @webhook.listener("after_server_start")
        async def start(app: Sanic, _loop: asyncio.AbstractEventLoop) -> None:
            await Worker.of(app).start(self.CHANNELS or (self.name(),), self)

        @webhook.listener("before_server_stop")
        async def stop(app: Sanic, _loop: asyncio.AbstractEventLoop) -> None:
            await Worker.of(app).stop()

        # Sanic marks the handler of a stream, and a method cannot be marked.
        @webhook.post("/webhook", stream=True)
        async def receive(request: Request) -> HTTPResponse:
            return await self._receive(request)

        self.routes(webhook)
        return webhook

    async def _receive(self, request: Request) -> HTTPResponse:
        try:
            body = await body_of(request, LARGEST_BODY)
            self.check(request, body)
        except TooLarge:
            return response.empty(status=413)
        except Forged as reason:
            logger.warning("A request to the %s webhook was refused: %s.", self.name(), reason)
            return response.empty(status=403)
        try:
            messages = self.read(request, body)
        except Exception as error:
            logger.error("A request to the %s webhook could not be read: %s.", self.name(), type(error).__name__)
            messages = []
        try:
            await Worker.of(request.app).take(messages)
        except StoreUnavailable as error:
            logger.error("Messages on %s could not be kept, the platform sends them again: %s.", self.name(), error)
            await self._care_for(request.app, messages)
            return response.empty(status=503, headers={"Retry-After": "5"})
        return self.reply(request, body)

    async def _care_for(self, app: Sanic, messages: list[Incoming]) -> None:
        """Say at once what care says to messages that could not be kept; they are answered again when they can."""
        for message in messages:
            output = CollectingOutputChannel()
            turn = UserMessage(message.text, output, message.conversation, input_channel=self.name())
            try:
                reply = await Gate.of(app).emergency(turn)
                for part in outgoing(reply.words, self.capabilities(message.channel)) if reply else ():
                    await self.send(message, part)
            except Exception as error:
                logger.error("An emergency on %s could not be answered: %s.", self.name(), type(error).__name__)
