"""A booking request, and how far the messages about it have come."""

import datetime
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, Field

from booking.reading.contacts import Contact
from booking.reading.details import LONGEST_NOTE, LONGEST_REASON
from booking.reading.names import LONGEST_NAME
from booking.reading.patient import Patient
from booking.references import show_reference
from booking.when.preference import Preference

Kind = Literal["email", "webhook"]
Clock = Callable[[], datetime.datetime]


def utc_now() -> datetime.datetime:
    """Return the present moment."""
    return datetime.datetime.now(datetime.UTC)


class Request(BaseModel, frozen=True):
    """A wish for a visit, as it was read back and sent.

    Attributes:
        name: the person who writes, and whom the front desk gets back to.
        second_contact: the other way to reach them, where both a number and an address were given.
        patient: whether the patient has been to the clinic before.
        patient_name: the patient, where that is somebody else.
        patient_relation: what the patient is to the person who writes: daughter, father.
        reason: what it is about, in a few words.
        note: what the front desk should know besides.
        urgent: a warning sign was told along with it.
        sign: which one.
        change: what changed, when this follows a request that was sent before.
        conversation: names the conversation, so that it can be erased; never shown to the front desk.
    """

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    contact: Contact
    second_contact: Contact | None = None
    time: Preference
    patient: Patient | None = None
    patient_name: str | None = Field(None, max_length=LONGEST_NAME)
    patient_relation: str | None = Field(None, max_length=20)
    reason: str | None = Field(None, max_length=LONGEST_REASON)
    note: str | None = Field(None, max_length=LONGEST_NOTE)
    urgent: bool = False
    sign: str | None = Field(None, max_length=80)
    change: str | None = Field(None, max_length=LONGEST_NOTE)
    conversation: str = Field(min_length=1, max_length=255)
    channel: str = Field(max_length=40)


class Delivery(BaseModel, frozen=True):
    """How far one message of a request has come.

    Attributes:
        key: the mail's Message-ID or the webhook's Idempotency-Key, the same at every attempt.
        last_error: the kind of the last fault, such as `HTTP 500`.
    """

    id: int
    kind: Kind
    key: str
    attempts: int
    next_attempt: datetime.datetime
    delivered_at: datetime.datetime | None
    failed_at: datetime.datetime | None
    last_error: str | None


class Booking(BaseModel, frozen=True):
    """A request as it stands in the store."""

    id: int
    reference: str
    created_at: datetime.datetime
    status: Literal["new", "done"]
    request: Request
    deliveries: tuple[Delivery, ...] = ()

    @property
    def shown(self) -> str:
        """The reference as people read it: ABC-DEF."""
        return show_reference(self.reference)


class Backlog(BaseModel, frozen=True):
    """How many messages of one kind wait to be delivered or are given up, and since when the oldest waits."""

    waiting: int
    given_up: int
    oldest: datetime.datetime | None


class ClaimedDelivery(BaseModel, frozen=True):
    """A message that one worker alone may send until its lease ends."""

    booking: Booking
    delivery: Delivery
    lease: str
