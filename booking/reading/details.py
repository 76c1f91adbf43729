"""What a booking request needs to know of a person, read from what they type. Pure functions, no Rasa."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from booking.reading.contacts import EMAIL_LIKE, PHONE_LIKE, Contact, contacts_in, parse_contact, written_digits
from booking.reading.names import GREETING, HINTED, SAID, SMALL_NAME_WORDS, parse_name
from booking.reading.text import LONGEST_MESSAGE, DetailError, is_about_health, is_code, is_question, tidy
from booking.when import times
from booking.when.times import Preference, parse_time
from clinic.profile import Clinic

__all__ = [
    "Contact",
    "DetailError",
    "Details",
    "Preference",
    "extract",
    "parse_contact",
    "parse_name",
    "parse_patient",
    "parse_reason",
    "parse_time",
]

Field = Literal["name", "contact", "time", "patient"]
Patient = Literal["new", "returning"]
FIELDS: tuple[Field, ...] = get_args(Field)
LONGEST_REASON = 200
_MOST_OTHER_WORDS = 3
_LEAVING = re.compile(
    r"\b(?:good)?bye\b|\bsee\s+(?:you|ya|u)\b|\btake\s+care\b|\bhave\s+an?\b|\bthat['’]?s\s+all\b|\bnever\s?mind\b"
    r"|\b(?:not|no,?)\s+(?:today|tonight|now)\b|\b(?:good)\s?night\b|^\W*(?:till|until)\s+tomorrow\W*$",
    re.IGNORECASE,
)
_RETURNING = re.compile(
    r"\bnot\s+(?:a\s+)?new\b|\breturning\b|\b(?:existing|current|old|former|previous|regular)\s+patient\b"
    r"|\b(?:been|was|came|come|visited|went|seen)\b[^,;.!?]*\b(?:before|last\s+(?:year|summer|winter|spring|fall|month)|again)\b"
    r"|\b(?:was|am|i['’]?m)\s+(?:already\s+)?a\s+patient\b|\balready\s+a\s+patient\b|\bsecond\s+time\b"
    r"|\bused\s+to\s+(?:go|come)\b|\bi\s+saw\s+\w+\s+before\b|\b(?:been|was)\s+(?:there|here|in)\b|\bcame\s+in\b",
    re.IGNORECASE,
)
_AGO = re.compile(r"\bago\b|^\W*(?:yeah|yep|yes)\W+\w", re.IGNORECASE)
_NEW = re.compile(
    r"\bnew(?:bie)?\b|\bfirst[\s-](?:time(?:r)?|visit|appointment)\b|\bnever\s+(?:been|seen|visited|come|was)\b"
    r"|\b(?:have|has|am|was|i['’]ve)(?:n['’]?t|\s+not)\s+(?:been|visited|come)\b|\bhaven['’]?t\s+been\b|\bnot\s+(?:been|returning|yet)\b"
    r"|\bno,?\s+(?:i\s+)?have(?:n['’]?t|\s+not)\b|\bnon-?patient\b",
    re.IGNORECASE,
)
_WISH = re.compile(
    r"\b(?:book\w*|appointments?|visits?|schedul\w+|slots?|openings?|come|get\s+in|be\s+seen|see\s+(?:someone|somebody|you|an?))\b",
    re.IGNORECASE,
)
_OF_THE_PAST = re.compile(
    r"\b(?:since|ago|started|began|happened|fell|had|was|were|been|hurt\s+(?:it|my))\b", re.IGNORECASE
)
_BARE_PATIENT = re.compile(
    rf"^{GREETING}(?:(?:i['’]?m|i\s+am|it['’]?s|it\s+is|as)\s+)?(?:actually\s+)?(?:an?\s+|the\s+|my\s+|brand\s+)*"
    r"(?:new|newbie|new\s+here|new\s+to\s+(?:the\s+clinic|you(?:\s+guys)?)|returning|regular|existing"
    r"|first\s+(?:time|visit|appointment|timer)(?:\s+(?:here|with\s+you))?|second\s+time"
    r"|(?:new|returning|existing|current|old|former|regular|repeat|first[\s-]time)\s+(?:patient|client|customer)"
    r"|(?:i['’]?ve\s+|i\s+have\s+)?(?:never\s+)?been\s+(?:there\s+|here\s+|in\s+|with\s+you\s+)?before"
    r"|(?:i['’]?ve\s+|i\s+have\s+)?never\s+been(?:\s+(?:here|there|to\s+your\s+clinic))?)"
    r"(?:\s+(?:here|too|please|actually|lol))*[\s.!]*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Details:
    """What is known of a person's wish, and why a part of what they typed was not taken.

    Attributes:
        faults: by field, why a value that was recognised is refused, such as `time_closed`.
    """

    name: str | None = None
    contact: Contact | None = None
    time: Preference | None = None
    patient: Patient | None = None
    faults: Mapping[Field, DetailError] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in FIELDS)


def parse_patient(text: str) -> Patient:
    """Read whether a person is new to the clinic, from the answer to that question.

    Raises:
        DetailError: `patient_unclear`, `too_long`.
    """
    whole = tidy(text, LONGEST_MESSAGE)
    if is_code(whole) or is_question(whole):
        raise DetailError("patient_unclear")
    if re.search(r"\bnot\s+(?:a\s+)?new\b", whole, re.IGNORECASE):
        return "returning"
    if _NEW.search(whole):
        return "new"
    if _AGO.search(whole) and not is_about_health(whole):
        return "returning"
    if _RETURNING.search(whole) or re.fullmatch(r"\W*(?:regular|existing|repeat)\W*", whole, re.IGNORECASE):
        return "returning"
    raise DetailError("patient_unclear")


def parse_reason(text: str) -> str:
    """Read what a visit is about: any words, without markup.

    Raises:
        DetailError: `reason_unclear` for markup, an address or nothing; `too_long`.
    """
    words = tidy(text, LONGEST_REASON)
    if is_code(words) or not any(mark.isalpha() for mark in words):
        raise DetailError("reason_unclear")
    return words


def extract(text: str, clinic: Clinic, now: datetime.datetime, asks_to_book: bool = False) -> Details:
    """Take what one message tells of a booking, several things at once; nothing is guessed.

    A bare name counts only beside a contact, or written as one beside a time.
    What is recognised and cannot be taken ("sunday") stands in `faults`.

    Args:
        asks_to_book: the message asks for a visit, so that a day beside that wish is part of it, whatever else is told.
    """
    try:
        whole = written_digits(tidy(text, LONGEST_MESSAGE))
    except DetailError:
        return Details()
    if re.search(r"<|>|\$\{|https?:", whole):
        return Details()
    found: dict[str, Any] = {}
    faults: dict[Field, DetailError] = {}
    masked = whole
    contacts = contacts_in(whole, clinic)
    if contacts:
        found["contact"] = contacts[0][0]
        for _, start, end in contacts:
            masked = masked[:start] + "\n" * (end - start) + masked[end:]
    elif EMAIL_LIKE.search(whole):
        faults["contact"] = DetailError("email_malformed")
    elif PHONE_LIKE.search(whole) and not times.pieces(whole):
        faults["contact"] = DetailError("phone_impossible")
    if not (contacts or asks_to_book) and (is_question(whole) or is_about_health(whole) or _LEAVING.search(whole)):
        return Details()
    spoken: list[str] = []
    left = [_take_patient(segment, found) for segment in _segments(masked)]
    if asks_to_book:
        left = [_take_wish(segment, spoken) for segment in left]
    left = [_take_time(segment, found, spoken, sure=bool(contacts)) for segment in left if segment]
    beside = bool(contacts or spoken or "patient" in found)
    names: list[str] = []
    others: list[str] = []
    for segment in filter(None, left):
        name = _name_in(segment, sure=bool(contacts), beside=beside)
        (names if name else others).append(name or segment)
    # A message that mostly tells something else is a story or a question, in which a day is no wish.
    if not (contacts or asks_to_book) and len(times.rest(" ".join(others), []).split()) > _MOST_OTHER_WORDS:
        return Details()
    if names:
        found.setdefault("name", names[0])
    if spoken:
        try:
            found["time"] = parse_time(", ".join(spoken), clinic, now)
        except DetailError as error:
            if error.reason != "time_unclear":
                faults["time"] = error
    return Details(**found, faults=faults)


def is_patient(text: str) -> bool:
    """Tell whether `text` says no more than that someone is new to the clinic, or not."""
    return bool(_BARE_PATIENT.match(text))


def _segments(text: str) -> list[str]:
    """Return the parts of a message that stand for themselves."""
    parts = re.split(
        r"\n+|[,;!]+|(?<=\D)\.(?=\s|$)|\s[/|–—-]\s|\s+(?:and|so|but)\s+(?=(?:my|i|i['’]m|can|could|the|call|reach|new|returning)\b)"
        r"|\s+because\s+",
        text,
    )
    return [part.strip(" .:-/()") for part in parts if part and part.strip(" .:-/()")]


def _take_patient(segment: str, found: dict[str, Any]) -> str:
    """Take `new` or `returning` out of a segment; return what is left of it."""
    if is_patient(segment):
        found.setdefault("patient", parse_patient(segment))
        return ""
    inside = re.search(r"\s+(?:a\s+)?(new|returning|existing)\s+patient\b", segment, re.IGNORECASE)
    if inside and not is_question(segment):
        found.setdefault("patient", "new" if inside.group(1).lower() == "new" else "returning")
        return f"{segment[: inside.start()]} {segment[inside.end() :]}".strip()
    return segment


def _take_wish(segment: str, spoken: list[str]) -> str:
    """Take the time of a visit that a segment asks for into `spoken`; return what is left of it."""
    respelt = times.respell(segment)
    pieces = [piece for piece in times.pieces(respelt) if piece.kind != "greeting"]
    if not (times.says_when(pieces) and _WISH.search(segment)) or _OF_THE_PAST.search(segment):
        return segment
    spoken.append(respelt[pieces[0].start : pieces[-1].end])
    return ""


def _take_time(segment: str, found: dict[str, Any], spoken: list[str], sure: bool) -> str:
    """Take words about time out of a segment into `spoken`; return what is left of it."""
    respelt = times.respell(segment)
    pieces = times.pieces(respelt)
    if not times.says_when(pieces):
        return segment
    left = times.rest(respelt, pieces)
    name = _name_in(left, sure=sure, beside=True) if left else None
    if name:
        found.setdefault("name", name)
    # With a contact in the message it is an answer to the form, whatever else it tells; without one it may be a story.
    elif left and (not sure or is_about_health(left) or is_question(segment)):
        return left
    kept = [piece for piece in pieces if piece.kind != "greeting"]
    spoken.append(respelt[kept[0].start : kept[-1].end])
    return ""


def _name_in(segment: str, sure: bool, beside: bool) -> str | None:
    """Return the name that a segment holds, if anything says that it is one.

    Args:
        sure: a contact stands in the same message.
        beside: anything else of a booking does.
    """
    said, hinted = SAID.match(segment), HINTED.match(segment)
    try:
        name = parse_name(segment)
    except DetailError:
        return None
    written = all(not word[0].islower() for word in name.split() if word not in SMALL_NAME_WORDS)
    if said or sure or (written and (hinted or (beside and len(name.split()) <= 4))):
        return name
    return None
