"""A clinic, a moment and requests that the tests share."""

import datetime

from booking.reading.contacts import parse_contact
from booking.request import Request
from booking.when.preference import Preference, parse_time
from clinic.profile import Clinic

CLINIC = Clinic(
    name="In Motion O.C.",
    phone="+1 949-555-0142",
    email="frontdesk@clinic.example",
    booking_page="https://clinic.example/book",
    emergency_number="911",
    crisis_line="988",
    region="US",
    time_zone="America/Los_Angeles",
    opening_hours={
        "monday": "07:00-19:00",
        "tuesday": "07:00-19:00",
        "wednesday": "07:00-19:00",
        "thursday": "07:00-19:00",
        "friday": "07:00-17:00",
    },
    holidays=["2026-11-26", "2026-12-25", "2027-01-01"],
    delivery=["email", "webhook"],
    retention_days=90,
    session_minutes=60,
)
# A Tuesday; the Thursday after it is a holiday.
NOW = datetime.datetime(2026, 11, 24, 10, 0, tzinfo=CLINIC.zone)


def a_request(
    name: str = "Ana Ruiz",
    contact: str = "949-555-0133",
    time: str = "tuesday morning",
    conversation: str = "rest:1",
    urgent: bool = False,
    reason: str | None = "runner's knee",
) -> Request:
    return Request(
        name=name,
        contact=parse_contact(contact, CLINIC),
        time=parse_time(time, CLINIC, NOW) if time else Preference(words=""),
        patient="new",
        reason=reason,
        urgent=urgent,
        conversation=conversation,
        channel="web",
    )


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime.datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime.datetime:
        return self.now

    def move(self, **amount: float) -> None:
        self.now += datetime.timedelta(**amount)
