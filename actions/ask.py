"""The questions of the booking form, which are never put a third time in the same words, and its read-back."""

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from actions.slots import (
    CHANGED,
    CONFIRMATION,
    CONTACT,
    DECLINED,
    MAIL_DOUBT,
    NAME,
    NOTE,
    PATIENT,
    PATIENT_NAME,
    REASON,
    RELATION,
    SECOND_CONTACT,
    TIME,
    patient_in_words,
    said_now,
    time_in_words,
    times_said,
)
from booking.reading.contacts import Contact, own_number
from booking.reading.text import InvalidAnswer
from clinic.articles import the_library

# What is said where a question stands already, so that none is put once more beside it.
_ASKS_ITSELF = frozenset(
    {
        "utter_booking_correction_unclear",
        "utter_booking_undecided",
        "utter_booking_undecided_again",
        "utter_booking_another_day",
    }
)
_SAME_WORDS_AT_MOST = 2


class _Question:
    """A question of the form, in other words once it was put twice."""

    slot: str

    def name(self) -> str:
        return f"action_ask_{self.slot}"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        if said_now(tracker) not in _ASKS_ITSELF:
            response = wording(tracker, *(f"utter_{words}{self.slot}{again}" for words, again in _WORDINGS))
            dispatcher.utter_message(response=response)
        return []


_WORDINGS = (("ask_", ""), ("", "_again"), ("", "_once_more"))


def wording(tracker: Tracker, *responses: str) -> str:
    """Return the first of some responses of one meaning that was said less than twice; at last the rarest."""
    counts = {response: times_said(tracker, response) for response in responses}
    fresh = (response for response, count in counts.items() if count < _SAME_WORDS_AT_MOST)
    return next(fresh, min(counts, key=lambda response: counts[response]))


class AskBookingName(_Question, Action):
    """Asks for a name; for both, where the patient is somebody else whose name is not known."""

    slot = NAME

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        relation = tracker.get_slot(RELATION)
        asked = times_said(tracker, "utter_booking_both_names")
        if relation and not tracker.get_slot(PATIENT_NAME) and asked < _SAME_WORDS_AT_MOST:
            dispatcher.utter_message(response="utter_booking_both_names", relation=relation)
            return []
        return await super().run(dispatcher, tracker, domain)


class AskBookingContact(_Question, Action):
    """Asks how to reach the person, and offers the number they are writing from where there is one."""

    slot = CONTACT

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        doubt = tracker.get_slot(MAIL_DOUBT)
        if doubt:
            meant = doubt["meant"]["shown"]
            buttons = [
                {"title": "Yes, that one", "payload": meant},
                {"title": "No, as I typed it", "payload": "/deny"},
            ]
            dispatcher.utter_message(response="utter_booking_mail_doubt", meant=meant, buttons=buttons)
            return []
        own = offered_number(tracker)
        if own:
            dispatcher.utter_message(response="utter_booking_own_number", ending=own.shown[-2:])
            return []
        return await super().run(dispatcher, tracker, domain)


class AskBookingTime(_Question, Action):
    """Asks when a visit would suit."""

    slot = TIME


class AskBookingPatient(_Question, Action):
    """Asks whether the patient has been to the clinic before."""

    slot = PATIENT


class AskBookingReason(Action):
    """Asks what the visit is about, and offers what the conversation was about."""

    def name(self) -> str:
        return f"action_ask_{REASON}"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        reason = offered_reason(tracker)
        buttons = [{"title": reason, "payload": reason}] if reason else []
        buttons.append({"title": "Skip", "payload": "skip"})
        response = wording(tracker, "utter_booking_reason", "utter_booking_reason_again")
        dispatcher.utter_message(response=response, buttons=buttons)
        return []


class AskBookingConfirmation(Action):
    """Reads the request back before it is sent, and marks what the latest message changed."""

    def name(self) -> str:
        return f"action_ask_{CONFIRMATION}"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        if said_now(tracker) in _ASKS_ITSELF:
            return []
        changed = tracker.get_slot(CHANGED) or []
        contacts = [(tracker.get_slot(slot) or {}).get("shown") for slot in (CONTACT, SECOND_CONTACT)]
        rows = [
            (("name",), "Name", tracker.get_slot(NAME)),
            (
                ("patient_name", "patient_relation"),
                "For",
                patient_in_words(tracker.get_slot(PATIENT_NAME), tracker.get_slot(RELATION)),
            ),
            (("contact", "second_contact"), "Contact", " or ".join(filter(None, contacts))),
            (("time",), "Would suit", time_in_words(tracker.get_slot(TIME))),
            (("patient",), "Patient", tracker.get_slot(PATIENT)),
            (("reason",), "About", tracker.get_slot(REASON)),
            (("note",), "Note", tracker.get_slot(NOTE)),
        ]
        card = [
            [label, f"{value} (changed)" if set(fields) & set(changed) else value]
            for fields, label, value in rows
            if value
        ]
        response = wording(tracker, "utter_booking_read_back", "utter_booking_read_back_again")
        dispatcher.utter_message(response=response, card=card)
        return []


def offered_number(tracker: Tracker) -> Contact | None:
    """Return the number someone writes from, unless it was declined."""
    sealed = (tracker.latest_message.get("metadata") or {}).get("contact")
    if not isinstance(sealed, str) or tracker.get_slot("booking_own_number") == DECLINED:
        return None
    try:
        return own_number(sealed)
    except InvalidAnswer:
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
    condition = next((article.condition for article in the_library().articles.values()), "")
    named = condition[:1].upper() + condition[1:]
    return ": ".join(filter(None, (named, asked))) or None
