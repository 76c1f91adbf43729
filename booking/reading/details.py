"""What a booking request needs to know of a person, read from what they type. Pure functions, no Rasa."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from booking.reading.contacts import EMAIL_LIKE, PHONE_LIKE, Contact, contacts_in, written_digits
from booking.reading.names import HINTED, SAID, SMALL_NAME_WORDS, parse_name
from booking.reading.notes import joined, note_in
from booking.reading.patient import Patient, SomeoneElse, is_patient, parse_patient, someone_else
from booking.reading.text import (
    LONGEST_MESSAGE,
    InvalidAnswer,
    has_markup_or_link,
    is_about_health,
    is_question,
    normalise,
)
from booking.when import tokens
from booking.when.preference import Preference, parse_time
from clinic.profile import Clinic

Field = Literal[
    "name", "contact", "second_contact", "time", "patient", "patient_name", "patient_relation", "reason", "note"
]
FIELDS: tuple[Field, ...] = get_args(Field)
LONGEST_REASON = 200
LONGEST_NOTE = 400
_MOST_OTHER_WORDS = 3
_LEAVING = re.compile(
    r"\b(?:good)?bye\b|\bsee\s+(?:you|ya|u)\b|\btake\s+care\b|\bhave\s+an?\b|\bthat['’]?s\s+all\b|\bnever\s?mind\b"
    r"|\b(?:not|no,?)\s+(?:today|tonight|now)\b|\b(?:good)\s?night\b|^\W*(?:till|until)\s+tomorrow\W*$",
    re.IGNORECASE,
)
_WISH = re.compile(
    r"\b(?:book\w*|appointments?|visits?|schedul\w+|slots?|openings?|come|get\s+in|be\s+seen|see\s+(?:someone"
    r"|somebody|you|an?))\b",
    re.IGNORECASE,
)
_OF_THE_PAST = re.compile(
    r"\b(?:since|ago|started|began|happened|fell|had|was|were|been|hurt\s+(?:it|my))\b", re.IGNORECASE
)
# book, I'd like to make an appointment for, schedule me:
_WISH_LEAD = re.compile(
    r"^(?:(?:hi|hello|hey|hola|ok|okay|yes|please|so|good\s+(?:morning|afternoon"
    r"|evening))\b(?:\s+there)?[\s,.!-]*){0,3}"
    r"(?:(?:i['’]?d|i|we|we['’]?d|he|she)\s+(?:(?:would|really|also|just)\s+)?(?:like|love|want|wanna|need|wish"
    r"|has|have)\s+(?:to\s+)?"
    r"|(?:can|could|may|would)\s+(?:i|you|we)\s+(?:please\s+)?|please\s+|looking\s+(?:to|for)\s+|trying\s+to\s+"
    r"|let['’]?s\s+)?"
    r"(?:(?:book|make|schedule|get|have|set\s+up|arrange|request|reserve|sign\s+up)\b\s*(?:(?:me|us|in"
    r"|up)\b\s*)?(?:for\s+)?)?"
    r"(?:(?:an?|my|the|one|some|new|first)\s+){0,2}(?:appointments?|appt|visits?|session|consult(?:ation)?"
    r"|evaluation|eval|assessment|slot|booking)?"
    r"(?:\s+(?:for|with)(?=\s|$))?(?:\s+(?:under|in)\s+(?:the\s+)?name(?:\s+of)?)?[\s,:.-]*",
    re.IGNORECASE,
)
_WISH_TAIL = re.compile(
    r"[\s,]+(?:(?:and\s+)?(?:i['’]?d|i)\s+(?:would\s+)?(?:like|want|need)|needs?|wants?"
    r"|would\s+like)\s+(?:to\s+)?(?:(?:book|make|schedule|get|have|see)\b.{0,40}"
    r"|(?:an?\s+)?(?:appointment|visit|session|appt)\b.{0,20})$",
    re.IGNORECASE,
)
# an appointment with Dr Thomas, to see a female therapist
_WITH_DOCTOR = re.compile(
    r"\s(?:with|to\ssee|see)\s((?:dr|doctor)\s\w+|an?\s(?:fe)?male\s\w+|a\s(?:woman|man)(?:\s\w+)?)", re.IGNORECASE
)
_LABELS: dict[str, str] = {
    "name": r"(?:full\s+|my\s+|patient(?:['’]s)?\s+)?name",
    "contact": r"(?:phone|mobile|cell|telephone|tel|number|e-?mail|contact)(?:\s+(?:number|address))?(?:\s+no\.?)?",
    "time": r"(?:(?:preferred|best)\s+)?(?:time|date|day|when|availability)(?:\s+and\s+(?:time|date))?",
    "reason": r"reason(?:\s+for\s+(?:the\s+)?visit)?|about|complaint|problem|issue",
    "patient": r"(?:new(?:\s+or\s+returning)?(?:\s+patient)?|patient(?:\s+status)?)",
    "note": r"notes?|comments?|message",
}
_LABEL = re.compile(
    rf"(?:^|(?<=[\s,;|/]))(?:{'|'.join(f'(?P<{name}>{words})' for name, words in _LABELS.items())})\s*[:=]\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Details:
    """What is known of a person's wish, and why a part of what they typed was not taken.

    Attributes:
        second_contact: the other way to reach them, a number beside an address.
        patient: whether the patient has been to the clinic before.
        patient_name: the patient, where somebody else writes; `patient_relation` says what they are to each other.
        faults: by field, why a value that was recognised is refused, such as `time_closed`.
    """

    name: str | None = None
    contact: Contact | None = None
    second_contact: Contact | None = None
    time: Preference | None = None
    patient: Patient | None = None
    patient_name: str | None = None
    patient_relation: str | None = None
    reason: str | None = None
    note: str | None = None
    faults: Mapping[Field, InvalidAnswer] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in FIELDS)


def parse_reason(text: str) -> str:
    """Read what a visit is about: any words, without markup.

    Raises:
        InvalidAnswer: `reason_unclear` for markup, an address or nothing; `too_long`.
    """
    words = normalise(text, LONGEST_REASON)
    if has_markup_or_link(words) or not any(mark.isalpha() for mark in words):
        raise InvalidAnswer("reason_unclear")
    return words


def extract(text: str, clinic: Clinic, now: datetime.datetime, asks_to_book: bool = False) -> Details:
    """Take what one message tells of a booking, several things at once; nothing is guessed.

    A bare name counts only beside a contact or the wish for a visit, or written as one beside a time.
    What is recognised and cannot be taken ("sunday") stands in `faults`.

    Args:
        asks_to_book: the message asks for a visit, so that a day beside that wish is part of it, whatever else is told.
    """
    try:
        whole = written_digits(normalise(text, LONGEST_MESSAGE))
    except InvalidAnswer:
        return Details()
    if re.search(r"<|>|\$\{|https?:", whole):
        return Details()
    return _Extraction(clinic, now, asks_to_book).read(whole)


class _Extraction:
    """Reads one message."""

    def __init__(self, clinic: Clinic, now: datetime.datetime, asks_to_book: bool) -> None:
        self._clinic = clinic
        self._now = now
        self._asks_to_book = asks_to_book
        self._found: dict[str, Any] = {}
        self._faults: dict[Field, InvalidAnswer] = {}
        self._spoken: list[str] = []

    def read(self, whole: str) -> Details:
        masked, has_contact = self._take_contacts(whole)
        labelled = _labelled(masked)
        if len(labelled) > 1 or (labelled and has_contact):
            self._take_labelled(labelled)
            return self._details()
        told_by_question = is_question(whole) or is_about_health(whole) or _LEAVING.search(whole)
        if not (has_contact or self._asks_to_book) and told_by_question:
            return Details()
        sure = has_contact
        left = [self._take_patient(segment) for segment in _segments(masked)]
        left = [self._take_note_or_someone(segment) for segment in left if segment]
        if self._asks_to_book:
            left = [self._take_wish(segment) for segment in left if segment]
        left = [self._take_time(segment, sure) for segment in left if segment]
        beside = bool(has_contact or self._spoken or "patient" in self._found or self._asks_to_book)
        names: list[str] = []
        others: list[str] = []
        for segment in filter(None, left):
            name = _name_in(segment, sure=sure, beside=beside)
            (names if name else others).append(name or segment)
        # A message that mostly tells something else is a story or a question, in which a day is no wish.
        many_others = len(tokens.leftover_words(" ".join(others), []).split()) > _MOST_OTHER_WORDS
        if not (has_contact or self._asks_to_book) and many_others:
            return Details()
        if names:
            self._found.setdefault("name", names[0])
        return self._details()

    def _details(self) -> Details:
        if self._spoken:
            try:
                self._found["time"] = parse_time(", ".join(self._spoken), self._clinic, self._now, is_answer=False)
            except InvalidAnswer as error:
                if error.reason != "time_unclear":
                    self._faults["time"] = error
        return Details(**self._found, faults=self._faults)

    def _take_contacts(self, whole: str) -> tuple[str, bool]:
        """Take the contacts; return the text with a line's end for each, and whether there was one."""
        contacts = contacts_in(whole, self._clinic)
        masked = whole
        for _, start, end in contacts:
            masked = masked[:start] + "\n" * (end - start) + masked[end:]
        if contacts:
            first = contacts[0][0]
            self._found["contact"] = first
            second = next((contact for contact, _, _ in contacts if contact.kind != first.kind), None)
            if second:
                self._found["second_contact"] = second
        elif EMAIL_LIKE.search(whole):
            self._faults["contact"] = InvalidAnswer("email_malformed")
        elif PHONE_LIKE.search(whole) and not tokens.tokenize(whole):
            self._faults["contact"] = InvalidAnswer("phone_impossible")
        return masked, bool(contacts)

    def _take_labelled(self, labelled: dict[str, str]) -> None:
        for name, value in labelled.items():
            said = value.strip(" \n,;|/.")
            try:
                if name == "name":
                    self._found["name"] = parse_name(said)
                elif name == "time":
                    self._spoken.append(said)
                elif name == "reason":
                    self._found["reason"] = parse_reason(said)
                elif name == "patient":
                    self._found["patient"] = _patient_of_label(said)
                elif name == "note" and said:
                    self._found["note"] = normalise(said, LONGEST_NOTE)
            except InvalidAnswer:
                continue

    def _take_patient(self, segment: str) -> str:
        """Take `new` or `returning` out of a segment; return what is left of it."""
        if is_patient(segment):
            self._found.setdefault("patient", parse_patient(segment))
            return ""
        inside = re.search(r"\s(?:a\s)?(new|returning|existing)\spatient\b", segment, re.IGNORECASE)
        if inside and not is_question(segment):
            self._found.setdefault("patient", "new" if inside.group(1).lower() == "new" else "returning")
            return f"{segment[: inside.start()]} {segment[inside.end() :]}".strip()
        return segment

    def _take_note_or_someone(self, segment: str) -> str:
        """Take who the visit is for, or a note, out of a segment; return what is left of it."""
        other = someone_else(segment) if self._asks_to_book or "contact" in self._found else None
        if other:
            self._found.setdefault("patient_relation", other.relation)
            if other.name:
                self._found.setdefault("patient_name", other.name)
            if other.writer:
                self._found["name"] = other.writer
            return _without_someone(segment, other)
        if self._asks_to_book and _WISH.search(segment):
            doctor = _WITH_DOCTOR.search(segment)
            if doctor:
                self._found["note"] = joined(self._found.get("note"), f"with {doctor.group(1)}", LONGEST_NOTE)
                segment = f"{segment[: doctor.start()]} {segment[doctor.end() :]}"
            return segment
        note = note_in(segment) if self._asks_to_book or "contact" in self._found else None
        if note and not is_about_health(note):
            self._found["note"] = joined(self._found.get("note"), note, LONGEST_NOTE)
            return ""
        return segment

    def _take_wish(self, segment: str) -> str:
        """Take the time of a visit that a segment asks for; return what is left of it beside that wish."""
        respelt = tokens.respell(segment)
        found = [token for token in tokens.tokenize(respelt) if token.kind != "greeting"]
        if tokens.says_when(found) and _WISH.search(segment) and not _OF_THE_PAST.search(segment):
            self._spoken.append(respelt[found[0].start : found[-1].end])
            segment = f"{respelt[: found[0].start]} {respelt[found[-1].end :]}".strip()
        bare = _WISH_TAIL.sub("", _WISH_LEAD.sub("", segment.strip(), count=1), count=1).strip(" ,.:-")
        bare = re.sub(r"\s(?:on|at|for|this|next|by)$", "", bare)
        return "" if is_about_health(bare) or is_question(bare) else bare

    def _take_time(self, segment: str, sure: bool) -> str:
        """Take words about time out of a segment; return what is left of it."""
        respelt = tokens.respell(segment)
        found = tokens.tokenize(respelt)
        if not tokens.says_when(found):
            return segment
        left = tokens.leftover_words(respelt, found)
        name = _name_in(left, sure=sure, beside=True) if left else None
        if name:
            self._found.setdefault("name", name)
        # With a contact beside it, it is an answer to the form, whatever else it tells; without one it may be a story.
        elif left and (not sure or is_about_health(left) or is_question(segment)):
            return left
        kept = [token for token in found if token.kind != "greeting"]
        self._spoken.append(respelt[kept[0].start : kept[-1].end])
        return ""


