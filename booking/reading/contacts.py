"""Telephone numbers and e-mail addresses."""

import re
from collections.abc import Iterator
from typing import Literal

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel

from booking.reading.text import InvalidAnswer, normalise
from clinic.profile import Clinic
from service.sealing import CONTACT, Unreadable, unseal

LONGEST_CONTACT = 254
EMAIL_LIKE = re.compile(r"[^\s<>()\[\],;:\"@]{1,64}@[^\s<>()\[\],;:\"@]+", re.IGNORECASE)
_EMAIL_SPOKEN = re.compile(
    r"\b[\w.+-]+(?:\s+dot\s+[\w+-]+)*\s+(?:at|\(at\)|\[at\])\s+[\w-]+(?:\s+(?:dot|\(dot\)|\[dot\])\s+[a-z-]+)+\b",
    re.IGNORECASE,
)
_DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGITS_SPOKEN = {
    **{word: str(digit) for digit, word in enumerate(_DIGIT_WORDS)},
    "oh": "0",
    "o": "0",
}
_SPOKEN_RUN = re.compile(
    rf"\b(?:(?:double|triple|{'|'.join(_DIGITS_SPOKEN)}|\d{{1,4}})\b[\s,.-]*){{3,}}", re.IGNORECASE
)
PHONE_LIKE = re.compile(r"\+?\d(?:[\s./()-]*\d){5,}")


# The domains of most addresses, against which a mistyped one is held.
_MAIL_DOMAINS = (
    *(
        "gmail.com",
        "yahoo.com",
        "hotmail.com",
        "outlook.com",
        "icloud.com",
        "comcast.net",
        "verizon.net",
        "sbcglobal.net",
    ),
    *(
        "googlemail.com",
        "protonmail.com",
        "bellsouth.net",
        "earthlink.net",
        "rocketmail.com",
        "yahoo.co.uk",
    ),
    *("hotmail.co.uk", "hotmail.fr", "hotmail.es", "yahoo.com.mx", "yahoo.es", "charter.net"),
)
# Right as they are, though one letter from another.
_OTHER_DOMAINS = frozenset(
    [
        "mail.com",
        "ymail.com",
        "email.com",
        "live.com",
        "msn.com",
        "aol.com",
        "me.com",
        "mac.com",
        "att.net",
        "cox.net",
        "gmx.com",
        "gmx.net",
        "gmx.de",
        "proton.me",
        "pm.me",
        "zoho.com",
        "hey.com",
        "fastmail.com",
        "hotmail.de",
        "hotmail.it",
        "outlook.de",
        "outlook.es",
        "yahoo.de",
        "yahoo.fr",
        "yahoo.it",
        "aim.com",
    ]
)
_MISTYPED_ENDINGS = {
    "con": "com",
    "cmo": "com",
    "ocm": "com",
    "comm": "com",
    "vom": "com",
    "cim": "com",
    "xom": "com",
    "com": "com",
    "coom": "com",
}
_SHORTEST_FOR_TWO_SLIPS = 9


class Contact(BaseModel, frozen=True):
    """How a person may be reached.

    Attributes:
        kind: a telephone number or an e-mail address.
        value: E.164 (`+19495550133`), or the normalised address.
        shown: as people read it, `(949) 555-0133`; with its country code when it is from elsewhere.
        is_sealed: `value` is encrypted: the number someone writes from, which no conversation holds in clear.
    """

    kind: Literal["phone", "email"]
    value: str
    shown: str
    is_sealed: bool = False


def likelier_address(contact: Contact) -> Contact | None:
    """Return the address that was likely meant where its domain looks mistyped ("gmial.con"), else None."""
    if contact.kind != "email":
        return None
    person, _, domain = contact.value.rpartition("@")
    domain = domain.lower()
    if domain in _MAIL_DOMAINS or domain in _OTHER_DOMAINS:
        return None
    stem, _, ending = domain.rpartition(".")
    righted = f"{stem}.{_MISTYPED_ENDINGS.get(ending, ending)}"
    for known in _MAIL_DOMAINS:
        slips = 2 if len(known) >= _SHORTEST_FOR_TWO_SLIPS and ending in _MISTYPED_ENDINGS else 1
        if _slips(righted, known) <= slips:
            return Contact(kind="email", value=f"{person}@{known}", shown=f"{person}@{known}")
    if righted != domain:
        return Contact(kind="email", value=f"{person}@{righted}", shown=f"{person}@{righted}")
    return None


def _slips(typed: str, meant: str) -> int:
    """Return how many letters are wrong, missing, doubled or swapped (optimal string alignment distance)."""
    if abs(len(typed) - len(meant)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(typed, 1):
        earlier, before, row = before, row, [i]
        for j, right in enumerate(meant, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != right))
            if i > 1 and j > 1 and letter == meant[j - 2] and typed[i - 2] == right:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]


