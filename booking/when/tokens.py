"""A text cut into tokens: the stretches of it that speak of time, each of one kind."""

import difflib
import re
from dataclasses import dataclass

from booking.reading.text import word_set
from booking.when.grammar import BOUND, DAY, MONTH, PATTERNS
from clinic.profile import WEEKDAYS

DAY_KINDS = frozenset(
    "date nth ordinal past relative weeks_ahead today week month weekday hours through loose".split()  # noqa: SIM905
)
HOUR_KINDS = frozenset({"part", "range", "clock", "meridiem"})
_FILLERS = word_set(
    "a about after again ah all also an and any anytime appointment around as at available be before best better book"
    " booking but by can case come could d day days do either else er evening fine flexible for free from fully get"
    " gets going good great guess have hello here hey hi hmm how i id if ill im in is it its just kind know late"
    " later let lets ll lol m make may maybe me mean meet mid mine my next no not of off ok okay on one only open"
    " opening or perhaps please pls possible prefer preferable preferably preferred rather really re see set"
    " should slot slots so some someday something sometime soon sorry suit suits sure tend thank thanks that thats"
    " the then there they think this time times to try u ur us usually very visit want we week well what when"
    " whenever will with won work works would yeah yep yes you your anything something possibly most every"
    " each do does doesn don t s ve space schedule scheduled el la los las y o por de month months year next"
)
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50}
_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_UNITS_IN_ORDER = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_IN_ORDER = {
    **{word: number for number, word in enumerate(_UNITS_IN_ORDER, 1)},
    **{"tenth": 10, "eleventh": 11, "twelfth": 12, "twelveth": 12, "twentieth": 20, "thirtieth": 30},
    **{f"{word}th": number for number, word in enumerate(_TEENS, 13)},
}
_COMPOUND = re.compile(
    rf"\b({'|'.join(_TENS)})(?:[\s-]+({'|'.join((*_UNITS, *_UNITS_IN_ORDER))})\b|(?=[^a-z]|$))"
    rf"|\b({'|'.join(_TEENS)}|{'|'.join(word for word, number in _IN_ORDER.items() if number > 9)})\b",
    re.IGNORECASE,
)
_SMALL_IN_ORDER = re.compile(
    rf"\b((?:the|on|{DAY}|{MONTH})\s+(?:the\s+)?)({'|'.join(_UNITS_IN_ORDER)})\b(?!\s+(?:{DAY}\b|week|available"
    rf"|possible|thing"
    r"|visit|time|appointment|opening|slot|one|half|floor|day|patient|name|number|option|choice|part|session"
    r"|of\s+all))",
    re.IGNORECASE,
)
# Days as Spanish names them, for those who answer an English question in it; and one word of Australia's.
_SPANISH = {
    "lunes": "monday", "martes": "tuesday", "miercoles": "wednesday", "miércoles": "wednesday", "jueves": "thursday",
    "viernes": "friday", "sabado": "saturday", "sábado": "saturday", "domingo": "sunday", "hoy": "today",
    "mañana": "tomorrow",
    "arvo": "afternoon", "tarde": "afternoon", "noche": "evening", "mediodia": "noon", "mediodía": "noon",
    "cualquier dia": "any day", "cualquier día": "any day", "proximo": "next", "próximo": "next",
    "proxima semana": "next week", "próxima semana": "next week", "por la mañana": "in the morning",
    "en la mañana": "in the morning", "por la tarde": "in the afternoon", "en la tarde": "in the afternoon",
    "por la noche": "in the evening", "de la tarde": "in the afternoon", "de la mañana": "in the morning",
    "lo antes posible": "as soon as possible", "despues de las": "after", "después de las": "after",
    "antes de las": "before", "a las": "at",
}  # fmt: skip
_SPANISH_WORDS = re.compile(rf"\b(?:{'|'.join(sorted(_SPANISH, key=len, reverse=True))})\b", re.IGNORECASE)
_KNOWN = [*WEEKDAYS, "tomorrow", "afternoon"]
_SURE = re.compile(
    r":|\dh|\d\.\d\d|half|noon|midday|midnight|clock|past|\bto\b|\bof\b|r\s+till?\b|m\b|ish\b|\d\+|hrs|hours"
    r"|or (?:so|later|after|earlier)"
)

