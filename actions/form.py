"""The booking form: what each message of it means, and what is said to it."""

import asyncio
import datetime
import itertools
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from rasa_sdk import FormValidationAction, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.ask import offered_number, offered_reason, wording
from actions.slots import (
    CHANGED,
    CONFIRMATION,
    CONTACT,
    DECLINED,
    DETAILS,
    FORM,
    MAIL_DOUBT,
    NAME,
    NOT_SAID,
    NOTE,
    OPTIONAL,
    PATIENT,
    PATIENT_NAME,
    REASON,
    RELATION,
    SECOND_CONTACT,
    SENT,
    SLOTS,
    TIME,
    details_of,
    last_said,
    noted_in_words,
    plain,
    slots_of,
)
from booking.reading import replies
from booking.reading.contacts import Contact, likelier_address, parse_contact
from booking.reading.corrections import Correction, correct
from booking.reading.details import LONGEST_NOTE, Details, extract, parse_reason, said_name
from booking.reading.names import is_written_as_name, parse_name
from booking.reading.notes import joined, note_in
from booking.reading.patient import parse_patient, someone_else
from booking.reading.text import LONGEST_MESSAGE, InvalidAnswer
from booking.request import utc_now
from booking.when import tokens
from booking.when.preference import parse_time
from clinic.articles import the_library
from clinic.intents import (
    AFFIRM,
    BOOK_APPOINTMENT,
    CHANGE_ANSWER,
    DELETE_MY_DATA,
    DENY,
    FEEDBACK_POSITIVE,
    GOODBYE,
    GREET,
    INFORM,
    REPORT_RED_FLAG,
    STOP,
    THANK,
    UNSURE,
)
from clinic.profile import WEEKDAYS, Clinic, the_clinic

# What these say belongs to the form itself; every other question with an answer of its own is answered in between.
_FORM_KINDS = frozenset({"form", "other_language", "outside"})
_SURELY = 0.6
_FAILURES_BEFORE_HELP = 2
_FAILURES_BEFORE_CALLING = 3
_FAILURES_BEFORE_LEAVING = 6
# What these say is answered by the question that the form asks again.
_ASKED_AGAIN = frozenset({BOOK_APPOINTMENT, GREET})
_OFFERS_A_DAY = frozenset(f"utter_booking_time_{reason}" for reason in ("past", "closed", "holiday"))
_ASKS_TO_SEND = frozenset(
    {
        *("utter_booking_read_back", "utter_booking_read_back_again"),
        *("utter_booking_undecided", "utter_booking_undecided_again"),
    }
)
_AGREEING = frozenset({AFFIRM, BOOK_APPOINTMENT, FEEDBACK_POSITIVE, THANK})
# How a message shows that it takes back something said before.
_CORRECTS = re.compile(
    r"\b(?:actually|wait|sorry|oo+ps|whoops|instead|i meant?|meant|should(?: have)? be(?:en)?|change|correction"
    r"|typo|wrong|mistake"
    r"|scratch that|rather|not \w+,|, not \w+|make (?:it|that)|ends? in|last (?:two|three|four|\d) digits"
    r"|spell(?:ed|t)?"
    r"|first name|last name|area code)\b|^\*",
    re.IGNORECASE,
)
_EARLIER_MESSAGES = 6
# A longer yes counts where the message is understood as one, too.
_MOST_WORDS_OF_A_YES = 5