def own_number(sealed: str) -> Contact:
    """Return the number someone writes from, as a channel sealed it.

    Raises:
        InvalidAnswer: `contact_unclear`, when it was sealed with another secret.
    """
    ending = _opened(sealed)[-2:]
    return Contact(
        kind="phone", value=sealed, shown=f"the number you are writing from, ending in {ending}", is_sealed=True
    )


def in_clear(contact: Contact, clinic: Clinic) -> Contact:
    """Return a contact as the front desk needs it.

    Raises:
        InvalidAnswer: `contact_unclear`, when it was sealed with another secret.
    """
    return parse_contact(_opened(contact.value), clinic) if contact.is_sealed else contact


def _opened(sealed: str) -> str:
    try:
        return unseal(sealed, CONTACT)
    except Unreadable as error:
        raise InvalidAnswer("contact_unclear") from error


def parse_contact(text: str, clinic: Clinic) -> Contact:
    """Read a telephone number (of the clinic's country unless it says another) or an e-mail address.

    Raises:
        InvalidAnswer: `phone_impossible`, `email_malformed`, `contact_unclear` when there is neither; `too_long`.
    """
    whole = written_digits(normalise(text, LONGEST_CONTACT))
    found = contacts_in(whole, clinic)
    if found:
        return found[0][0]
    if "@" in whole:
        raise InvalidAnswer("email_malformed")
    if PHONE_LIKE.search(whole):
        raise InvalidAnswer("phone_impossible")
    raise InvalidAnswer("contact_unclear")


def written_digits(text: str) -> str:
    """Return `text` with telephone numbers and addresses that are spelt out in words written as such."""

    def number(match: re.Match[str]) -> str:
        digits, times_ = "", 1
        for word in re.findall(r"[a-z]+|\d+", match.group().lower()):
            if word in {"double", "triple"}:
                times_ = 2 if word == "double" else 3
                continue
            digits += _DIGITS_SPOKEN.get(word, word) * times_
            times_ = 1
        spoken = re.search("[a-z]", match.group(), re.IGNORECASE)
        return f"{digits} " if spoken and len(digits) >= 7 else match.group()

    def address(match: re.Match[str]) -> str:
        joined = re.sub(r"\s+(?:dot|\(dot\)|\[dot\])\s+", ".", match.group(), flags=re.IGNORECASE)
        return re.sub(r"\s+(?:at|\(at\)|\[at\])\s+", "@", joined, flags=re.IGNORECASE)

    # 00 is how most of the world writes the +, whatever the clinic's own country dials.
    dialled = re.sub(r"(?<![\d+])00(?=[1-9]\d?[\d\s().-]{7,})", "+", text)
    return _EMAIL_SPOKEN.sub(address, _SPOKEN_RUN.sub(number, dialled)).strip()


def contacts_in(text: str, clinic: Clinic) -> list[tuple[Contact, int, int]]:
    """Return each contact in `text` with where it begins and ends, the first first."""
    found: list[tuple[Contact, int, int]] = []
    masked = text
    for match in EMAIL_LIKE.finditer(text):
        try:
            checked = validate_email(match.group().rstrip(".!?'’"), check_deliverability=False)
        except EmailNotValidError:
            continue
        found.append((Contact(kind="email", value=checked.normalized, shown=checked.normalized), *match.span()))
        masked = masked[: match.start()] + " " * (match.end() - match.start()) + masked[match.end() :]
    for number in _numbers(masked, clinic):
        found.append((_phone(number.number, clinic), number.start, number.end))
    return sorted(found, key=lambda entry: entry[1])


def _numbers(text: str, clinic: Clinic) -> Iterator[phonenumbers.PhoneNumberMatch]:
    """Yield the telephone numbers in `text`.

    One with its country's code need only be possible there: the lists of what is in use elsewhere run behind.
    """
    text = re.sub(r"(?<=\d)/(?=\d{3})", "-", text)
    taken: list[tuple[int, int]] = []
    for leniency in (phonenumbers.Leniency.VALID, phonenumbers.Leniency.POSSIBLE):
        for match in phonenumbers.PhoneNumberMatcher(text, clinic.region, leniency=leniency):
            apart = all(match.end <= start or match.start >= end for start, end in taken)
            if apart and (leniency == phonenumbers.Leniency.VALID or match.raw_string.startswith("+")):
                taken.append((match.start, match.end))
                yield match


def _phone(number: phonenumbers.PhoneNumber, clinic: Clinic) -> Contact:
    here = phonenumbers.region_code_for_number(number) == clinic.region
    style = phonenumbers.PhoneNumberFormat.NATIONAL if here else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Contact(kind="phone", value=value, shown=phonenumbers.format_number(number, style))
