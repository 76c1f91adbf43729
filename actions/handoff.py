"""The hand-off of a booking request to the front desk."""

import asyncio
import datetime
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.slots import (
    CHANGED,
    CONFIRMATION,
    CONTACT,
    DETAILS,
    FORM,
    MAIL_DOUBT,
    NAME,
    NOTE,
    PATIENT,
    PATIENT_NAME,
    REASON,
    RELATION,
    SECOND_CONTACT,
    SENT,
    TIME,
    details_of,
    noted_in_words,
    slots_of,
)
from booking.metrics import BOOKINGS
from booking.reading.contacts import Contact, in_clear
from booking.reading.corrections import correct
from booking.reading.details import LONGEST_NOTE
from booking.reading.text import LONGEST_MESSAGE, InvalidAnswer
from booking.references import show_reference
from booking.request import Request, utc_now
from booking.store import Bookings, open_bookings
from booking.when.preference import Preference, recheck
from booking.when.words import in_words
from clinic.profile import Clinic, the_clinic
from clinic.profile import clock as hour_in_words
from service.database import StoreUnavailable
from service.sealing import pseudonym


@lru_cache
def the_bookings() -> Bookings:
    """Return the store of the clinic's booking requests."""
    return open_bookings(the_clinic())


class HandOffBooking(Action):
    """Writes the request for the front desk, and only then says that it is sent."""

    def __init__(
        self,
        clinic: Clinic | None = None,
        bookings: Bookings | None = None,
        clock: Callable[[], datetime.datetime] = utc_now,
    ) -> None:
        self._clinic = clinic or the_clinic()
        self._bookings = bookings or the_bookings()
        self._clock = clock

    def name(self) -> str:
        return "action_hand_off_booking"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        request, faulty = _request(tracker, self._clinic, self._clock())
        intention = tracker.get_slot("booking_intention")
        if request is None or not intention or tracker.get_slot("booking_status") != "ready":
            return [*(SlotSet(name) for name in faulty), SlotSet("booking_status"), FollowupAction(FORM)]
        try:
            reference, is_new = await asyncio.to_thread(self._bookings.add, request, intention)
        except StoreUnavailable:
            BOOKINGS.labels("failed").inc()
            dispatcher.utter_message(response="utter_booking_failed")
            return [SlotSet("booking_status", "failed"), SlotSet(CONFIRMATION)]
        BOOKINGS.labels("new" if is_new else "repeated").inc()
        dispatcher.utter_message(
            response="utter_booking_sent", reference=show_reference(reference), when_answered=self._when_answered()
        )
        cleared = [
            *(*DETAILS, CONFIRMATION, MAIL_DOUBT, CHANGED),
            *("booking_own_number", "booking_intention", "booking_failures", "urgent"),
        ]
        kept = [
            SlotSet("booking_status", "sent"),
            SlotSet("booking_reference", show_reference(reference)),
            SlotSet(SENT, {slot: tracker.get_slot(slot) for slot in DETAILS}),
        ]
        return [*(SlotSet(name) for name in cleared), *kept]

    def _when_answered(self) -> str:
        now = self._clock()
        if self._clinic.is_open(now):
            return "today"
        opening = self._clinic.next_opening(now)
        if opening.date() == now.astimezone(self._clinic.zone).date():
            return f"today, after {hour_in_words(opening.time())}"
        return f"on {in_words(opening.date())}"


