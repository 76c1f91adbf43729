"""The inbox: every message of a messaging channel, kept until it is answered, and answered once and in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sanic import Sanic

Wish = Literal["silence", "speech"]


@dataclass(frozen=True)
class Incoming:
    """A message of a person, as its connector read it.

    Attributes:
        id: the platform's id of it, at most 128 characters, unique on its channel. The same id again is a duplicate.
        conversation: see `assistant.identity.conversation`; what stands before its colon is the channel.
        text: what was typed, or what a button sends back; None for a picture, a voice message and the like.
        sent_at: the platform's own time of it, in seconds since 1970; 0 when it tells none.
        sequence: the platform's own order among messages of one time.
        contact: the telephone number it was written from (E.164), which the booking form may offer.
        details: what the connector needs to answer it, such as a chat's id. Encrypted where it is kept, as the text is.
        wish: the person wants nothing sent any more ("silence"), or to be written to again ("speech"). Such a message
            is not answered.
        reply: what is said to it instead of the assistant's answer, outside the conversation; plain text.
    """

    id: str
    conversation: str
    text: str | None
    sent_at: float = 0.0
    sequence: int = 0
    contact: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    wish: Wish | None = None
    reply: str | None = None


class Inbox:
    """What is waiting on this server's messaging channels, in the database that all servers share."""

    @classmethod
    def of(cls, app: Sanic) -> "Inbox":
        """Return the one inbox of a server, made when it is first asked for."""
        raise NotImplementedError

    async def take(self, messages: Sequence[Incoming]) -> None:
        """Keep messages to be answered in the background; those taken before are left out.

        Raises:
            StoreUnavailable: the database cannot be written now; none of them is kept.
        """
        raise NotImplementedError
