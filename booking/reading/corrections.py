"""Corrections of what was said before."""

import datetime
import difflib
import re
from dataclasses import replace
from typing import Any

import phonenumbers

from booking.reading.contacts import Contact, contacts_in, in_clear, parse_contact, written_digits
from booking.reading.details import FIELDS, Details, extract, is_patient, parse_reason
from booking.reading.names import HINTED, joined_letters, parse_name
from booking.reading.text import LONGEST_MESSAGE, DetailError, is_about_health, is_code, is_question, tidy
from booking.when import times
from booking.when.times import Preference, parse_time
from clinic.profile import Clinic

_LEAD = re.compile(
    r"^(?:\*|(?:no|nope|nah|actually|sorry|wait|hold on|hang on|oo+ps|whoops|ah|oh|hmm|err|ugh|um|well|correction"
    r"|my (?:bad|mistake)|scratch that|(?:on )?second thoughts?|please|pls|ok(?:ay)?|but|typo"
    r"|(?:can|could|would|will) (?:you|we|i)|i(?:['’]d| would) (?:like|rather|prefer)(?: to)?|i (?:want|need)(?: to)?"
    r"|let(?:['’]?s| me)|(?:i )?(?:actually )?meant?|i said|(?:(?:it|that|this) )?should(?: have)? be(?:en)?"
    r"|make (?:that|it|this|them)|(?:change|switch|swap|move|update|correct|fix|set|edit|put|replace|use)"
    r"(?: (?:that|it|this|my|the|number|phone|e-?mail|day|date|time|contact|visit|appointment))*"
    r"(?: (?:to|as|for|with)\b)?|rather|instead(?! of)|do|try|go (?:with|for)|say"
    r"|(?:my |the )?(?:phone|number|cell|mobile|e-?mail|contact|time|day|date)(?: number| address)?"
    r"(?:['’]s| is| should be)"
    r"(?=(?: actually)? [\w+.-]*[\d@]|(?: actually)?(?: on)? (?:mon|tue|wed|thu|fri|sat|sun|tom))"
    r")\b[\s,.:;!-]*)+",
    re.IGNORECASE,
)
_HEDGED = r"(?:(?:it['’]?s|its|it\s+is|that['’]?s|is|are|should\s+be)\s+)?(?:actually\s+)?"
_ENDING = re.compile(
    r"\b(?:(?:ends?|ending|finish(?:es)?)\s+(?:in|with|on)"
    r"|last\s+(?:\w+\s+)?(?:digits?|numbers?|figures?)\s+(?:is|are|should\s+be))\s+(\d[\d\s-]{0,12})"
    r"|\b(\d[\d-]{0,7})\s+at\s+the\s+end\b",
    re.IGNORECASE,
)
_AREA = re.compile(r"\barea\s+code(?:['’]?s|\s+is|\s+should\s+be)?\s+(\d{3})\b", re.IGNORECASE)
# Three to seven digits alone are the end of a telephone number: fewer may be an hour, more are a number.
_LAST_DIGITS = re.compile(
    rf"(?:^|.*,\s*|.*\b(?=(?:it['’]?s|its|is)\s)){_HEDGED}\*?((?:\d-?){{3,7}})\*?$", re.IGNORECASE
)
_SWAPS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^(?:.*[\s,])?{_HEDGED}(?P<right>\S+),?\s+(?:not|instead\s+of|rather\s+than)\s+(?P<wrong>\S+)$",
        rf"^{_HEDGED}(?:not|instead\s+of)\s+(?P<wrong>\S+?),?\s+{_HEDGED}(?P<right>\S+)$",
    )
)
_SPELLED = re.compile(rf"\b{_HEDGED}(?:spell(?:ed|t)?|written)\s+(?:as\s+|like\s+)?(.+)$", re.IGNORECASE)
_NAME_PART = re.compile(
    r"\b(first|given|last|family|sur)\s?-?name(?:['’]?s|\s+is|\s+should\s+be|\s+to)?\s+(?:actually\s+)?(\S.*?)(?:\s+now)?$",
    re.IGNORECASE,
)
_NAME_GIVEN = re.compile(
    r"\bname(?:['’]?s|\s+is|\s+to|\s+should\s+be|\s+as|:)\s+(?:actually\s+)?(\S.*)$", re.IGNORECASE
)
_WRONG_AFTER = re.compile(r"(?<!\bbut)[\s,]+(?:and\s+)?(?:not|instead\s+of|rather\s+than)\s+[^,;]+$", re.IGNORECASE)
_WRONG_BEFORE = re.compile(
    r"^(?:it['’]?s\s+)?(?:not|instead\s+of|you\s+(?:wrote|put|said)|(?:i\s+)?never\s+said)\s+[^,;]+[,;]\s*(?:it['’]?s\s+|but\s+)?"
    r"(?=\S)",
    re.IGNORECASE,
)
_WRONG_CLAUSE = re.compile(
    r"\b(?:does|do|wo|is|ca)n['’]?t\b|\bcannot\b|\bno\s+good\b|\bbad\s+for\b|\bwrong\b", re.IGNORECASE
)
_FIELD_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("name", re.compile(r"\b(?:sur)?name|spell|called", re.IGNORECASE)),
    ("contact", re.compile(r"\b(?:number|phone|cell|mobile|e-?mail|contact|digit|gmail|address)", re.IGNORECASE)),
    (
        "time",
        re.compile(
            r"\b(?:time|date|when|hour|slot|week)\b|day\b|\bmornings?\b|noons?\b|\bbit\s+(?:earlier|later)\b",
            re.IGNORECASE,
        ),
    ),
    ("patient", re.compile(r"\b(?:patient|new|returning)\b", re.IGNORECASE)),
    ("reason", re.compile(r"\breason\b|\bwhat\s+it(?:['’]?s|\s+is)\s+about\b", re.IGNORECASE)),
)
_REASON_DROPPED = re.compile(
    r"\b(?:remove|delete|drop|clear|erase|skip|leave\s+(?:out|off)|take\s+(?:out|off|away)|no|without)\s+(?:\w+\s+){0,2}"
    r"reason\b|\breason\s+(?:out|off|away)\b",
    re.IGNORECASE,
)
_REASON_GIVEN = re.compile(
    r"\breason\s*(?:(?:should\s+be|is|to|as)\s+|:\s*|['’]?s\s+)(?P<reason>\S.*)$"
    r"|^(?:\W*(?:no|actually|sorry|wait|oh)\b\W*)*(?:it['’]?s|it\s+is|(?:the\s+visit|this)\s+is)\s+(?:actually\s+)?about\s+"
    r"(?P<about>\S.*)$",
    re.IGNORECASE,
)


