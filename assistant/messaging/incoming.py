"""A message of a person on a messaging channel, and their consent to be written to."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# What a person wants of messages to them: none any more, or to get them (again).
Consent = Literal["opt_out", "opt_in", "opt_in_if_opted_out"]

# Visible ASCII, as platforms use: "SM1f0e2…" and "D024BE91L.1355517523.000005", but neither "" nor "a b".
_ID = re.compile(r"[!-~]{1,128}")
_SEQUENCES = 2**63


@dataclass(frozen=True)
class Incoming:
    """A message of a person, as its connector read it.

    Attributes:
        id: the platform's id of it, at most 128 characters, unique on its channel. The same id again is a duplicate.
        conversation: see `service.sealing.conversation_id`; what stands before its colon is the channel.
        text: what was typed, or what a button sends back; None for a picture, a voice message and the like.
        intent: what a platform's own button or command means, in place of words: to begin, or to ask for help.
        sent_at: the platform's own time of it, in seconds since 1970; 0 when it tells none.
        sequence: the platform's own order among messages of one time.
        contact: the telephone number it was written from (E.164), which the booking form may offer.
        details: what the connector needs to answer it, such as a chat's id. Encrypted where it is kept, as the text is.
        consent: the person wants nothing sent any more ("opt_out"), or to be written to again ("opt_in"). Such a
            message is not answered; one of "opt_in_if_opted_out" is, unless the person had opted out.
        reply: what is said to it instead of the assistant's answer, outside the conversation; plain text.

    Raises:
        ValueError: a database could not keep its id, its time or its place in the order.
    """

    id: str
    conversation: str
    text: str | None
    sent_at: float = 0.0
    sequence: int = 0
    contact: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    consent: Consent | None = None
    reply: str | None = None
    intent: str | None = None

    def __post_init__(self) -> None:
        is_ordered = math.isfinite(self.sent_at) and abs(self.sequence) < _SEQUENCES
        if not _ID.fullmatch(self.id) or not is_ordered:
            raise ValueError("a message has an id, a time or a place in the order that cannot be kept")

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Incoming":
        """Return a message that was kept, maybe by another version, whose fields may differ."""
        return cls(**{name: value for name, value in kept.items() if name in cls.__dataclass_fields__})

    @property
    def channel(self) -> str:
        return self.conversation.partition(":")[0]
