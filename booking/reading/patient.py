"""The patient: whether they have been to the clinic before, and who they are where somebody else writes."""

import re
from dataclasses import dataclass
from typing import Literal

from booking.reading.names import GREETING, parse_name
from booking.reading.text import (
    LONGEST_MESSAGE,
    InvalidAnswer,
    has_markup_or_link,
    is_about_health,
    is_question,
    normalise,
)

Patient = Literal["new", "returning"]
_RETURNING = re.compile(
    r"\bnot\s+(?:a\s+)?new\b|\breturning\b|\b(?:existing|current|old|former|previous|regular)\s+patient\b"
    r"|\b(?:been|was|came|come|visited|went|seen)\b[^,;.!?]*\b(?:before|last\s+(?:year|summer|winter|spring|fall"
    r"|month)|again)\b"
    r"|\b(?:was|am|i['’]?m)\s+(?:already\s+)?a\s+patient\b|\balready\s+a\s+patient\b|\bsecond\s+time\b"
    r"|\bused\s+to\s+(?:go|come)\b|\bi\s+saw\s+\w+\s+before\b|\b(?:been|was)\s+(?:there|here|in)\b|\bcame\s+in\b",
    re.IGNORECASE,
)
_AGO = re.compile(r"\bago\b|^\W*(?:yeah|yep|yes)\W{1,3}\w", re.IGNORECASE)
_NEW = re.compile(
    r"\bnew(?:bie)?\b|\bfirst[\s-](?:time(?:r)?|visit|appointment)\b|\bnever\s+(?:been|seen|visited|come|was)\b"
    r"|\b(?:have|has|am|was|i['’]ve)(?:n['’]?t|\s+not)\s+(?:been|visited|come)\b|\bhaven['’]?t\s+been\b"
    r"|\bnot\s+(?:been|returning|yet)\b"
    r"|\bno,?\s+(?:i\s+)?have(?:n['’]?t|\s+not)\b|\bnon-?patient\b|\bnuev[oa]\b|\bprimera\s+vez\b",
    re.IGNORECASE,
)
_BARE_PATIENT = re.compile(
    rf"^{GREETING}(?:(?:i['’]?m|i\s+am|it['’]?s|it\s+is|as|(?:s?he['’]?s|s?he\s+is)"
    rf"|soy)\s+)?(?:actually\s+)?(?:an?\s+|the\s+|my\s+|brand\s+){{0,3}}"
    r"(?:new|newbie|new\s+here|new\s+to\s+(?:the\s+clinic|you(?:\s+guys)?)|returning|regular|existing|nuev[oa]"
    r"|not\s+(?:a\s+)?new(?:\s+patient)?|not\s+returning|first\s+(?:time|visit|appointment|timer)(?:\s+(?:here"
    r"|with\s+you))?|second\s+time"
    r"|(?:new|returning|existing|current|old|former|regular|repeat|first[\s-]time)\s+(?:patient|client|customer)"
    r"|(?:i['’]?ve\s+|i\s+have\s+|s?he\s+has\s+|s?he['’]s\s+)?(?:never\s+)?been\s+(?:there\s+|here\s+|in\s+"
    r"|to\s+you\s+|to\s+your\s+clinic\s+|with\s+you\s+)?before"
    r"|(?:i['’]?ve\s+|i\s+have\s+)?never\s+been(?:\s+(?:here|there|to\s+your\s+clinic))?)"
    r"(?:\s+(?:here|too|please|actually|lol)){0,3}[\s.!]*$",
    re.IGNORECASE,
)
RELATION = (
    r"(?:step)?(?:son|daughter|husband|wife|partner|mother|mom|mum|mama|father|dad|papa|child|kid|brother|sister"
    r"|friend|girlfriend"
    r"|boyfriend|fianc[eé]e?|spouse|grand(?:mother|ma|father|pa|son|daughter|child)|aunt|uncle|niece|nephew"
    r"|cousin|neighbou?r"
    r"|roommate|baby|boy|girl|teenager|teen)"
)
_AGE = (
    r"(?:(?:\d{1,3}|\w+)[\s-]+years?[\s-]+old\s+|\d{1,3}\s?y/?o\s+|elderly\s+|teenage\s+|little\s+|old\s+"
    r"|young(?:er|est)?\s+"
    r"|old(?:er|est)\s+){0,2}"
)
# for my daughter Emily; it is for my 81-year-old father; my wife Carol needs
_FOR = re.compile(
    rf"(?:\b(?P<for>for|on behalf of)\s+|^\W*(?:(?:it['’]?s|it is|this is|and|so|actually|oh|hi|hello)\b[\s,]*){{0,3}})"
    rf"(?:my|our)\s+{_AGE}(?P<relation>{RELATION})\b(?!['’]s)(?P<rest>.*)$",
    re.IGNORECASE,
)
# I'm his mom, Claudia Meyer; this is her daughter Kate
_OF = re.compile(
    rf"\b(?:i['’]?m|i am|this is|im)\s+(?:his|her|their|the patient['’]s"
    rf"|\w+['’]s)\s+(?P<relation>{RELATION})\b[\s,:-]*(?P<rest>.*)$",
    re.IGNORECASE,
)
_NAMED = re.compile(r"^\W*(?:(?:named|called|whose name is|name is|is|who is)\s+)?(?P<name>.*)$", re.IGNORECASE)
_NAME_ENDS = re.compile(
    r"\s+(?=(?:on|at|this|next|tomorrow|today|because|and|who|whose|with|needs?|wants?|has|would|can|to|for|in"
    r"|please|asap|is|was|hurt|about|actually|instead|too|then)\b)|[,;.(!?\n]"
    r"|\s+-\s+",
    re.IGNORECASE,
)
_INVERSE = {
    **dict.fromkeys(("mother", "mom", "mum", "mama", "father", "dad", "papa"), "child"),
    **dict.fromkeys(("son", "daughter", "child", "kid"), "parent"),
    "wife": "husband",
    "husband": "wife",
    **dict.fromkeys(("grandmother", "grandma", "grandfather", "grandpa"), "grandchild"),
    **dict.fromkeys(("grandson", "granddaughter", "grandchild"), "grandparent"),
}


