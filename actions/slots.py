"""The slots of the booking form: their names, and the details they hold."""

from typing import Any, Protocol

from rasa_sdk import Tracker

from booking.reading.contacts import Contact
from booking.reading.details import FIELDS, Details
from booking.when.preference import Preference

FORM = "booking_form"
SLOTS = ("booking_name", "booking_contact", "booking_time", "booking_patient", "booking_reason", "booking_confirmation")
NAME, CONTACT, TIME, PATIENT, REASON, CONFIRMATION = SLOTS
OPTIONAL = frozenset({PATIENT, REASON})
# What a request holds besides, without being asked for.
SECOND_CONTACT, PATIENT_NAME, RELATION, NOTE = (
    "booking_second_contact",
    "booking_patient_name",
    "booking_patient_relation",
    "booking_note",
)
DETAILS = tuple(f"booking_{field}" for field in FIELDS)
# An address that looks mistyped: as it was typed, and as it was likely meant.
MAIL_DOUBT = "booking_mail_doubt"
# The details that the latest message changed, which the read-back marks.
CHANGED = "booking_changed"
# The request that was sent last, from which a second one starts.
SENT = "booking_sent"
NOT_SAID = ""
DECLINED = "declined"


class HasSlots(Protocol):
    """What slots are read from: a tracker, or a request that was sent."""

    def get_slot(self, name: str) -> Any:
        """Return the value of a slot."""


def details_of(tracker: HasSlots) -> Details:
    """Return what the form knows."""
    kinds: dict[str, Any] = {CONTACT: Contact, SECOND_CONTACT: Contact, TIME: Preference}
    values: dict[str, Any] = {}
    for field, slot in zip(FIELDS, DETAILS, strict=True):
        value = tracker.get_slot(slot) or None
        values[field] = kinds[slot].model_validate(value) if value and slot in kinds else value
    return Details(**values)


def slots_of(details: Details, known: Details) -> dict[str, Any]:
    """Return the slots of what `details` adds to what is known or changes in it."""
    slots: dict[str, Any] = {}
    for field, slot in zip(FIELDS, DETAILS, strict=True):
        value = getattr(details, field)
        if value is not None and value != getattr(known, field):
            slots[slot] = plain(value) if isinstance(value, (Contact, Preference)) else value
    return slots


def plain(value: Contact | Preference) -> dict[str, Any]:
    """Return a detail as Rasa can keep it in a slot."""
    kept: dict[str, Any] = value.model_dump(mode="json")
    return kept


def noted_in_words(slots: dict[str, Any]) -> str:
    """Return the values of the form's slots in words: Ana Ruiz; (949) 555-0133; friday at 10 (Friday, November 27)."""
    words = {
        CONTACT: lambda contact: contact["shown"],
        SECOND_CONTACT: lambda contact: contact["shown"],
        TIME: time_in_words,
        PATIENT: lambda patient: f"{patient} patient",
        RELATION: lambda relation: f"for your {relation}",
        PATIENT_NAME: lambda name: f"the patient is {name}",
        NOTE: lambda note: f"a note for the front desk: {note}",
    }
    return "; ".join(str(words.get(name, str)(value)) for name, value in slots.items())


def time_in_words(time: dict[str, Any] | None) -> str | None:
    """Return a time of the form's slot in words, with the days they stand for."""
    return Preference.model_validate(time).shown if time else None


def patient_in_words(name: str | None, relation: str | None) -> str | None:
    """Return the patient whom somebody else writes for: Emily (daughter), your father."""
    if name:
        return f"{name} ({relation})" if relation else name
    return f"your {relation}" if relation else None


def last_said(tracker: Tracker) -> str | None:
    """Return the name of the response that was said last."""
    spoken = [event for event in tracker.events if event.get("event") == "bot"]
    return (spoken[-1].get("metadata") or {}).get("utter_action") if spoken else None


def said_now(tracker: Tracker) -> str | None:
    """Return the response said last, where it was said since the latest message."""
    latest = next((event["event"] for event in reversed(tracker.events) if event["event"] in ("bot", "user")), None)
    return last_said(tracker) if latest == "bot" else None


def times_said(tracker: Tracker, response: str) -> int:
    """Return how often a response was said since the form was opened."""
    count = 0
    for event in reversed(tracker.events):
        if event.get("event") != "bot":
            continue
        said = (event.get("metadata") or {}).get("utter_action")
        if said == "utter_booking_intro":
            break
        count += said == response
    return count
