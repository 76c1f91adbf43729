"""The booking form: what each message of it means, the read-back, and the hand-off to the front desk."""

import asyncio
import datetime
import itertools
import re
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import EventType, FollowupAction, Restarted, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from booking.metrics import BOOKINGS
from booking.reading.contacts import Contact, in_clear, own_number, parse_contact
from booking.reading.corrections import correct, correct_reason
from booking.reading.details import FIELDS, Details, extract, parse_patient, parse_reason
from booking.reading.names import is_written_as_name, parse_name
from booking.reading.text import DetailError, is_question
from booking.store import Bookings, Request, open_bookings, show_reference, utc_now
from booking.when.times import Preference, in_words, parse_time, recheck
from clinic.profile import Clinic, the_clinic
from clinic.profile import clock as hour_in_words
from service.database import StoreUnavailable

FORM = "booking_form"
SLOTS = ("booking_name", "booking_contact", "booking_time", "booking_patient", "booking_reason", "booking_confirmation")
_NAME, _CONTACT, _TIME, _PATIENT, _REASON, _CONFIRMATION = SLOTS
_OPTIONAL = frozenset({_PATIENT, _REASON})
_NOT_SAID = ""
_RED_FLAG = "report_red_flag"
# What these say belongs to the form itself; every other intent with an answer of its own is answered in between.
_FORM_INTENTS = frozenset(
    {
        "inform",
        "change_answer",
        "affirm",
        "deny",
        "stop",
        "book_appointment",
        "nlu_fallback",
        "delete_my_data",
        "out_of_scope",
        "no_words",
    }
)
_SURELY = 0.6
_FAILURES_BEFORE_HELP = 2
_FAILURES_BEFORE_LEAVING = 4
# What these say is answered by the question that the form asks again.
_ASKED_AGAIN = frozenset({"book_appointment", "greet"})
_SMALL_TALK = frozenset({"greet", "thank", "goodbye"})
_BACK = re.compile(r"\b(go|one|step) back\b|^\W*back\W*$|\bprevious\b", re.IGNORECASE)
_YES = re.compile(
    r"^\W*(/affirm|y|ye[psa]h?|yes\w*|yup|ya|sure|ok(ay)?|please|send|book (it|that|this)|go (ahead|for it)|correct"
    r"|right|good|great|perfect|fine|confirm\w*|do it|try|again|absolutely|definitely|of course|awesome|excellent"
    r"|((that|this|it|all|everything)('?s| is)? )?(looks|sounds|seems|right|correct|fine|good|great|perfect|it))\b",
    re.IGNORECASE,
)
_BUT = re.compile(r"\b(but|no|not|dont|wait|except|instead|change|later|never)\b|n['’]t\b|\?", re.IGNORECASE)
_NO = re.compile(r"^\W*(/deny|no+|nope|nah|n|nothing|none|no\W+(nothing|nope|no))\W*$", re.IGNORECASE)
_DO_NOT_SEND = re.compile(
    r"^\W*(no\W+)?(no thanks|no thank you|nope thanks|(please )?(do not|don['’]?t) (send|do|book)( (it|that|this))?"
    r"|not (yet|now|today))\b(\W+(please|thanks|thank you))*\W*$",
    re.IGNORECASE,
)
# What is said where a question stands already, so that the read-back is not said once more beside it.
_ASKS_ITSELF = frozenset({"utter_booking_correction_unclear", "utter_booking_undecided"})
_OFFERS_A_DAY = frozenset(f"utter_booking_time_{reason}" for reason in ("past", "closed", "holiday"))
_ASKS_TO_SEND = frozenset({"utter_booking_read_back", "utter_booking_undecided"})
_AGREEING = frozenset({"affirm", "thank", "feedback_positive", "book_appointment"})
_WHY = re.compile(
    r"^\W*((but|and|ok|hm+)\W+)?(why|what for|how come)(\W+(do|would) you (ask|need|want)\b.*)?\W*$", re.IGNORECASE
)
# An agreement to go on, not a yes to "have you been here before?".
_MAYBE = re.compile(r"^\W*(ok(ay)?|k|sure|fine|alright|all right|go on|of course)\W*$", re.IGNORECASE)
_THIS_NUMBER = re.compile(
    r"\b(?:this|same|current|my own) (?:number|phone|one)\b|\b(?:writing|texting|messaging|chatting) (?:\w+ )?from\b",
    re.IGNORECASE,
)
_DECLINED = "declined"
_SKIP = re.compile(
    r"^\W*(skip|pass|i['’]?d rather not|rather not)( (it|this|that|say|tell|answer))*\W*$", re.IGNORECASE
)
_NOTHING_TO_SAY = re.compile(r"^\W*(none|nothing|not sure|no idea|(i )?don['’]?t know|idk)\W*$", re.IGNORECASE)


