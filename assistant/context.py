"""What a message means at its place of a conversation, where that differs from what it means alone."""

import re
from typing import Any

from rasa.shared.core.constants import USER_INTENT_RESTART
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, TEXT

from booking.reading.replies import concerns_an_appointment, declines_booking
from clinic.intents import ASK_BOOKING_STATUS, BOOK_APPOINTMENT, INFORM, STOP

_CALLED_OFF = re.compile(r"\b(cancel\w*|withdraw|call (it|that) off)\b", re.IGNORECASE)
_CONTINUED = re.compile(
    r"\b(continue|resume|proceed|(go|carry|move) on|go ahead|keep going|where (we|i) (were|was|left|stopped))\b",
    re.IGNORECASE,
)
_FOR_A_VISIT = re.compile(r"\S@\w|(\d\W{0,2}){7,}|\b(book|visit|appointment)\b", re.IGNORECASE)


def meant(understood: dict[str, Any], tracker: DialogueStateTracker | None) -> dict[str, Any]:
    """Return what was understood as it is meant at this place of the conversation.

    In an open form a restart would throw its answers away unasked, and it is the form that is called off;
    outside it, a contact is told to book a visit.
    """
    intent = understood[INTENT][INTENT_NAME_KEY]
    if tracker is not None and tracker.active_loop_name:
        is_called_off = intent == ASK_BOOKING_STATUS and _CALLED_OFF.search(understood[TEXT])
        name = STOP if intent == USER_INTENT_RESTART or is_called_off else intent
    else:
        if tracker is not None and goes_on_booking(understood, tracker):
            return {**understood, INTENT: {**understood[INTENT], INTENT_NAME_KEY: BOOK_APPOINTMENT}}
        is_sent = tracker is not None and tracker.get_slot("booking_status") == "sent"
        is_for_a_visit = intent == INFORM and not is_sent and _FOR_A_VISIT.search(understood[TEXT])
        name = BOOK_APPOINTMENT if is_for_a_visit else intent
        if name == BOOK_APPOINTMENT and declines_booking(understood[TEXT]):
            name = _next_likely(understood)
        elif name == BOOK_APPOINTMENT and concerns_an_appointment(understood[TEXT]):
            name = ASK_BOOKING_STATUS
    return {**understood, INTENT: {**understood[INTENT], INTENT_NAME_KEY: name}}


def _next_likely(understood: dict[str, Any]) -> str:
    """Return the likeliest intent that books nothing: "I don't want to book, just asking whether ice helps"."""
    ranking = understood.get("intent_ranking", [])
    names = [entry[INTENT_NAME_KEY] for entry in ranking]
    return next((name for name in names if name not in (BOOK_APPOINTMENT, INFORM)), STOP)


def goes_on_booking(understood: dict[str, Any], tracker: DialogueStateTracker) -> bool:
    """Tell whether a message goes on with a booking that an emergency has paused."""
    if tracker.active_loop_name or tracker.get_slot("booking_status") != "paused":
        return False
    return understood[INTENT][INTENT_NAME_KEY] == INFORM or bool(_CONTINUED.search(understood[TEXT] or ""))