class ValidateBookingForm(FormValidationAction):
    """Takes from each message of the form what it tells, answers what it asks, and says why a value will not do."""

    def __init__(self, clinic: Clinic | None = None, clock: Callable[[], datetime.datetime] = utc_now) -> None:
        self._clinic = clinic or the_clinic()
        self._clock = clock

    def name(self) -> str:
        return f"validate_{FORM}"

    async def get_validation_events(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[EventType]:
        turn = _Turn(dispatcher, tracker, domain, self._clinic, self._clock())
        slots = await asyncio.to_thread(turn.begin if turn.is_first else turn.go_on)
        return [SlotSet(name, value) for name, value in slots.items()]


class _Turn:
    """One message while the form is open. Its methods return the slots to set."""

    def __init__(
        self,
        dispatcher: CollectingDispatcher,
        tracker: Tracker,
        domain: dict[str, Any],
        clinic: Clinic,
        now: datetime.datetime,
    ) -> None:
        message = tracker.latest_message
        self._dispatcher = dispatcher
        self._tracker = tracker
        self._responses = domain.get("responses", {})
        self._clinic = clinic
        self._now = now
        self._text: str = (message.get("text") or "")[: 2 * LONGEST_MESSAGE]
        self._intent: str = (message.get("intent") or {}).get("name") or ""
        self._confidence: float = (message.get("intent") or {}).get("confidence") or 0.0
        self._requested: str | None = tracker.get_slot("requested_slot")

    @property
    def is_first(self) -> bool:
        """Whether the message opens the form."""
        return self._tracker.active_loop_name != FORM or self._requested is None

    def begin(self) -> dict[str, Any]:
        """Open the form with what the first message tells, what was said before it, and what an earlier try left."""
        self._say("utter_booking_intro")
        intention = self._tracker.get_slot("booking_intention") or uuid.uuid4().hex
        fresh = {
            "booking_intention": intention,
            "booking_status": None,
            "booking_failures": 0,
            CONFIRMATION: None,
            CHANGED: None,
        }
        told = self._told()
        known = {**self._from_the_request_before(), **self._named_earlier(), **self._message_about_a_visit()}
        told = {**{slot: value for slot, value in known.items() if not self._tracker.get_slot(slot)}, **told}
        self._acknowledge(told)
        return fresh | told

    def go_on(self) -> dict[str, Any]:
        """Take a message as the answer to the question asked last, as a correction, or as something in between."""
        slots = self._understood()
        if self._tracker.get_slot(CHANGED) and CHANGED not in slots:
            slots[CHANGED] = None
        # What answers the question, or is read back next, shows that it was taken.
        if self._requested not in (*slots, CONFIRMATION):
            self._acknowledge(slots)
        return slots

    def _understood(self) -> dict[str, Any]:
        if self._intent == REPORT_RED_FLAG and not self._is_plain_answer():
            self._say(f"utter_{REPORT_RED_FLAG}")
            told = self._told(with_faults=False) | self._told_beside()
            # Care comes first: the form must not ask on in the same breath.
            return {"urgent": True} | told | self._close("paused")
        if self._intent == DELETE_MY_DATA:
            return self._close("deleting")
        if replies.WHY.search(self._text):
            self._say("utter_ask_privacy")
            return {"booking_failures": 0}
        special = self._to_an_offer()
        if special is not None:
            return special
        if self._requested in OPTIONAL and (replies.skips(self._text) or replies.has_nothing_to_say(self._text)):
            return {self._requested: NOT_SAID, "booking_failures": 0}
        if replies.skips(self._text):
            return self._refused()
        if self._requested == CONFIRMATION:
            return self._at_the_read_back()
        if replies.BACK.search(self._text) and self._intent in (CHANGE_ANSWER, UNSURE, INFORM):
            return self._back()
        told = self._told(with_faults=False)
        try:
            return self._answer(told) | {"booking_failures": 0}
        except InvalidAnswer as error:
            return self._in_between(told) or self._failed(self._fault_beside() or error)

    def _to_an_offer(self) -> dict[str, Any] | None:
        """Return what answers an offer: of the number someone writes from, of a righted address, of another day."""
        if self._requested == CONTACT:
            return self._to_a_contact_offered()
        offered = _offered_day(self._tracker) if self._requested == TIME else None
        if offered is None:
            return None
        if replies.is_not_that(self._text) and not self._names_a_day_besides(offered):
            self._say("utter_booking_another_day")
            return {"booking_failures": 0}
        if replies.is_yes(self._text) or self._intent == AFFIRM or self._means_that_day(offered):
            return {TIME: plain(parse_time(offered, self._clinic, self._now)), "booking_failures": 0}
        return None

    def _to_a_contact_offered(self) -> dict[str, Any] | None:
        doubt = self._tracker.get_slot(MAIL_DOUBT)
        if doubt and (replies.is_yes(self._text) or replies.is_no(self._text) or self._intent in (AFFIRM, DENY)):
            is_meant = replies.is_yes(self._text) or (self._intent == AFFIRM and not replies.is_no(self._text))
            return {CONTACT: doubt["meant" if is_meant else "typed"], MAIL_DOUBT: None, "booking_failures": 0}
        sent = (self._tracker.get_slot(SENT) or {}).get(CONTACT)
        if sent and replies.means_the_one_before(self._text):
            return {CONTACT: sent, "booking_failures": 0}
        own = offered_number(self._tracker)
        if own and (self._intent == AFFIRM or replies.THIS_NUMBER.search(self._text)) and not replies.asks(self._text):
            return self._told(with_faults=False) or {CONTACT: plain(own), "booking_failures": 0}
        if own and self._intent == DENY:
            return self._told(with_faults=False) | {"booking_own_number": DECLINED, "booking_failures": 0}
        return None

    def _means_that_day(self, offered: str) -> bool:
        """Tell whether the message names no more than the weekday of the offered day: "ok monday"."""
        found = tokens.tokenize(tokens.respell(self._text[:LONGEST_MESSAGE]))
        if [token.kind for token in found] != ["weekday"] or re.search(r"\bnext\b", self._text, re.IGNORECASE):
            return False
        day = found[0].words.lower().split()[-1]
        name = next((weekday for weekday in WEEKDAYS if offered.lower().startswith(weekday)), "")
        return bool(name) and day[:3] == name[:3]

    def _names_a_day_besides(self, offered: str) -> bool:
        found = tokens.tokenize(tokens.respell(self._text[:LONGEST_MESSAGE]))
        return tokens.says_when(found) and not self._means_that_day(offered)

    def _at_the_read_back(self) -> dict[str, Any]:
        """Send the request, change it, answer what is asked, or say that nothing is sent yet."""
        if replies.refuses_to_send(self._text):
            return self._close("stopped")
        changed = self._corrected()
        if changed is not None:
            return changed
        may_send = last_said(self._tracker) in _ASKS_TO_SEND
        is_short = len(self._text.split()) <= _MOST_WORDS_OF_A_YES
        if may_send and replies.is_yes(self._text) and (self._intent in _AGREEING or is_short):
            return {CONFIRMATION: "send", "booking_status": "ready", "booking_failures": 0}
        if replies.is_no(self._text):
            return self._undecided()
        if (self._intent == STOP and not replies.swears(self._text)) or replies.stops(self._text):
            return self._close("stopped")
        if replies.BACK.search(self._text) and self._intent in (CHANGE_ANSWER, UNSURE, INFORM):
            return self._back()
        if self._intent == CHANGE_ANSWER:
            self._say("utter_booking_correction_unclear")
            return {"booking_failures": 0}
        if self._intent in _AGREEING - {AFFIRM}:
            return {"booking_failures": 0}
        return self._in_between({}) or self._undecided()

    def _undecided(self) -> dict[str, Any]:
        self._say(wording(self._tracker, "utter_booking_undecided", "utter_booking_undecided_again"))
        return {"booking_failures": 0}

    def _corrected(self) -> dict[str, Any] | None:
        """Return what the message changes in what is known; None where it changes nothing."""
        known = details_of(self._tracker)
        try:
            correction = correct(self._text, known, self._clinic, self._now)
        except InvalidAnswer as error:
            named = f"booking_{error.values.get('field', '')}"
            if named in SLOTS:
                return {named: None, "booking_failures": 0}
            if error.reason == "correction_unclear":
                return None
            self._say(f"utter_booking_{error.reason}", **error.values)
            return {"booking_failures": 0}
        return self._applied(correction, known)

    def _applied(self, correction: Correction, known: Details) -> dict[str, Any]:
        slots = slots_of(correction.details, known)
        for field in correction.changed:
            # What is taken away, such as a second contact or the reason, is no longer said.
            slots.setdefault(f"booking_{field}", NOT_SAID if f"booking_{field}" in OPTIONAL else None)
        slots |= {f"booking_{field}": None for field in correction.asked if f"booking_{field}" in SLOTS}
        slots = self._doubted(slots)
        if correction.unread:
            self._say("utter_booking_unread", unread="; ".join(correction.unread)[:LONGEST_MESSAGE])
        marks = {CHANGED: list(correction.changed)} if self._requested == CONFIRMATION else {}
        return slots | marks | {"booking_failures": 0}

    def _answer(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return what the message gives to the form, with what it surely tells (`told`).

        Raises:
            InvalidAnswer: it gives nothing that can be taken.
        """
        if _CORRECTS.search(self._text) and self._requested not in told and any(map(self._tracker.get_slot, DETAILS)):
            corrected = self._corrected()
            if corrected is not None:
                return told | corrected
        is_stop = self._intent == STOP and not replies.swears(self._text)
        if is_stop or (replies.stops(self._text) and not told and not replies.asks(self._text)):
            return self._told() or self._close("stopped")
        if self._requested in (NAME, CONTACT, TIME) and replies.refuses(self._text) and not told:
            return self._refused()
        if self._intent in _ASKED_AGAIN and self._text.startswith("/"):
            raise InvalidAnswer("correction_unclear")
        if self._intent == CHANGE_ANSWER and not told:
            corrected = self._corrected()
            if corrected is not None:
                return corrected
            raise InvalidAnswer("correction_unclear")
        someone = self._someone()
        if self._requested in told or someone:
            return told | someone
        if self._is_aside():
            raise InvalidAnswer("correction_unclear")
        if told:
            return told | self._told_beside()
        note = self._noted()
        if note:
            return note
        return self._doubted({str(self._requested): self._parsed()})

    def _someone(self) -> dict[str, Any]:
        """Return who the visit is for, where the message says that it is somebody else."""
        other = someone_else(self._text)
        if other is None or (replies.asks(self._text) and not other.name):
            return {}
        slots: dict[str, Any] = {RELATION: other.relation}
        if other.writer:
            slots |= {PATIENT_NAME: self._tracker.get_slot(NAME), NAME: other.writer}
        elif other.name:
            slots[PATIENT_NAME] = other.name
        before = self._text.lower().partition(f"my {other.relation}")[0].rstrip(" ,;")
        if self._requested == NAME and NAME not in slots and before:
            try:
                slots[NAME] = parse_name(re.sub(r"\s+(?:and|for)$", "", self._text[: len(before)]))
            except InvalidAnswer:
                return slots
        return slots

    def _noted(self) -> dict[str, Any]:
        """Return the note for the front desk that the message is, if it is one."""
        note = note_in(self._text[:LONGEST_MESSAGE]) if self._requested != REASON else None
        return {NOTE: joined(self._tracker.get_slot(NOTE), note, LONGEST_NOTE), "booking_failures": 0} if note else {}

    def _parsed(self) -> Any:
        """Read the message as the answer to the requested question.

        Raises:
            InvalidAnswer: it is none.
        """
        if self._requested == NAME:
            name = parse_name(self._text)
            # "Sure, Bob" holds a name; "absolutely" is spelt like one.
            if self._intent == AFFIRM and name == self._text.strip():
                raise InvalidAnswer("name_unclear")
            return name
        if self._requested == CONTACT:
            return plain(parse_contact(self._text, self._clinic))
        if self._requested == TIME:
            return plain(parse_time(self._text, self._clinic, self._now))
        if self._requested == PATIENT:
            by_word = {AFFIRM: "returning", DENY: "new"}
            said = None if replies.MAYBE.search(self._text) else by_word.get(self._intent)
            if said is None and not replies.MAYBE.search(self._text):
                said = "returning" if replies.is_yes(self._text) else "new" if replies.is_no(self._text) else None
            return said or parse_patient(self._text)
        if self._intent == DENY:
            return NOT_SAID
        if self._intent == AFFIRM:
            return parse_reason(offered_reason(self._tracker) or "")
        return parse_reason(self._text)

    def _doubted(self, slots: dict[str, Any]) -> dict[str, Any]:
        """Return slots without an address that looks mistyped, which is asked about first."""
        value = slots.get(CONTACT)
        doubt = self._tracker.get_slot(MAIL_DOUBT)
        if not value or (doubt and doubt["typed"]["value"] == value["value"]):
            return slots | ({MAIL_DOUBT: None} if value and doubt else {})
        meant = likelier_address(Contact.model_validate(value))
        if meant is None:
            return slots | ({MAIL_DOUBT: None} if doubt else {})
        return slots | {CONTACT: None, MAIL_DOUBT: {"typed": value, "meant": plain(meant)}}

    def _told(self, with_faults: bool = True) -> dict[str, Any]:
        """Return the slots of every detail that the message surely holds; say why others will not do."""
        asks_to_book = self._intent == BOOK_APPOINTMENT
        details = extract(self._text, self._clinic, self._now, asks_to_book)
        if with_faults:
            for fault in details.faults.values():
                self._say(f"utter_booking_{fault.reason}", **fault.values)
        told = slots_of(details, Details())
        if NOTE in told:
            told[NOTE] = joined(self._tracker.get_slot(NOTE), told[NOTE], LONGEST_NOTE)
        return self._doubted(self._beside_the_other_contact(told))

    def _beside_the_other_contact(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return slots in which a contact of another kind than the one that is known stands beside it."""
        known, new = self._tracker.get_slot(CONTACT), told.get(CONTACT)
        if not (known and new) or known["kind"] == new["kind"] or self._requested == CONTACT:
            return told
        if re.search(r"\b(?:instead|not|rather|use|change|better)\b", self._text, re.IGNORECASE):
            return told
        return {**{slot: value for slot, value in told.items() if slot != CONTACT}, SECOND_CONTACT: new}

    def _fault_beside(self) -> InvalidAnswer | None:
        """Return why a detail that was not asked for, and is recognised, will not do."""
        faults = extract(self._text, self._clinic, self._now).faults
        return next((fault for field, fault in faults.items() if f"booking_{field}" != self._requested), None)

    def _told_beside(self) -> dict[str, Any]:
        """Return the answer that stands in a message beside something else, where it shows by itself."""
        try:
            if self._requested in (CONTACT, TIME):
                return {self._requested: self._parsed()}
            return {PATIENT: parse_patient(self._text)} if self._requested == PATIENT else {}
        except InvalidAnswer:
            return {}

    def _is_plain_answer(self) -> bool:
        """Tell whether the message is no more than a time or a contact: "9-11 or after 3", "911 Main Street"."""
        try:
            if self._requested in (TIME, CONFIRMATION):
                parse_time(self._text, self._clinic, self._now)
                respelt = tokens.respell(self._text[:LONGEST_MESSAGE])
                return not tokens.leftover_words(respelt, tokens.tokenize(respelt, is_answer=True))
            if self._requested == CONTACT:
                parse_contact(self._text, self._clinic)
                return not re.search(r"[a-z]{3,}\s+[a-z]{3,}\s+[a-z]{3,}", self._text, re.IGNORECASE)
        except InvalidAnswer:
            return False
        return False

    def _named_earlier(self) -> dict[str, Any]:
        """Return the name that was given before the form was opened: "hi this is Ivy"."""
        if self._tracker.get_slot(NAME):
            return {}
        said = [str(event.get("text") or "") for event in self._tracker.events if event.get("event") == "user"]
        for text in reversed(said[-_EARLIER_MESSAGES:]):
            name = said_name(text)
            if name:
                return {NAME: name}
        return {}

    def _message_about_a_visit(self) -> dict[str, Any]:
        """Return the note that somebody wants to leave about an appointment that the clinic has given them."""
        said = [str(event.get("text") or "") for event in self._tracker.events if event.get("event") == "user"]
        about = [
            text[:LONGEST_MESSAGE] for text in said[-_EARLIER_MESSAGES:-1] if replies.concerns_an_appointment(text)
        ]
        return {NOTE: f"about an appointment they have: {about[-1]}"[:LONGEST_NOTE]} if about else {}

    def _from_the_request_before(self) -> dict[str, Any]:
        """Return who asked for the visit before, and how to reach them, where a request was sent already."""
        sent: Mapping[str, Any] = self._tracker.get_slot(SENT) or {}
        return {slot: sent[slot] for slot in (NAME, CONTACT, SECOND_CONTACT) if sent.get(slot)}

    def _acknowledge(self, slots: dict[str, Any]) -> None:
        """Say what was noted beside, or in place of, the answer that was asked for."""
        noted = noted_in_words({name: slots[name] for name in DETAILS if slots.get(name)})
        if noted:
            self._say("utter_booking_noted", noted=noted)

    def _is_aside(self) -> bool:
        """Tell whether the message asks or says something that the form did not ask for."""
        kind = the_library().kind(self._intent)
        if kind is None or kind in _FORM_KINDS or f"utter_{self._intent}" not in self._responses:
            return False
        if (self._requested == NAME and is_written_as_name(self._text)) or self._is_plain_answer():
            return False
        if self._requested == REASON and kind != "small_talk":
            return replies.asks(self._text)
        return self._confidence >= _SURELY or replies.asks(self._text)

    def _in_between(self, told: dict[str, Any]) -> dict[str, Any]:
        """Answer an aside, and keep what the message tells beside it; {} when the message is none.

        A question, a complaint or a curse is never a failed answer.
        """
        if self._intent in _ASKED_AGAIN and not replies.asks(self._text):
            return told | {"booking_failures": 0}
        if replies.asks_about_the_request(self._text):
            self._say("utter_booking_ask_the_desk")
            return told | {"booking_failures": 0}
        if self._is_aside() and self._intent != REPORT_RED_FLAG:
            if self._intent == GOODBYE:
                return told | self._close("stopped")
            self._say(f"utter_{self._intent}")
            return told | {"booking_failures": 0}
        if replies.asks(self._text):
            self._say("utter_booking_ask_the_desk")
            return told | {"booking_failures": 0}
        if replies.swears(self._text):
            self._say("utter_booking_patience")
            return told | {"booking_failures": 0}
        return {}

    def _refused(self) -> dict[str, Any]:
        """Say why a question that was refused or skipped cannot be left out; a refusal is no failed answer."""
        if self._requested == CONFIRMATION:
            return self._undecided()
        self._say("utter_booking_needed")
        return {"booking_failures": 0}

    def _failed(self, error: InvalidAnswer) -> dict[str, Any]:
        failures = int(self._tracker.get_slot("booking_failures") or 0) + 1
        if failures >= _FAILURES_BEFORE_LEAVING:
            self._say("utter_booking_stuck")
            return self._close("stopped")
        self._say(f"utter_booking_{error.reason}", **error.values)
        if failures == _FAILURES_BEFORE_HELP:
            self._say("utter_booking_help")
        elif failures == _FAILURES_BEFORE_CALLING:
            self._say("utter_booking_call")
        return {"booking_failures": failures}

    def _back(self) -> dict[str, Any]:
        """Ask the question before the requested one again."""
        place = SLOTS.index(self._requested) if self._requested in SLOTS else 0
        return {SLOTS[max(place - 1, 0)]: None, "booking_failures": 0}

    def _close(self, status: str) -> dict[str, Any]:
        """Leave the form; what was told stays, so that it can be taken up again."""
        return {"booking_status": status, "requested_slot": None}

    def _say(self, response: str, **values: Any) -> None:
        self._dispatcher.utter_message(response=response, **values)


def _offered_day(tracker: Tracker) -> str | None:
    """Return the day that was offered in place of one that will not do, in what was said last."""
    since = itertools.dropwhile(lambda event: event["event"] != "bot", reversed(tracker.events))
    for event in itertools.takewhile(lambda event: event["event"] != "user", since):
        if (event.get("metadata") or {}).get("utter_action") in _OFFERS_A_DAY:
            return next((str(button["payload"]) for button in event["data"].get("buttons") or []), None)
    return None