class FollowUpBooking(Action):
    """Passes a change of a request that was sent on to the front desk, as a follow-up under the same reference."""

    def __init__(
        self,
        clinic: Clinic | None = None,
        bookings: Bookings | None = None,
        clock: Callable[[], datetime.datetime] = utc_now,
    ) -> None:
        self._clinic = clinic or the_clinic()
        self._bookings = bookings or the_bookings()
        self._clock = clock

    def name(self) -> str:
        return "action_follow_up_booking"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        sent, reference = tracker.get_slot(SENT), tracker.get_slot("booking_reference")
        text = str(tracker.latest_message.get("text") or "")
        change, slots = await asyncio.to_thread(self._change, text, sent or {})
        if not (sent and reference and change):
            dispatcher.utter_message(response="utter_ask_booking_status")
            return []
        request, _ = _request(_Kept(tracker, {**slots, "urgent": False}), self._clinic, self._clock(), change)
        if request is None:
            dispatcher.utter_message(response="utter_ask_booking_status")
            return []
        key = f"{reference}:{pseudonym(f'{tracker.sender_id}:{change}', 'follow-up')}"
        try:
            await asyncio.to_thread(self._bookings.add, request, key, reference)
        except StoreUnavailable:
            dispatcher.utter_message(response="utter_booking_not_passed_on")
            return []
        dispatcher.utter_message(response="utter_booking_followed_up", reference=reference, change=change)
        return [SlotSet(SENT, slots)]

    def _change(self, text: str, sent: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Return what a message changes in a request that was sent, in words, and the slots after it."""
        known = details_of(_Kept(None, sent))
        try:
            correction = correct(text, known, self._clinic, self._clock())
        except InvalidAnswer:
            if _CANCELS.search(text[:LONGEST_MESSAGE]) and not _ASKS_ABOUT_IT.search(text[:LONGEST_MESSAGE]):
                return "please cancel the request", sent
            return None, sent
        new = slots_of(correction.details, known)
        return noted_in_words({slot: new[slot] for slot in DETAILS if new.get(slot)}) or None, {**sent, **new}


# cancel it, please call it off; not "what is your cancellation policy"
_CANCELS = re.compile(
    r"\b(?:cancel|withdraw|call (?:it|that) off|take (?:it|that) back|delete (?:it|my request))\b", re.IGNORECASE
)
# Under this name the assistant keeps the sign of an emergency with a message.
_SIGN = "red_flag"
_ASKS_ABOUT_IT = re.compile(r"\b(?:policy|fee|how|what|when|if|(?:can|could|should|may) i)\b", re.IGNORECASE)


class _Kept:
    """The slots of a request that was sent, where a tracker's are read."""

    def __init__(self, tracker: Tracker | None, slots: dict[str, Any]) -> None:
        self.sender_id = tracker.sender_id if tracker else ""
        self._slots = slots

    def get_slot(self, name: str) -> Any:
        """Return the value of a slot."""
        return self._slots.get(name)


def _request(
    tracker: Tracker | _Kept, clinic: Clinic, now: datetime.datetime, change: str | None = None
) -> tuple[Request | None, list[str]]:
    """Return the request of the slots, or None and the slots that must be asked again."""
    if tracker.get_slot(TIME):
        try:
            recheck(Preference.model_validate(tracker.get_slot(TIME)), clinic, now)
        except (InvalidAnswer, ValidationError):
            return None, [TIME]
    contact = tracker.get_slot(CONTACT)
    try:
        contact = in_clear(Contact.model_validate(contact), clinic) if contact else None
    except (InvalidAnswer, ValidationError):
        return None, [CONTACT]
    values = {
        "name": tracker.get_slot(NAME),
        "contact": contact,
        "time": tracker.get_slot(TIME),
        "patient": tracker.get_slot(PATIENT) or None,
        "reason": tracker.get_slot(REASON) or None,
        "second_contact": tracker.get_slot(SECOND_CONTACT) or None,
        "patient_name": tracker.get_slot(PATIENT_NAME) or None,
        "patient_relation": tracker.get_slot(RELATION) or None,
        "note": tracker.get_slot(NOTE) or None,
    }
    try:
        return (
            Request(
                **values,
                urgent=bool(tracker.get_slot("urgent")),
                sign=_sign(tracker) if tracker.get_slot("urgent") else None,
                change=change[:LONGEST_NOTE] if change else None,
                conversation=tracker.sender_id,
                channel=tracker.sender_id.partition(":")[0],
            ),
            [],
        )
    except ValidationError as error:
        return None, [f"booking_{fault['loc'][0]}" for fault in error.errors()]


def _sign(tracker: Tracker | _Kept) -> str | None:
    """Return the sign of an emergency that was told last."""
    events = reversed(getattr(tracker, "events", []))
    told = (str((event.get("parse_data") or {}).get(_SIGN) or "") for event in events if event.get("event") == "user")
    return next(filter(None, told), None)