@dataclass(frozen=True)
class SomeoneElse:
    """The patient of a request that another person writes.

    Attributes:
        name: the patient's, where it is said.
        relation: what the patient is to the person who writes.
        writer: the name of the person who writes, where it is said along with that.
    """

    relation: str
    name: str | None = None
    writer: str | None = None


def parse_patient(text: str) -> Patient:
    """Read whether a person is new to the clinic, from the answer to that question.

    Raises:
        InvalidAnswer: `patient_unclear`, `too_long`.
    """
    whole = normalise(text, LONGEST_MESSAGE)
    if has_markup_or_link(whole) or is_question(whole):
        raise InvalidAnswer("patient_unclear")
    if re.search(r"\bnot\s+(?:a\s+)?new\b", whole, re.IGNORECASE):
        return "returning"
    if _NEW.search(whole):
        return "new"
    if _AGO.search(whole) and not is_about_health(whole):
        return "returning"
    if _RETURNING.search(whole) or re.fullmatch(r"\W*(?:regular|existing|repeat)\W*", whole, re.IGNORECASE):
        return "returning"
    raise InvalidAnswer("patient_unclear")


def is_patient(text: str) -> bool:
    """Tell whether `text` says no more than that someone is new to the clinic, or not."""
    return bool(_BARE_PATIENT.match(text[:LONGEST_MESSAGE]))


def someone_else(text: str) -> SomeoneElse | None:
    """Return the patient whom a text names as another than its writer: "for my daughter Emily", "I'm his mom, Ana"."""
    whole = text[:LONGEST_MESSAGE]
    of = _OF.search(whole)
    if of:
        relation = of["relation"].lower()
        return SomeoneElse(_INVERSE.get(relation, relation), writer=_leading_name(of["rest"]))
    said = _FOR.search(whole)
    if said is None:
        return None
    if not said["for"] and not re.match(
        r"[\s,:-]*(?:[A-Z]|needs?\b|wants?\b|would\b|has\s+to\b|named\b|called\b|$)", said["rest"]
    ):
        return None
    return SomeoneElse(said["relation"].lower(), name=_leading_name(said["rest"]))


def _leading_name(text: str) -> str | None:
    """Return the name that a text begins with, or None."""
    named = _NAMED.match(text)
    words = _NAME_ENDS.split(named["name"].lstrip(" ,:-") if named else "", maxsplit=1)[0].strip()
    try:
        name = parse_name(words)
    except InvalidAnswer:
        return None
    is_written = all(not word[0].islower() for word in name.split())
    return name if is_written or len(name.split()) == 1 else None