def correct(text: str, current: Details, clinic: Clinic, now: datetime.datetime) -> Details:
    """Change what is known by a correction: "no, my number ends in 34", "make that friday", "it's spelled Ruis".

    Raises:
        DetailError: the reasons of the field that was corrected, or `correction_unclear`; its value `field`
            names the field that was spoken of, when only that is clear ("change the time").
    """
    whole = written_digits(tidy(text, LONGEST_MESSAGE))
    unclear = DetailError("correction_unclear", _field_named(whole))
    if is_code(whole):
        raise unclear
    said = _LEAD.sub("", whole, count=1).strip(" ,.!*")
    contact = _correct_contact(said, in_clear(current.contact, clinic), clinic) if current.contact else None
    if contact:
        return replace(current, contact=contact)
    said = _LEAD.sub("", _without_the_wrong(said), count=1)
    if not said:
        raise unclear
    contacts = contacts_in(said, clinic)
    if not contacts:
        try:
            name = _correct_name(said, current.name or "")
        except DetailError as error:
            raise unclear from error
        if name:
            return replace(current, name=name)
    taken = extract(said, clinic, now)
    for field, fault in taken.faults.items():
        # A day that will not do by itself may in the week that was agreed.
        if field != "time" or not current.time:
            raise fault
    update: dict[str, Any] = {key: value for key in FIELDS if (value := getattr(taken, key)) is not None}
    if contacts and not _NAME_GIVEN.search(said):
        update.pop("name", None)
    if "time" in update or "time" in taken.faults or not (update or is_about_health(said) or is_question(said)):
        moved = _correct_time(said, current, clinic, now)
        if moved:
            update["time"] = moved
    if not update:
        raise unclear
    return replace(current, **update)


def correct_reason(text: str) -> str | None:
    """Return the reason that a correction gives, "" where it takes the reason away, None where it speaks of none.

    Raises:
        DetailError: `reason_unclear`, `too_long`.
    """
    given = _REASON_GIVEN.search(text[:LONGEST_MESSAGE])
    if given:
        return parse_reason(given["reason"] or given["about"])
    return "" if _REASON_DROPPED.search(text[:LONGEST_MESSAGE]) else None