_BETWEEN = re.compile(r"\bbetween\b", re.IGNORECASE)


@dataclass(frozen=True)
class Token:
    """A stretch of a text that speaks of time: what kind it is, its words, and where it stands."""

    kind: str
    words: str
    start: int
    end: int


def respell(text: str) -> str:
    """Return `text` with misspelt days put right ("saterday"), and numbers from thirteen on and ordinals as figures."""
    text = _SPANISH_WORDS.sub(lambda match: _SPANISH[match.group().lower()], text)
    text = re.sub(r"\b[A-Za-z]{6,11}\b", _day_put_right, text)
    text = _COMPOUND.sub(lambda match: _in_figures(match.group()), text)
    return _SMALL_IN_ORDER.sub(lambda match: match.group(1) + _in_figures(match.group(2)), text)


def _day_put_right(match: re.Match[str]) -> str:
    word = match.group().lower()
    plural = word.endswith("s") and not word.endswith("ss")
    near = difflib.get_close_matches(word[:-1] if plural else word, _KNOWN, n=1, cutoff=0.82)
    return (near[0] + "s" * plural) if near and near[0] != word else match.group()


def _in_figures(said: str) -> str:
    """Return a number in words ("twenty seventh", "thirty") in figures ("27th", "30")."""
    words = re.split(r"[\s-]+", said.lower())
    number = sum(
        _TENS.get(word)
        or _IN_ORDER.get(word)
        or (_UNITS.index(word) + 1 if word in _UNITS else _TEENS.index(word) + 13)
        for word in words
    )
    if words[-1] not in _IN_ORDER:
        return str(number)
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def tokenize(text: str, is_answer: bool = False) -> list[Token]:
    """Return what `text` says about time, in the order of the text.

    Args:
        is_answer: it answers the question for a time, so that bare figures such as "9-11" or "3" are hours.
    """
    found, masked = [], text
    for kind, pattern in PATTERNS:
        for match in list(pattern.finditer(masked)):
            before = text[: match.start()]
            if kind == "through" and "and" in match.group() and not _BETWEEN.search(before):
                continue
            if kind == "clock" and not (_is_clock(match.group(), before) or (is_answer and _is_hour(match.group()))):
                continue
            if kind == "range" and not (is_answer or _is_range(match.group(), masked[: match.start()])):
                continue
            found.append(Token(kind, match.group().strip(" ,"), match.start(), match.end()))
            masked = masked[: match.start()] + "\0" * (match.end() - match.start()) + masked[match.end() :]
    return sorted(found, key=lambda token: token.start)


def leftover_words(text: str, tokens: list[Token]) -> str:
    """Return the words of `text` that neither speak of time nor are such as people wrap a time in."""
    for token in tokens:
        text = text[: token.start] + " " * (token.end - token.start) + text[token.end :]
    words = re.findall(r"[^\s,;:.!?()/&+*\"…–—-]+(?:[-.][^\s,;:.!?()/&+*\"…–—-]+)*\.?", text)
    return " ".join(word for word in words if not set(re.split(r"['’]", word.lower().rstrip("."))) <= _FILLERS)


def says_when(tokens: list[Token]) -> bool:
    """Tell whether the tokens name a time, and do not only exclude one or greet."""
    return any(token.kind not in {"excludes", "greeting", "loose", "through"} for token in tokens)


def _is_clock(words: str, before: str) -> bool:
    """Tell whether a number is meant as an hour: only something beside it says so."""
    return bool(re.match(rf"{BOUND}\s+|@", words, re.IGNORECASE) or _SURE.search(words.lower()))


def _is_hour(words: str) -> bool:
    return bool(re.fullmatch(r"(?:0?[1-9]|1[0-2])", words.strip()))


def _is_range(words: str, before: str) -> bool:
    return bool(
        re.match(r"(?:between|from|any\s?time\s+from)\b", words, re.IGNORECASE)
        or re.search(r"[ap]\.?m|\d[:h]\d|noon|midday|clock", words.lower())
        or re.search(r"\b(?:at|around|about)\s*$", before[-12:], re.IGNORECASE)
        or (re.fullmatch(r"\d{1,2}\s*[-–—]\s*\d{1,2}", words) and before.strip(" ,\0") == "" and "\0" in before)
    )
