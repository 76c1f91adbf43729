"""Typed text: how it is tidied, how it is refused, and the words that tell what it is about."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from clinic.articles import the_library

LONGEST_MESSAGE = 400
_URL = re.compile(r"https?:|www\.|://", re.IGNORECASE)
_MARKUP = re.compile(r"[<>{}\[\]|\\^`]|&\w+;|&#|\$\{")
# Words of any complaint, treatment or sport; those of the articles' own conditions come from data/articles/.
_HEALTH = (
    r"(?:legs?|thighs?|hips?|foot|feet|ankles?|shins?|calf|calves|hamstrings?|quads?"
    r"|quadriceps|muscles?|joints?|bones?|tendons?|ligaments?|cartilage|back|shoulders?|hands?|wrists?|elbows?|neck"
    r"|hurt|hurts|hurting|pains?|painful|ach(?:e|es|ed|ing|y)|sore|soreness|swell(?:s|ing)?|swollen|stiff(?:ness)?"
    r"|burn(?:s|ing)?|click(?:s|ed|ing|y)?|crack(?:s|ed|ing|ly)?|pop(?:s|ped|ping)?|grind(?:s|ing)?|crunch(?:es|y|ing)?"
    r"|numb(?:ness)?|tingl(?:e|es|ing|y)|weak(?:ness)?|injur(?:y|ies|ed)|falls?|fell|fallen|sprain(?:s|ed)?"
    r"|strain(?:s|ed)?|torn|tears?|broke|broken|fractur(?:e|es|ed)|bursitis|arthritis|tendinitis|syndrome|disease"
    r"|condition|symptoms?|caus(?:e|es|ed|ing)|cures?|heal(?:s|ed|ing)?|treat(?:s|ed|ing|ments?)?|therapy|surgery"
    r"|operation|orthotics?|insoles?|inserts?|brac(?:e|es|ing)|tap(?:e|es|ing)|ic(?:e|ed|ing)|rest(?:s|ed|ing)?|heat"
    r"|medicines?|medications?|drugs?|pills?|ibuprofen|injections?|mri|x-?rays?|scans?|diagnos(?:is|e|ed|es)"
    r"|exercis(?:e|es|ed|ing)|stretch(?:es|ed|ing)?|strengthen(?:s|ing)?|squat(?:s|ted|ting)?|lung(?:e|es|ing)"
    r"|run(?:s|ning|n?ers?(?:['’]s)?)?|ran|jog(?:s|ged|ging)?|walk(?:s|ed|ing)?|stairs?|swim(?:s|ming)?|cycl(?:e|es|ing)"
    r"|treadmill|jump(?:s|ed|ing)?|marathons?|races?|miles?|workouts?|gym|sports?|insurance|copay|costs?|prices?"
    r"|massages?|shoes?|foam|rollers?|recovery|prevention|tips|referrals?|doctors?|physios?|fever|bleeding"
    r"|emergency)\b"
)
_QUESTION = re.compile(
    r"^\W*(?:and |but |so |ok(?:ay)?,? |wait,? |hi,? |hello,? )*(?:what(?!\s+about)|why|who|whom|whose|where|when|which"
    r"|how(?!\s+about)|does|did|do (?:i|you|they|we)\b|should|will (?:it|i|the|my|this)\b"
    r"|is (?:it|this|that|there|my)\b"
    r"|are (?:there|these|those|you|they)\b|can (?:it|you|this|they)\b|could (?:it|this)\b|tell me|explain)\b",
    re.IGNORECASE,
)


class InvalidAnswer(ValueError):
    """What was typed cannot be taken; the words shown for it stand in the domain.

    Attributes:
        reason: a stable key such as `name_unclear` or `time_past`.
        values: what the words may name in braces, such as `next_open_day`; never what was typed.
    """

    def __init__(self, reason: str, values: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.values = dict(values or {})


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(words.split())


def normalise(text: str, longest: int) -> str:
    """Return `text` in NFC, without control and direction marks, and with single spaces.

    Raises:
        InvalidAnswer: `too_long`, when more than `longest` characters remain.
    """
    # A cap before the work: normalising can grow a text, and a hostile one must not cost more than a short one.
    if len(text) > 10 * longest:
        raise InvalidAnswer("too_long", {"longest": str(longest)})
    composed = unicodedata.normalize("NFC", text)
    # A joiner shapes letters of several scripts (Persian, Sinhala), so it stays; every other control goes.
    kept = "".join(
        mark if unicodedata.category(mark) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or mark in "\u200c\u200d"
        else " " if mark.isspace()
        else ""
        for mark in composed
    )  # fmt: skip
    single = " ".join(kept.split())
    if len(single) > longest:
        raise InvalidAnswer("too_long", {"longest": str(longest)})
    return single


def has_markup_or_link(text: str) -> bool:
    """Tell whether `text` holds a web address or markup, which no detail of a person does."""
    return bool(_URL.search(text) or _MARKUP.search(text))


def is_about_health(text: str) -> bool:
    """Tell whether `text` names a part of the body, a complaint, a treatment or a sport."""
    return bool(_about_health().search(text))


@lru_cache
def _about_health() -> re.Pattern[str]:
    articles = list(the_library().articles.values())
    parts = {re.escape(spelling) for article in articles for part in article.body_parts.values() for spelling in part}
    own = "|".join([rf"(?:{'|'.join(sorted(parts))})\b", *(word for one in articles for word in one.about_condition)])
    return re.compile(rf"\b(?:{_HEALTH}{f'|(?:{own})' if parts else ''})", re.IGNORECASE)


def is_question(text: str) -> bool:
    """Tell whether `text` begins as a question that asks to be answered, not as an offer ("how about friday?")."""
    return bool(_QUESTION.match(text))
