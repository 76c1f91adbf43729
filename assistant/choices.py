"""Choices: the buttons that answers offer, and which of them is meant by what a person types."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Button = Mapping[str, str]

LONGEST_KEY = 64
_ORDINALS = (
    ("one", "first"),
    ("two", "second"),
    ("three", "third"),
    ("four", "fourth"),
    ("five", "fifth"),
    ("six", "sixth"),
    ("seven", "seventh"),
    ("eight", "eighth"),
    ("nine", "ninth"),
)
_NUMBERS = {word: str(place) for place, words in enumerate(_ORDINALS, start=1) for word in words}
_BEFORE = frozenset(
    {"the", "number", "no", "nr", "choice", "option", "answer", "its", "is", "my", "i", "ill", "take", "pick"}
)
_AFTER = frozenset({"please", "pls", "thanks", "thank", "you", "then", "one", "option", "choice"})
_MOST_DIGITS = 2


def offer(said: Iterable[Mapping[str, Any]]) -> list[Button]:
    """Return the buttons of all that was said to one message, in their order and each once.

    A person sees them numbered from 1 where the channel has no buttons.
    """
    buttons: dict[tuple[str, str], Button] = {}
    for message in said:
        for button in message.get("buttons") or message.get("quick_replies") or []:
            buttons.setdefault((button["title"], button["payload"]), button)
    return list(buttons.values())


def is_closed(said: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the last thing that was said offers buttons, so that a number can answer it."""
    return bool(said and offer(said[-1:]))


def key(payload: str) -> str:
    """Return what a platform may carry for a button: its payload, or a digest of one that is longer than 64 bytes.

    A payload of plain words becomes a digest too, since an old button must not speak where it is not on offer.
    """
    if payload.startswith("/") and len(payload.encode()) <= LONGEST_KEY:
        return payload
    return f"/{hashlib.sha256(payload.encode()).hexdigest()[:32]}"


def pressed(text: str, offered: Sequence[Button]) -> str | None:
    """Return the payload of the button that sent `text`, or None when none of the offered did."""
    return next((button["payload"] for button in offered if text in (button["payload"], key(button["payload"]))), None)


def chosen(text: str, offered: Sequence[Button], is_numbered: bool, is_in_sight: bool = False) -> str | None:
    """Return the payload of the offered button that `text` names, or None.

    A label is named by its words, whatever their case and punctuation. A number counts only where the offer was shown
    with numbers: "2", "2.", "number 2", "the second one", "2 no, I am new". Where it is in sight without them, its
    place must be told in words: "number 2", "the second one".
    """
    words = _words(text)
    for button in offered:
        if words and words in (_words(button["title"]), [*_words(button["title"]), "please"]):
            return button["payload"]
    place, rest = _numbered(words)
    counts = is_numbered or (is_in_sight and not words[0].isdecimal())
    if not counts or place is None or not 1 <= place <= len(offered):
        return None
    button = offered[place - 1]
    return button["payload"] if not rest or rest == _words(button["title"]) else None


def _numbered(words: list[str]) -> tuple[int | None, list[str]]:
    """Return the number that words begin with, courtesies aside, and the words left after it."""
    while words and words[0] in _BEFORE:
        words = words[1:]
    if not words:
        return None, []
    first = _NUMBERS.get(words[0], words[0])
    rest = words[1:]
    while rest and rest[-1] in _AFTER:
        rest = rest[:-1]
    return (int(first), rest) if first.isdecimal() and len(first) <= _MOST_DIGITS else (None, [])


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return re.findall(r"\w+", re.sub(r"['’`]", "", plain))
