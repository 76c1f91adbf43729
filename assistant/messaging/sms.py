"""Text messages as carriers handle them: the GSM-7 alphabet, segments, and the words that are theirs.

The alphabet and the sizes of segments: 3GPP TS 23.038 and 23.040.
"""

import re
import unicodedata
from math import ceil

MOST_SEGMENTS = 10
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´ʼ", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("•‣·▪●", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\t", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
        "…": "...",
        "×": "x",
        "→": "->",
        "™": "(TM)",
        "°": " degrees",
        "½": "1/2",
        **dict(zip("ŁłĐđŒœıŐőŰű", ("L", "l", "D", "d", "OE", "oe", "i", "Ö", "ö", "Ü", "ü"), strict=True)),
    }
)
# By what carriers and Twilio do at them, with the words that we use instead.
KEYWORDS = {
    "STOP": ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"),
    "START": ("START", "UNSTOP"),
    "HELP": ("HELP", "INFO"),
}
# What also undoes STOP, and is an answer like any other before it.
YES = "YES"
_INSTEAD = {"STOP": "never mind", "START": "hello", "HELP": "what can you answer"}
_MEANINGS = {word: meaning for meaning, words in KEYWORDS.items() for word in words}
_ALL = "|".join(_MEANINGS)
_QUOTED = re.compile(rf"(?P<before>[\"“‘'])(?P<word>{_ALL})(?P<after>[.,!?]?[\"”’'])", re.IGNORECASE)
_TOLD = re.compile(
    rf"\b(?P<before>(?:text|reply|type|send|say|answer|write)(?: with)? )(?P<word>{_ALL})\b", re.IGNORECASE
)


def segments(text: str) -> int:
    """Return how many segments a text takes: 160 septets or, joined, 153 each; outside GSM-7, 70 or 67 UTF-16 units."""
    if _is_gsm_7(text):
        length, alone, joined = sum(2 if mark in _EXTENDED else 1 for mark in text), 160, 153
    else:
        length, alone, joined = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if length <= alone else ceil(length / joined)


def in_gsm_7(text: str) -> str:
    """Return a text in GSM-7 where it can be written so: plain quotes and dashes, letters without foreign accents.

    A mark that has no likeness there stays, and makes the whole message one of UCS-2.
    """
    return "".join(mark if mark in _BASIC | _EXTENDED else _likeness(mark) for mark in text.translate(_PLAIN))


def keyword(text: str) -> str | None:
    """Return STOP, START, HELP or YES when a text is nothing but a word by which carriers take it for that.

    What only resembles a word for help, such as "help!!!", may be a cry for it that no carrier answers.
    """
    word = re.sub(r"[^A-Z]", "", text.upper()) if len(text.split()) == 1 else ""
    meaning = YES if word == YES else _MEANINGS.get(word)
    return None if meaning == "HELP" and text.strip().upper() != word else meaning


def free_of_keywords(text: str) -> str:
    """Return a text that asks for no word of the carriers' as an answer, or offers one as a choice."""
    meaning = keyword(text)
    if meaning in _INSTEAD:
        return _INSTEAD[meaning].capitalize()
    return _TOLD.sub(_without, _QUOTED.sub(_without, text))


def _without(found: re.Match[str]) -> str:
    parts = found.groupdict()
    return f"{parts['before']}{_INSTEAD[_MEANINGS[parts['word'].upper()]]}{parts.get('after', '')}"


def _is_gsm_7(text: str) -> bool:
    return all(mark in _BASIC or mark in _EXTENDED for mark in text)


def _likeness(mark: str) -> str:
    letter = unicodedata.normalize("NFD", mark)[0]
    return letter if letter in _BASIC and letter.isalpha() else mark