def _without_the_wrong(text: str) -> str:
    """Return a correction without what it takes back: "Jane, not Joan", "not friday, saturday", "monday won't do"."""
    kept = _WRONG_BEFORE.sub("", _WRONG_AFTER.sub("", text)).strip() or text
    if not _WRONG_CLAUSE.search(kept):
        return kept
    clauses = re.split(r"[,;]|\s+but\s+", kept)
    return ", ".join(clause.strip() for clause in clauses if clause.strip() and not _WRONG_CLAUSE.search(clause))


def _correct_contact(text: str, contact: Contact, clinic: Clinic) -> Contact | None:
    """Change a part of the contact, or return None when the text does not speak of one.

    Raises:
        DetailError: `phone_impossible`, `email_malformed`: what comes out is no contact.
    """
    for pattern in _SWAPS:
        swap = pattern.match(text)
        if swap:
            wrong, right = swap["wrong"].strip(" .,"), swap["right"].strip(" ,").lstrip(".")
            digits = contact.kind == "email" or (wrong.isdigit() and right.isdigit())
            if digits and len(wrong) > 1 and contact.value.count(wrong) == 1:
                return parse_contact(contact.value.replace(wrong, right), clinic)
            text = swap["right"]
    if contact.kind == "email":
        return None
    ending, area, last = _ENDING.search(text), _AREA.search(text), _LAST_DIGITS.match(text)
    if not (ending or area or last):
        return None
    number = phonenumbers.parse(contact.value)
    national = phonenumbers.national_significant_number(number)
    if ending or (last and not area):
        found = next(group for match in (ending, last) if match for group in match.groups() if group)
        digits_said = re.sub(r"\D", "", found)
        national = national[: -len(digits_said)] + digits_said
    if area:
        national = area.group(1) + national[3:]
    return parse_contact(f"+{number.country_code}{national}", clinic)


def _correct_name(text: str, name: str) -> str | None:
    """Return the corrected name, or None when the text corrects something else.

    Raises:
        DetailError: `name_unclear`: a name is spoken of and none is given.
    """
    part = _NAME_PART.search(text)
    if part:
        words, new = name.split(), parse_name(part.group(2))
        if part.group(1).lower() in {"first", "given"}:
            return parse_name(" ".join([new, *words[1:]]))
        return parse_name(" ".join([*(words[:-1] or words), new]))
    spelled = _SPELLED.search(text)
    if spelled:
        return _respelt(name, parse_name(joined_letters(spelled.group(1))))
    given = _NAME_GIVEN.search(text)
    if given:
        return parse_name(given.group(1))
    # "it's Jane", "my name changed, it's Saoirse": a name shows by its capital, where only "it's" leads to it.
    hinted = HINTED.match(text.split(",")[-1].strip())
    if not hinted or is_patient(text) or times.pieces(times.respell(text)):
        return None
    new = text.split(",")[-1].strip()[hinted.end() :]
    return _respelt(name, parse_name(new)) if new[:1] != new[:1].lower() or not new.isascii() else None


def _respelt(name: str, new: str) -> str:
    """Put a respelt word in the place of the one it is most like; several words replace the whole name."""
    words = name.split()
    if len(words) <= 1 or len(new.split()) > 1:
        return new
    likeness = [difflib.SequenceMatcher(None, word.lower(), new.lower()).ratio() for word in words]
    nearest = likeness.index(max(likeness))
    if likeness[nearest] < 0.5:
        return new
    return " ".join([*words[:nearest], new, *words[nearest + 1 :]])


def _correct_time(text: str, current: Details, clinic: Clinic, now: datetime.datetime) -> Preference | None:
    """Return the changed preference, or None when the text speaks of no time.

    Raises:
        DetailError: the reasons of `parse_time`, but `time_unclear`.
    """
    bare = re.fullmatch(r"(\d{1,2})(?:\s+(?:please|instead|then))*", text, re.IGNORECASE)
    if bare and current.time:
        text = f"at {bare.group(1)}"
    try:
        return times.move(text, current.time, clinic, now) if current.time else parse_time(text, clinic, now)
    except DetailError as error:
        if error.reason == "time_unclear":
            return None
        raise


def _field_named(text: str) -> dict[str, str]:
    return next(({"field": key} for key, words in _FIELD_WORDS if words.search(text)), {})