def _labelled(text: str) -> dict[str, str]:
    """Return the values of a text of labels ("Name: Ana Ruiz Phone: ..."), by field."""
    found = list(_LABEL.finditer(text))
    values: dict[str, str] = {}
    for place, match in enumerate(found):
        end = found[place + 1].start() if place + 1 < len(found) else len(text)
        values.setdefault(str(match.lastgroup), text[match.end() : end])
    return values


def _patient_of_label(said: str) -> Patient:
    if re.match(r"\W*(?:yes|new|y)\b", said, re.IGNORECASE):
        return "new"
    return "returning" if re.match(r"\W*no\b", said, re.IGNORECASE) else parse_patient(said)


def _without_someone(segment: str, other: SomeoneElse) -> str:
    """Return what a segment says beside who the visit is for."""
    known = other.name or other.writer or ""
    rest = segment[segment.lower().find(known.lower()) + len(known) :] if known else ""
    if not known:
        rest = re.split(rf"\b{other.relation}\b", segment, maxsplit=1, flags=re.IGNORECASE)[-1]
    return rest.strip(" ,.;:-") if tokens.says_when(tokens.tokenize(tokens.respell(rest))) else ""


def _segments(text: str) -> list[str]:
    """Return the parts of a message that stand for themselves."""
    parts = re.split(
        r"\n+|[,;!?]+|(?<=\D)\.(?=\s|$)|\s[/|–—-]\s|\s(?:and|so|but)\s(?=(?:my|i|i['’]m|im|can|could|the|call"
        r"|text|reach|new|returning|please|tell|have)\b)"
        r"|\sbecause\s|\s(?=please\s(?:call|text|e-?mail|phone)\b)",
        re.sub(r"\b(Dr|Mr|Mrs|Ms)\.\s", r"\1 ", text),
    )
    return [part.strip(" .:-/()") for part in parts if part and part.strip(" .:-/()")]


def _name_in(segment: str, sure: bool, beside: bool) -> str | None:
    """Return the name that a segment holds, if anything says that it is one.

    Args:
        sure: a contact stands in the same message.
        beside: anything else of a booking does.
    """
    said, hinted = SAID.match(segment), HINTED.match(segment)
    try:
        name = parse_name(segment)
    except InvalidAnswer:
        return None
    written = all(not word[0].islower() for word in name.split() if word not in SMALL_NAME_WORDS)
    if said or sure or (written and (hinted or (beside and len(name.split()) <= 4))):
        return name
    return None


def said_name(text: str) -> str | None:
    """Return the name that a message outside the form gives in so many words: "hi this is Ivy", "my name is Tom"."""
    for segment in _segments(text[:LONGEST_MESSAGE]):
        if is_about_health(segment):
            continue
        if SAID.match(segment) or HINTED.match(segment):
            name = _name_in(segment, sure=False, beside=False)
            if name:
                return name
    return None
