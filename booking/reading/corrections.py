"""Corrections of what was said before: any number of them in one message, in any order."""

import datetime
import difflib
import re
from dataclasses import dataclass, replace
from typing import Any

import phonenumbers

from booking.reading.contacts import Contact, contacts_in, in_clear, parse_contact, written_digits
from booking.reading.details import LONGEST_NOTE, LONGEST_REASON, Details, Field, parse_reason
from booking.reading.names import HINTED, is_written_as_name, joined_letters, parse_name
from booking.reading.notes import joined, note_in
from booking.reading.patient import is_patient, parse_patient, someone_else
from booking.reading.text import (
    LONGEST_MESSAGE,
    InvalidAnswer,
    has_markup_or_link,
    is_about_health,
    is_question,
    normalise,
    word_set,
)
from booking.when import tokens
from booking.when.grammar import DAY
from booking.when.preference import parse_time, reschedule
from clinic.profile import Clinic

# The place of a contact that was taken out of a text.
_TAKEN = "\ufffc"
_LEADS = re.compile(
    r"^(?:\*|(?:no|nope|nah|yes|yeah|yep|actually|sorry|wait|hold on|hang on|oo+ps|whoops|ah|oh|hmm|err|ugh|um"
    r"|well|correction"
    r"|my (?:bad|mistake)|scratch that|(?:on )?second thoughts?|please|pls|ok(?:ay)?|but|and|also|so|then|typo"
    r"|hey|thanks"
    r"|(?:can|could|would|will) (?:you|we|i)|i(?:['’]d| would) (?:like|rather|prefer)(?: to)?|i (?:want|need)(?: to)?"
    r"|let(?:['’]?s| me)|(?:i )?(?:actually )?meant?|i said|(?:(?:it|that|this) )?should(?: have)? be(?:en)?"
    r"|make (?:that|it|this|them)|(?:change|switch|swap|move|update|correct|fix|set|edit|put|replace|use|send)"
    r"(?: (?:that|it|this|my|the|number|phone|e-?mail|day|date|time|contact|visit|appointment)){0,4}"
    r"(?: (?:to|as|for|with|on)\b)?|rather|instead(?! of)|do|try|go (?:with|for)|say"
    r"|(?:my |the )?(?:phone|number|cell|mobile|e-?mail|contact|time|day|date)(?: number| address)?"
    r"(?:['’]s| is| should be| to)"
    r"(?=(?: actually)? [\w+.-]*[\d@]|(?: actually)?(?: on)? (?:mon|tue|wed|thu|fri|sat|sun|tom)))"
    r"(?![\w'’])[\s,.:;!-]*)",
    re.IGNORECASE,
)
_MOST_LEADS = 8
# How alike two spellings of one name are.
_ALIKE = 0.75
# looks good except the day: what is wrong stands behind it
_EXCEPT = re.compile(
    r"^(?=.{0,60}\b(?:right|good|fine|correct|great|ok(?:ay)?|perfect|yes|everything|all"
    r"|looks)\b).{0,60}?\b(?:except|but|apart\sfrom|other\sthan|only)\b"
    r"(?:\sfor)?\s*",
    re.IGNORECASE,
)
_AGREES = re.compile(
    r"^\W*(?:(?:yes|yeah|yep|ok|okay|sure|no|nope|thanks?|thank you|please|sorry|wait|oh|actually|great|perfect"
    r"|everything|all|that|this|it|the|rest|looks?|is|else"
    r"|good|right|fine|correct|send|instead|then|same|stays?|wrong|mistake|not|that['’]s|it['’]s|and|so|hmm|um"
    r"|oops)\b\W*)*$",
    re.IGNORECASE,
)
_CLAUSES = re.compile(
    r"[,;!?\n]+|(?<=[^\d\s])\.(?=\s|$)|\.(?=\s[A-Za-z])|(?:(?<!any day)(?<!other day)(?<!any"
    r" time)(?<!anything)\sbut|\s(?:and|also|plus|&))\s(?=(?:also|my|the|it['’]?s"
    r"|its|i|i['’]m|im|ive|i['’]ve|name"
    r"|number|phone|e-?mail|call|text|not|say|tell|please|make|change|new|returning|note|reason|contact|reach"
    r"|use|can|could|ends"
    r"|in|with|for|about|a|instead|move|switch|put|he|she|they|" + DAY + r"|tomorrow|today|next)\b|\ufffc)",
    re.IGNORECASE,
)
# "do not call" is no correction, "won't do" is.
_TAKES_BACK = re.compile(
    r"\b(?:does|do|wo|is|ca|did)\s?n['’]?t\s+(?:work|do|suit|good|make|come|fit|any)|\b(?:doesn['’]?t|won['’]?t"
    r"|can['’]?t|isn['’]?t|don['’]?t)\b|\bcannot\b|\bno\s+good\b|\bbad\s+for\b|\bwrong\b"
    r"|^(?:not|no longer|instead\s+of|rather\s+than)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"^(?:(?:it['’]?s|its|it\sis|that['’]?s|that\sit\sis|that\sit['’]?s|(?:the\svisit"
    r"|this)\sis)\s)?(?:actually\s|really\s)?"
    r"(?:about|regarding|because\sof|due\sto)\s(?P<about>\S.*)$|^for\s(?P<for>(?:my|the|a|an|his|her)\s.*)$",
    re.IGNORECASE,
)
_CONTACT_WORDS = word_set(
    "call text phone number cell mobile email mail e-mail e contact reach me us my the a at on is its it's to"
    " use new best better"
    " instead please and or by with via actually now that this should be change it make too also both either"
    " another other"
    " address can you will get through for another one here i i'm im have work home works fine ok okay sorry no"
    " not wait oops"
    " correct right wrong was meant send her his their him them as well yes same so but just rather"
)
_FILLERS = word_set(
    "a an the to for of on in at is it its it's be that this my me i so and or just please pls thanks thank you"
    " yes no ok okay oh um"
    " wait actually sorry instead then again too also now rather else good right fine correct looks look all"
    " everything rest same"
    " should make change set want need can could would do with as by send but only well hmm oops hey hi"
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
    r"\b(first|given|last|family|sur)\s?-?name(?:['’]?s|\s+is|\s+should\s+be"
    r"|\s+to)?\s+(?:(?:actually|spelled|spelt)\s+)?(\S.*?)(?:\s+now)?$",
    re.IGNORECASE,
)
_NAME_GIVEN = re.compile(
    r"\bname(?:['’]?s|\s+is|\s+to|\s+should\s+be|\s+as|:)\s+(?:actually\s+)?(\S.*)$", re.IGNORECASE
)
_WRONG_AFTER = re.compile(r"(?<!\bbut)[\s,]+(?:and\s+)?(?:not|instead\s+of|rather\s+than)\s+[^,;]+$", re.IGNORECASE)
_WRONG_BEFORE = re.compile(
    r"^(?:it['’]?s\s+)?(?:not|instead\s+of|you\s+(?:wrote|put|said)"
    r"|(?:i\s+)?never\s+said)\s+[^,;]+[,;]\s*(?:it['’]?s\s+|but\s+)?"
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
    r"\b(?:remove|delete|drop|clear|erase|skip|leave\s+(?:out|off)|take\s+(?:out|off|away)|no"
    r"|without)\s+(?:\w+\s+){0,2}"
    r"reason\b|\breason\s+(?:out|off|away)\b",
    re.IGNORECASE,
)
_REASON_GIVEN = re.compile(
    r"\breason\s*(?:(?:should\s+be|is|to|as)\s+|:\s*|['’]?s\s+)(?P<reason>\S.*)$"
    r"|^\W*(?:(?:no|actually|sorry|wait|oh|say)\b\W*){0,4}(?:it['’]?s|its|it\s+is|(?:the\s+visit"
    r"|this)\s+is)\s+(?:actually\s+)?about\s+"
    r"(?P<about>\S.*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Correction:
    """What a message changes in what is known.

    Attributes:
        details: what is known after it.
        changed: the fields that differ now, in the order of the message.
        asked: the fields that were spoken of without a new value.
        unread: the parts of the message that were not understood.
    """

    details: Details
    changed: tuple[Field, ...] = ()
    asked: tuple[Field, ...] = ()
    unread: tuple[str, ...] = ()


def correct(text: str, current: Details, clinic: Clinic, now: datetime.datetime) -> Correction:
    """Change what is known by a correction: "no, my number ends in 34", "tuesday at 4, and I'm not new", "it's Ruis".

    Raises:
        InvalidAnswer: the reasons of the field that was corrected, or `correction_unclear`; its value `field`
            names the field that was spoken of, when only that is clear ("change the time").
    """
    whole = written_digits(normalise(text, LONGEST_MESSAGE))
    if has_markup_or_link(whole):
        correct_reason(whole)
        raise InvalidAnswer("correction_unclear", _field_named(whole))
    correction = _Corrector(current, clinic, now).read(whole)
    if not correction.changed:
        raise InvalidAnswer("correction_unclear", {"field": correction.asked[0]} if correction.asked else {})
    return correction


def correct_reason(text: str) -> str | None:
    """Return the reason that a correction gives, "" where it takes the reason away, None where it speaks of none.

    Raises:
        InvalidAnswer: `reason_unclear`, `too_long`.
    """
    given = _REASON_GIVEN.search(text[:LONGEST_MESSAGE])
    if given:
        return parse_reason(given["reason"] or given["about"])
    return "" if _REASON_DROPPED.search(text[:LONGEST_MESSAGE]) else None


class _Corrector:
    """Reads a correction part by part, each by the first reader that understands it."""

    def __init__(self, current: Details, clinic: Clinic, now: datetime.datetime) -> None:
        self._current = current
        self._clinic = clinic
        self._now = now
        self._update: dict[Field, Any] = {}
        self._asked: list[Field] = []
        self._unread: list[str] = []
        self._times: list[str] = []
        self._taken_back: list[str] = []

    def read(self, whole: str) -> Correction:
        """Return what a message changes.

        Raises:
            InvalidAnswer: a value that was given cannot be taken.
        """
        masked = self._contacts(whole)
        if self._swapped(masked):
            return self._result()
        for clause in _clauses(masked):
            self._clause(clause)
        self._time()
        return self._result()

    def _result(self) -> Correction:
        changed = tuple(name for name, value in self._update.items() if value != getattr(self._current, name))
        asked = tuple(name for name in dict.fromkeys(self._asked) if name not in self._update)
        return Correction(replace(self._current, **self._update), changed, asked, tuple(self._unread))

    def _contacts(self, whole: str) -> str:
        """Take the contacts out of a message, each as the one it replaces or as a second one; return what is left."""
        masked = whole
        for _contact, start, end in reversed(contacts_in(whole, self._clinic)):
            masked = f"{masked[:start]} {_TAKEN} {masked[end:]}"
        instead = re.search(
            r"\b(?:instead|not|rather|use|change|replace|switch|wrong|actually|correct)\b", masked, re.IGNORECASE
        )
        for contact, _, _ in contacts_in(whole, self._clinic):
            main, second = self._current.contact, self._current.second_contact
            main, second = self._update.get("contact", main), self._update.get("second_contact", second)
            if main is None or main.kind == contact.kind or (instead and "contact" not in self._update):
                self._update["contact"] = contact
                if second is not None and second.kind == contact.kind:
                    self._update["second_contact"] = None
            else:
                self._update["second_contact"] = contact
        return masked

    def _swapped(self, whole: str) -> bool:
        """Take a correction of a part of the contact that is the whole message: "0143 not 0133", "*0147"."""
        if self._current.contact is None or _TAKEN in whole:
            return False
        said = _without_leads(whole).strip(" ,.!*")
        contact = _correct_contact(said, in_clear(self._current.contact, self._clinic), self._clinic)
        if contact is None:
            return False
        if (
            len(_clauses(whole)) > 1
            and not any(pattern.match(said) for pattern in _SWAPS)
            and not _LAST_DIGITS.match(said)
        ):
            return False
        if len(_clauses(whole)) > 1 and _leftover(said):
            return False
        self._update["contact"] = contact
        return True

    def _clause(self, clause: str) -> None:
        """Take one part of a message."""
        said = _EXCEPT.sub("", clause, count=1).strip()
        if not said or _AGREES.match(said):
            return
        if _TAKEN in said and set(re.findall(r"[\w'’-]+", said.lower())) <= _CONTACT_WORDS:
            return
        readers = (
            self._note,
            self._someone,
            self._part_of_contact,
            self._reason,
            self._patient,
            self._name,
            self._when,
        )
        if not any(reader(said) for reader in readers):
            self._unclear(said)

    def _unclear(self, said: str) -> None:
        named = _field_named(said)
        if named:
            self._asked.append(named["field"])  # type: ignore[arg-type]
        elif _leftover(said.replace(_TAKEN, " ")):
            self._unread.append(_without_leads(said.replace(_TAKEN, " ")).strip())

    def _note(self, said: str) -> bool:
        note = note_in(said.replace(_TAKEN, " ")) if _TAKEN not in said else None
        if note:
            known = self._update.get("note", self._current.note)
            self._update["note"] = joined(known, note, LONGEST_NOTE)
        return bool(note)

    def _someone(self, said: str) -> bool:
        other = someone_else(said)
        if other is None:
            return False
        self._update["patient_relation"] = other.relation
        if other.writer:
            self._update["patient_name"] = self._current.patient_name or self._current.name
            self._update["name"] = other.writer
        elif other.name:
            self._update["patient_name"] = other.name
        return True

    def _part_of_contact(self, said: str) -> bool:
        if self._current.contact is None:
            return False
        contact = in_clear(self._update.get("contact", self._current.contact), self._clinic)
        changed = _correct_contact(_without_leads(said).strip(" ,.!*"), contact, self._clinic)
        if changed:
            self._update["contact"] = changed
        return changed is not None

    def _reason(self, said: str) -> bool:
        reason = correct_reason(said)
        if reason is None:
            about = _ABOUT.match(_without_leads(said))
            if about is None or not (about["about"] or is_about_health(about["for"] or "")):
                return False
            if tokens.says_when(tokens.tokenize(tokens.respell(about["about"] or ""))) and not is_about_health(said):
                return False
            reason = parse_reason(about["about"] or about["for"])
        self._update["reason"] = reason[:LONGEST_REASON]
        return True

    def _patient(self, said: str) -> bool:
        bare = _without_leads(said)
        if not (is_patient(bare) or is_patient(said)) and not re.search(
            r"\bpatient\b|\bnot\snew\b|\bbeen\s(?:there|here|before|in|to)\b|\breturning\b", bare, re.IGNORECASE
        ):
            return False
        try:
            self._update["patient"] = parse_patient(_WRONG_AFTER.sub("", bare))
        except InvalidAnswer:
            return False
        return True

    def _name(self, said: str) -> bool:
        known = self._current.name or ""
        wrong = re.match(r"^(?:it['’]?s\s)?not\s(\S+)$", said, re.IGNORECASE)
        if wrong and wrong.group(1).lower() in known.lower().split():
            return True
        bare = _without_leads(_without_the_wrong(said))
        try:
            name = _correct_name(bare, known)
        except InvalidAnswer:
            self._asked.append("name")
            return True
        if name is None:
            name = _like_the_name(bare, known)
        if name is None:
            return False
        self._update["name"] = name
        return True

    def _when(self, said: str) -> bool:
        kept = _WRONG_BEFORE.sub("", _WRONG_AFTER.sub("", said)).strip() or said
        bare = re.fullmatch(r"(\d{1,2})(?:\s+(?:please|instead|then)){0,3}", _without_leads(kept), re.IGNORECASE)
        if bare and self._current.time:
            kept = f"at {bare.group(1)}"
        respelt = tokens.respell(kept)
        found = [token for token in tokens.tokenize(respelt) if token.kind != "greeting"]
        if not found or not any(token.kind not in {"excludes", "loose", "through"} for token in found):
            return False
        left = tokens.leftover_words(respelt, found)
        if is_about_health(left) or (left and is_question(said)):
            return False
        span = respelt[found[0].start : found[-1].end]
        if _TAKES_BACK.search(_without_leads(kept)) or found[0].kind == "excludes":
            self._taken_back.append(span.removeprefix("but ") if found[0].kind == "excludes" else f"not {span}")
        else:
            self._times.append(span)
        return True

    def _time(self) -> None:
        """Take the times of all parts together."""
        if not self._times and not self._taken_back:
            return
        if not self._times:
            agreed = self._current.time
            if agreed is not None and agreed.day is not None:
                self._asked.append("time")
                return
        said = self._times + [
            back for back in self._taken_back if not self._times or not _kinds(back) & _kinds(" ".join(self._times))
        ]
        text = ", but ".join(filter(None, (", ".join(self._times), ", ".join(said[len(self._times) :]))))
        try:
            changed = (
                reschedule(text, self._current.time, self._clinic, self._now)
                if self._current.time
                else parse_time(text, self._clinic, self._now)
            )
        except InvalidAnswer as error:
            if error.reason != "time_unclear":
                raise
            self._asked.append("time")
            return
        self._update["time"] = changed


def _clauses(text: str) -> list[str]:
    return [part.strip() for part in _CLAUSES.split(text) if part and part.strip(" .:-*")]


def _leftover(text: str) -> list[str]:
    return [word for word in re.findall(r"[\w'’]+", text.lower()) if word not in _FILLERS]


def _kinds(text: str) -> set[str]:
    """Return whether a text names a day, an hour or both."""
    found = tokens.tokenize(tokens.respell(text), is_answer=True)
    kinds = {"day"} if any(token.kind in tokens.DAY_KINDS for token in found) else set()
    return kinds | ({"hour"} if any(token.kind in tokens.HOUR_KINDS for token in found) else set())


def _without_leads(text: str) -> str:
    """Return a correction without the words that lead to it: "actually make that"."""
    for _ in range(_MOST_LEADS):
        shorter = _LEADS.sub("", text, count=1)
        if shorter == text or not shorter:
            break
        text = shorter
    return text


def _without_the_wrong(text: str) -> str:
    """Return a correction without what it takes back: "Jane, not Joan", "not friday, saturday"."""
    return _WRONG_BEFORE.sub("", _WRONG_AFTER.sub("", text)).strip() or text


def _correct_contact(text: str, contact: Contact, clinic: Clinic) -> Contact | None:
    """Change a part of the contact, or return None when the text does not speak of one.

    Raises:
        InvalidAnswer: `phone_impossible`, `email_malformed`: what comes out is no contact.
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
        InvalidAnswer: `name_unclear`: a name is spoken of and none is given.
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
    if not hinted or is_patient(text) or tokens.tokenize(tokens.respell(text)):
        return None
    new = text.split(",")[-1].strip()[hinted.end() :]
    return _respelt(name, parse_name(new)) if new[:1] != new[:1].lower() or not new.isascii() else None


def _like_the_name(text: str, name: str) -> str | None:
    """Return a bare name that is spelt much like the known one: "Maria Lopes" for Maria Lopez."""
    if not is_written_as_name(text) or difflib.SequenceMatcher(None, text.lower(), name.lower()).ratio() < _ALIKE:
        return None
    return parse_name(text)


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


def _field_named(text: str) -> dict[str, str]:
    return next(({"field": key} for key, words in _FIELD_WORDS if words.search(text)), {})
