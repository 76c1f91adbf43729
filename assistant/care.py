"""Care: what is said to a sign of an emergency, and from then on until the person says that it is seen to.

Nothing here needs a policy, a database or another process.
"""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rasa.core.nlg.interpolator import interpolate_text
from rasa.shared.constants import INTENT_MESSAGE_PREFIX
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, TEXT

from assistant.context import goes_on_booking
from assistant.nlu.alarms import AFTER_KEY
from assistant.nlu.signs import FOLDER, SIGN_KEY, Sign, Signs
from clinic.intents import BOOK_APPOINTMENT
from clinic.profile import the_clinic

# The slot that holds which sign was told of and how often the care was said again, until it is seen to.
CARE_SLOT = "care"
SELF_HARM, VIOLENCE = "self-harm", "violence"
_CARE_FILE = FOLDER / "care.yml"
_CONTEXT_FILE = FOLDER / "context.yml"
_STILL = "still"
_SURE = 0.6
_MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class Warned:
    """Which sign someone told of, and how often the care was said again since."""

    sign: str
    times: int = 0

    def as_slot(self) -> dict[str, Any]:
        return {"sign": self.sign, "times": self.times}


@dataclass(frozen=True)
class Reply:
    """What care says to a message.

    Attributes:
        words: the messages to say.
        warned: the state from now on, or None when nothing is to be seen to.
        is_alarm: whether the message told of a sign.
        goes_on: whether the message is answered as ever afterwards.
    """

    words: list[dict[str, Any]]
    warned: Warned | None
    is_alarm: bool = False
    goes_on: bool = False


class Care:
    """Says the words of a sign, and stays with the person."""

    def __init__(self, signs: Signs) -> None:
        self._signs = signs
        self._responses: dict[str, list[dict[str, Any]]] = _read(_CARE_FILE)["responses"]
        self._answered = frozenset(_read(_CONTEXT_FILE)["answered_meanwhile"].split())
        self._values = the_clinic().placeholders()
        # Of those whose conversation could not be kept.
        self._remembered: OrderedDict[str, Warned] = OrderedDict()

    def reply(self, understood: dict[str, Any], tracker: DialogueStateTracker | None, sender: str) -> Reply | None:
        """Return what care says to a message, or None when there is nothing to care for."""
        warned = self._warned(tracker, sender)
        sign = self._signs.signs.get(understood.get(SIGN_KEY) or "")
        if warned and self._is_over(understood, sign):
            return self._end(understood, warned, sender)
        if sign and (warned is None or self._is_graver(sign, self._signs.signs[warned.sign])):
            return self._alarm(sign, tracker)
        if warned is None:
            return None
        return self._again(understood, tracker, warned)

    def without_store(self, understood: dict[str, Any], sender: str) -> Reply | None:
        """Return what care says where no conversation can be read or kept, and remember it here."""
        reply = self.reply(understood, None, sender)
        if reply and reply.warned:
            self._remembered[sender] = reply.warned
            self._remembered.move_to_end(sender)
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return reply

    def _warned(self, tracker: DialogueStateTracker | None, sender: str) -> Warned | None:
        kept = tracker.get_slot(CARE_SLOT) if tracker is not None and CARE_SLOT in tracker.slots else None
        if isinstance(kept, dict) and kept.get("sign") in self._signs.signs:
            return Warned(kept["sign"], kept["times"])
        return self._remembered.get(sender)

    def _is_over(self, understood: dict[str, Any], sign: Sign | None) -> bool:
        meaning, sure = understood.get(AFTER_KEY) or (_STILL, 1.0)
        return meaning != _STILL and sure >= (_SURE if sign is None else (1 + _SURE) / 2)

    def _end(self, understood: dict[str, Any], warned: Warned, sender: str) -> Reply:
        self._remembered.pop(sender, None)
        meaning = "safe" if warned.sign == SELF_HARM else understood[AFTER_KEY][0]
        return Reply([self._said(f"utter_care_{meaning}")], None)

    def _alarm(self, sign: Sign, tracker: DialogueStateTracker | None) -> Reply:
        words = [self._said(sign.response)]
        if tracker is not None and tracker.active_loop_name and sign.sign != SELF_HARM:
            words.append(self._said("utter_care_booking_paused"))
        # Who is sent to a visit need not be held back.
        return Reply(words, None if sign.door == "visit" else Warned(sign.sign), is_alarm=True)

    def _again(self, understood: dict[str, Any], tracker: DialogueStateTracker | None, warned: Warned) -> Reply:
        """Say the care again in other words, before the few things that are answered meanwhile."""
        sign, intent = self._signs.signs[warned.sign], understood[INTENT][INTENT_NAME_KEY]
        wordings = self._again_to(sign)
        words = [self._said(wordings[warned.times % len(wordings)])]
        is_booking = intent == BOOK_APPOINTMENT or (tracker is not None and goes_on_booking(understood, tracker))
        may_book = sign.door != "emergency" or (tracker is not None and tracker.get_slot("booking_status") == "paused")
        goes_on = sign.sign != SELF_HARM and (may_book if is_booking else intent in self._answered)
        if tracker is not None and tracker.active_loop_name:
            # Who has gone on with the booking since then is held back no more in it, unless they ask of a topic.
            goes_on = goes_on or (sign.sign != SELF_HARM and not _asks(understood))
            words = [] if goes_on else words
        return Reply(words, Warned(warned.sign, warned.times + 1), goes_on=goes_on)

    def _is_graver(self, sign: Sign, other: Sign) -> bool:
        """Tell whether a sign is another one, and is to be told of before the other."""
        ranks = [self._rank(each) for each in (sign, other)]
        return sign.sign != other.sign and ranks[0] <= ranks[1]

    def _rank(self, sign: Sign) -> int:
        order = (sign.sign == SELF_HARM, sign.sign == VIOLENCE, sign.door == "emergency", sign.door == "today", True)
        return order.index(True)

    def _again_to(self, sign: Sign) -> list[str]:
        """Return the names of what is said again to a sign: its own, or that of its door."""
        again = [name for name in self._responses if name.startswith("utter_care_again_")]
        own = sign.response.replace("utter_care_", "utter_care_again_")
        return [name for name in again if name.startswith(f"{own}_")] or [
            name for name in again if name.startswith(f"utter_care_again_{sign.door}_")
        ]

    def _said(self, name: str) -> dict[str, Any]:
        """Return a message of the care's own."""
        response = self._responses[name][0]
        text = interpolate_text(response[TEXT], self._values)
        return {TEXT: text, "buttons": response.get("buttons", []), "utter_action": name}


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def _asks(understood: dict[str, Any]) -> bool:
    """Tell whether a message asks for something of the article."""
    return str(understood[INTENT][INTENT_NAME_KEY]).startswith(("ask_", "describe_")) and not understood[
        TEXT
    ].startswith(INTENT_MESSAGE_PREFIX)
