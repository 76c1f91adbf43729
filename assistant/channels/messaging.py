"""What all messaging channels share: off until their variables are set, a proven sender, the inbox, the answers."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from assistant.channels.inbox import Incoming
from assistant.channels.messages import Outgoing, Style

logger = logging.getLogger(__name__)


class Forged(Exception):
    """A request does not come from the platform, or came too late: the reason, without content."""


class Malformed(Exception):
    """A request of the platform cannot be read: the reason, without content."""


class MessagingChannel(InputChannel):
    """A connector of one platform, at /webhooks/<name>/webhook.

    It is silently off while none of `REQUIRED` is set, and says which are missing when only some are.

    Attributes:
        REQUIRED: environment variables it cannot do without.
        OPTIONAL: environment variables with their defaults, such as the address of the platform's API.
        CHANNELS: what may stand before the colon of its conversations; its name unless given.
        settings: the values of both kinds of variables, by name.
    """

    REQUIRED: tuple[str, ...]
    OPTIONAL: ClassVar[dict[str, str]] = {}
    CHANNELS: tuple[str, ...] = ()

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> "MessagingChannel":
        """Return the channel with its settings from the environment; `credentials.yml` holds none of them."""
        raise NotImplementedError

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

    def style(self, channel: str) -> Style:
        """Return what `channel`, one of `CHANNELS`, can show."""
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

    def routes(self, webhook: Blueprint) -> None:
        """Add what the platform asks for beside the webhook, such as a verify handshake."""

    def reply(self, request: Request, body: bytes) -> HTTPResponse:
        """Return what a webhook that took its messages answers at once; empty, 200, unless the platform wants more."""
        raise NotImplementedError

    # What it is given:

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        raise NotImplementedError