@lru_cache
def the_bookings() -> Bookings:
    """Return the store of the clinic's booking requests."""
    return open_bookings(the_clinic())


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
        self._text: str = message.get("text") or ""
        self._intent: str = (message.get("intent") or {}).get("name") or ""
        self._confidence: float = (message.get("intent") or {}).get("confidence") or 0.0
        self._requested: str | None = tracker.get_slot("requested_slot")

    @property
    def is_first(self) -> bool:
        return self._tracker.active_loop_name != FORM or self._requested is None

    def begin(self) -> dict[str, Any]:
        """Open the form with what the first message tells, and with what an earlier try left."""
        self._say("utter_booking_intro")
        intention = self._tracker.get_slot("booking_intention") or uuid.uuid4().hex
        fresh = {"booking_intention": intention, "booking_status": None, "booking_failures": 0, _CONFIRMATION: None}
        told = self._told()
        self._acknowledge(told)
        return fresh | told

    def go_on(self) -> dict[str, Any]:
        """Take a message as the answer to the question asked last, as a correction, or as something in between."""
        slots = self._understood()
        # What answers the question, or is read back next, shows that it was taken.
        if self._requested not in (*slots, _CONFIRMATION):
            self._acknowledge(slots)
        return slots

    def _understood(self) -> dict[str, Any]:
        if self._intent == _RED_FLAG:
            self._say(f"utter_{_RED_FLAG}")
            told = self._told(with_faults=False) | self._told_beside()
            # Care comes first: the form must not ask on in the same breath.
            return {"urgent": True} | told | self._close("paused")
        if self._intent == "delete_my_data":
            return self._close("deleting")
        if _WHY.search(self._text):
            self._say("utter_ask_privacy")
            return {"booking_failures": 0}
        own = offered_number(self._tracker) if self._requested == _CONTACT else None
        if own and (self._intent == "affirm" or _THIS_NUMBER.search(self._text)) and not is_question(self._text):
            return self._told(with_faults=False) or {_CONTACT: _plain(own), "booking_failures": 0}
        if own and self._intent == "deny":
            return self._told(with_faults=False) | {"booking_own_number": _DECLINED, "booking_failures": 0}
        if self._requested in _OPTIONAL and (_SKIP.search(self._text) or _NOTHING_TO_SAY.search(self._text)):
            return {self._requested: _NOT_SAID, "booking_failures": 0}
        if _SKIP.search(self._text):
            return self._failed(DetailError("undecided" if self._requested == _CONFIRMATION else "needed"))
        if self._requested == _CONFIRMATION and _DO_NOT_SEND.search(self._text):
            return self._close("stopped")
        if _BACK.search(self._text) and self._intent in ("change_answer", "nlu_fallback", "inform"):
            return self._back()
        told = self._told(with_faults=False)
        try:
            return self._answer(told) | {"booking_failures": 0}
        except DetailError as error:
            return self._in_between(told) or self._failed(self._fault_beside() or error)

    def _answer(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return what the message gives to the form, with what it surely tells (`told`).

        Raises:
            DetailError: it gives nothing that can be taken.
        """
        is_refused = self._intent == "deny" and self._requested in (_NAME, _CONTACT, _TIME)
        if (self._intent == "stop" or is_refused) and correct_reason(self._text) is None:
            return self._told() or self._close("stopped")
        if self._intent in _ASKED_AGAIN and self._text.startswith("/") and self._requested != _CONFIRMATION:
            raise DetailError("correction_unclear")
        if self._intent == "change_answer" or self._requested == _CONFIRMATION:
            return self._confirmed_or_corrected(told)
        if self._requested in told:
            return told
        if self._is_aside():
            raise DetailError("correction_unclear")
        if told:
            return told | self._told_beside()
        return {str(self._requested): self._parsed()}

    def _parsed(self) -> Any:
        """Read the message as the answer to the requested question.

        Raises:
            DetailError: it is none.
        """
        if self._requested == _NAME:
            name = parse_name(self._text)
            # "Sure, Bob" holds a name; "absolutely" is spelt like one.
            if self._intent == "affirm" and name == self._text.strip():
                raise DetailError("name_unclear")
            return name
        if self._requested == _CONTACT:
            return _plain(parse_contact(self._text, self._clinic))
        if self._requested == _TIME:
            offered = _offered_day(self._tracker) if self._intent == "affirm" else None
            return _plain(parse_time(offered or self._text, self._clinic, self._now))
        if self._requested == _PATIENT:
            by_word = {"affirm": "returning", "deny": "new"}
            said = None if _MAYBE.search(self._text) else by_word.get(self._intent)
            return said or parse_patient(self._text)
        if self._intent == "deny":
            return _NOT_SAID
        if self._intent == "affirm":
            return parse_reason(offered_reason(self._tracker) or "")
        return parse_reason(self._text)

    def _confirmed_or_corrected(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return that the request is to be sent, or what the message changes in it.

        Raises:
            DetailError: `undecided` when the read-back is neither agreed to nor corrected; else as `correct`.
        """
        if self._requested == _CONFIRMATION and self._intent in _AGREEING and not told:
            if _last_said(self._tracker) in _ASKS_TO_SEND and _YES.search(self._text) and not _BUT.search(self._text):
                return {_CONFIRMATION: "send", "booking_status": "ready"}
            if self._intent != "affirm":
                return {}
            raise DetailError("undecided")
        if self._requested == _CONFIRMATION and _NO.search(self._text):
            raise DetailError("undecided")
        reason = correct_reason(self._text)
        if reason is not None:
            return {_REASON: reason or _NOT_SAID}
        known = _details(self._tracker)
        try:
            return _slots(correct(self._text, known, self._clinic, self._now), known)
        except DetailError as error:
            named = f"booking_{error.values.get('field', '')}"
            if named in SLOTS:
                return {named: None}
            if error.reason == "correction_unclear" and self._intent != "change_answer":
                raise DetailError("undecided") from error
            raise

    def _told(self, with_faults: bool = True) -> dict[str, Any]:
        """Return the slots of every detail that the message surely holds; say why others will not do."""
        asks_to_book = self._intent == "book_appointment"
        details = extract(self._text, self._clinic, self._now, asks_to_book)
        if with_faults:
            for fault in details.faults.values():
                self._say(f"utter_booking_{fault.reason}", **fault.values)
        return _slots(details, Details())

    def _fault_beside(self) -> DetailError | None:
        """Return why a detail that was not asked for, and is recognised, will not do."""
        faults = extract(self._text, self._clinic, self._now).faults
        return next((fault for field, fault in faults.items() if f"booking_{field}" != self._requested), None)

    def _told_beside(self) -> dict[str, Any]:
        """Return the answer that stands in a message beside something else, where it shows by itself."""
        try:
            if self._requested in (_CONTACT, _TIME):
                return {self._requested: self._parsed()}
            return {_PATIENT: parse_patient(self._text)} if self._requested == _PATIENT else {}
        except DetailError:
            return {}

    def _acknowledge(self, slots: dict[str, Any]) -> None:
        """Say what was noted beside, or in place of, the answer that was asked for."""
        noted = _noted({name: slots[name] for name in SLOTS if slots.get(name)})
        if noted:
            self._say("utter_booking_noted", noted=noted)

    def _is_aside(self) -> bool:
        """Tell whether the message asks or says something that the form did not ask for."""
        if self._intent in _FORM_INTENTS or f"utter_{self._intent}" not in self._responses:
            return False
        if self._requested == _NAME and is_written_as_name(self._text):
            return False
        if self._requested == _REASON and self._intent not in _SMALL_TALK:
            return is_question(self._text) or self._text.rstrip().endswith("?")
        return self._confidence >= _SURELY or is_question(self._text)

    def _in_between(self, told: dict[str, Any]) -> dict[str, Any]:
        """Answer an aside, and keep what the message tells beside it; {} when the message is none."""
        if self._intent in _ASKED_AGAIN:
            return told | {"booking_failures": 0}
        if not self._is_aside():
            return {}
        if self._intent == "goodbye":
            return told | self._close("stopped")
        self._say(f"utter_{self._intent}")
        return told | {"booking_failures": 0}

    def _failed(self, error: DetailError) -> dict[str, Any]:
        failures = int(self._tracker.get_slot("booking_failures") or 0) + 1
        if failures >= _FAILURES_BEFORE_LEAVING:
            return self._close("stopped")
        self._say(f"utter_booking_{error.reason}", **error.values)
        if failures == _FAILURES_BEFORE_HELP:
            self._say("utter_booking_help")
        elif failures > _FAILURES_BEFORE_HELP:
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


class AskBookingContact(Action):
    """Asks how to reach the person, and offers the number they are writing from where there is one."""

    def name(self) -> str:
        return f"action_ask_{_CONTACT}"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        own = offered_number(tracker)
        if own:
            dispatcher.utter_message(response="utter_booking_own_number", ending=own.shown[-2:])
        else:
            dispatcher.utter_message(response="utter_ask_booking_contact")
        return []


class AskBookingReason(Action):
    """Asks what the visit is about, and offers what the conversation was about."""

    def name(self) -> str:
        return f"action_ask_{_REASON}"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        reason = offered_reason(tracker)
        buttons = [{"title": reason, "payload": reason}] if reason else []
        buttons.append({"title": "Skip", "payload": "skip"})
        dispatcher.utter_message(response="utter_booking_reason", buttons=buttons)
        return []


class AskBookingConfirmation(Action):
    """Reads the request back before it is sent."""

    def name(self) -> str:
        return f"action_ask_{_CONFIRMATION}"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        if _said_now(tracker) in _ASKS_ITSELF:
            return []
        rows = [
            ["Name", tracker.get_slot(_NAME)],
            ["Contact", (tracker.get_slot(_CONTACT) or {}).get("shown")],
            ["Would suit", _time_in_words(tracker.get_slot(_TIME))],
            ["Patient", tracker.get_slot(_PATIENT)],
            ["About", tracker.get_slot(_REASON)],
        ]
        rows = [row for row in rows if row[1]]
        summary = "\n".join(f"{label}: {value}" for label, value in rows)
        dispatcher.utter_message(response="utter_booking_read_back", summary=summary, card=rows)
        return []


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
            return [SlotSet("booking_status", "failed"), SlotSet(_CONFIRMATION)]
        BOOKINGS.labels("new" if is_new else "repeated").inc()
        dispatcher.utter_message(
            response="utter_booking_sent", reference=show_reference(reference), when_answered=self._when_answered()
        )
        cleared = [*SLOTS, "booking_own_number", "booking_intention", "booking_failures", "urgent"]
        kept = [SlotSet("booking_status", "sent"), SlotSet("booking_reference", show_reference(reference))]
        return [*(SlotSet(name) for name in cleared), *kept]

    def _when_answered(self) -> str:
        now = self._clock()
        if self._clinic.is_open(now):
            return "today"
        opening = self._clinic.next_opening(now)
        if opening.date() == now.astimezone(self._clinic.zone).date():
            return f"today, after {hour_in_words(opening.time())}"
        return f"on {in_words(opening.date())}"


class DeleteMyData(Action):
    """Erases what the conversation left here, after a yes to that very question."""

    def __init__(self, bookings: Bookings | None = None) -> None:
        self._bookings = bookings or the_bookings()

    def name(self) -> str:
        return "action_delete_my_data"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        if _last_said(tracker) != "utter_delete_my_data":
            dispatcher.utter_message(response="utter_affirm")
            return []
        try:
            _, kept = await asyncio.to_thread(self._bookings.forget_conversation, tracker.sender_id)
        except StoreUnavailable:
            dispatcher.utter_message(response="utter_apology")
            return []
        dispatcher.utter_message(response="utter_data_deleted_but_kept" if kept else "utter_data_deleted")
        return [Restarted()]


def offered_number(tracker: Tracker) -> Contact | None:
    """Return the number someone writes from, unless it was declined."""
    sealed = (tracker.latest_message.get("metadata") or {}).get("contact")
    if not isinstance(sealed, str) or tracker.get_slot("booking_own_number") == _DECLINED:
        return None
    try:
        return own_number(sealed)
    except DetailError:
        return None


def offered_reason(tracker: Tracker) -> str | None:
    """Return what the visit may be about: the topics of the latest answers; None after a sign of an emergency."""
    if tracker.get_slot("urgent"):
        return None
    topics: dict[str, None] = {}
    for event in tracker.events:
        if event.get("event") == "bot":
            answer = (event.get("metadata") or {}).get("metadata") or {}
            if "section" in answer and "topic" in answer:
                topics[answer["topic"][0].lower() + answer["topic"][1:]] = None
    asked = "; ".join(list(topics)[-2:])
    return f"Runner's knee: {asked}" if asked else "Runner's knee"


def _offered_day(tracker: Tracker) -> str | None:
    """Return the day that was offered in place of one that will not do, in what was said last."""
    since = itertools.dropwhile(lambda event: event["event"] != "bot", reversed(tracker.events))
    for event in itertools.takewhile(lambda event: event["event"] != "user", since):
        if (event.get("metadata") or {}).get("utter_action") in _OFFERS_A_DAY:
            return next((str(button["payload"]) for button in event["data"].get("buttons") or []), None)
    return None


def _last_said(tracker: Tracker) -> str | None:
    spoken = [event for event in tracker.events if event.get("event") == "bot"]
    return (spoken[-1].get("metadata") or {}).get("utter_action") if spoken else None


def _said_now(tracker: Tracker) -> str | None:
    """Return the response said last, where it was said since the latest message."""
    latest = next((event["event"] for event in reversed(tracker.events) if event["event"] in ("bot", "user")), None)
    return _last_said(tracker) if latest == "bot" else None


def _details(tracker: Tracker) -> Details:
    contact, time = tracker.get_slot(_CONTACT), tracker.get_slot(_TIME)
    return Details(
        name=tracker.get_slot(_NAME),
        contact=Contact.model_validate(contact) if contact else None,
        time=Preference.model_validate(time) if time else None,
        patient=tracker.get_slot(_PATIENT) or None,
    )


def _slots(details: Details, known: Details) -> dict[str, Any]:
    """Return the slots of what `details` adds to what is known or changes in it."""
    slots: dict[str, Any] = {}
    for field in FIELDS:
        value = getattr(details, field)
        if value is not None and value != getattr(known, field):
            slots[f"booking_{field}"] = _plain(value) if isinstance(value, (Contact, Preference)) else value
    return slots


def _plain(value: Contact | Preference) -> dict[str, Any]:
    """Return a detail as Rasa can keep it in a slot."""
    plain: dict[str, Any] = value.model_dump(mode="json")
    return plain


def _noted(slots: dict[str, Any]) -> str:
    """Return the values of the form's slots in words: Ana Ruiz; (949) 555-0133; friday at 10 (Friday, November 27)."""
    words = {
        _CONTACT: lambda contact: contact["shown"],
        _TIME: _time_in_words,
        _PATIENT: lambda patient: f"{patient} patient",
    }
    return "; ".join(words.get(name, str)(value) for name, value in slots.items())


def _time_in_words(time: dict[str, Any] | None) -> str | None:
    if not time:
        return None
    words, day = str(time["words"]), Preference.model_validate(time).day
    return f"{words} ({in_words(day)})" if day and in_words(day) not in words else words


def _request(tracker: Tracker, clinic: Clinic, now: datetime.datetime) -> tuple[Request | None, list[str]]:
    """Return the request of the slots, or None and the slots that must be asked again."""
    if tracker.get_slot(_TIME):
        try:
            recheck(Preference.model_validate(tracker.get_slot(_TIME)), clinic, now)
        except (DetailError, ValidationError):
            return None, [_TIME]
    contact = tracker.get_slot(_CONTACT)
    try:
        contact = in_clear(Contact.model_validate(contact), clinic) if contact else None
    except (DetailError, ValidationError):
        return None, [_CONTACT]
    values = {
        "name": tracker.get_slot(_NAME),
        "contact": contact,
        "time": tracker.get_slot(_TIME),
        "patient": tracker.get_slot(_PATIENT) or None,
        "reason": tracker.get_slot(_REASON) or None,
    }
    try:
        return (
            Request(
                **values,
                urgent=bool(tracker.get_slot("urgent")),
                conversation=tracker.sender_id,
                channel=tracker.sender_id.partition(":")[0],
            ),
            [],
        )
    except ValidationError as error:
        return None, [f"booking_{fault['loc'][0]}" for fault in error.errors()]
