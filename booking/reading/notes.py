"""Notes for the front desk: what people say that belongs to no field of a request, such as "call me after 6"."""

import re

from booking.reading.text import has_markup_or_link, is_about_health, is_question

_LANGUAGE = (
    r"(?:spanish|español|espanol|french|german|chinese|mandarin|cantonese|korean|vietnamese|farsi|persian|arabic"
    r"|tagalog"
    r"|japanese|russian|portuguese|italian|hindi|armenian|asl|sign language)"
)
_COMPANION = (
    r"(?:husband|wife|partner|mom|mum|mother|dad|father|son|daughter|sister|brother|friend|caregiver|carer|nurse|kids?"
    r"|child(?:ren)?|baby|dog|interpreter|boyfriend|girlfriend|parents?)"
)
_WHO_TREATS = r"(?:therapists?|pt|dpt|doctor|dr|provider|clinician|physio\w*|practitioner|someone|person)"
# Each with what it matches, and what it must not.
_KINDS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # "call me after 6", "please text me instead", "don't call before 9"; not "call me Liz", "you can call me at"
        r"\b(?:call|phone|ring|text|reach|contact|e-?mail|message|get back to)\s+(?:me|us|her|him|them|my \w+)\s+"
        r"(?:back\s+)?(?:only\s+)?(?:after|before|any\s?time|at\s+(?:\d|work|home|noon|night)|in\s+the"
        r"|on\s+(?:a\s+)?\w+days?|between|when|only|from"
        r"|around|by|during|until|tomorrow|tonight|today|this|week|back|instead|first|please|asap|mornings?|afternoons?"
        r"|evenings?|rather|not|but|if|late|early|as|to\s+confirm|with|weekdays?|mon|tue|wed|thu|fri)",
        # "text me", "text only", "email is best"
        r"^(?:please\s+|just\s+|can you\s+|could you\s+|you can\s+|i['’]?d\s+(?:prefer|like)\s+(?:a\s+)?"
        r"|prefer\s+(?:a\s+)?)?"
        r"(?:text|e-?mail|message|call|phone|ring)(?:s|ing)?(?:\s+(?:me|us|is\s+(?:best|better|fine|ok)|only"
        r"|please|preferred|"
        r"over\s+\w+|instead(?:\s+of\s+\w+)?|or\s+(?:text|call|e-?mail)|works?\s+(?:best|better)))(?:\s+please)?$",
        r"\b(?:do\s?n['’]?t|do not|no|never|please don['’]?t)\s+(?:call|text|phone|ring|e-?mail|leave"
        r"|voice\s?mails?|calls?)\b",
        r"\b(?:leave|voice\s?mails?)\s+(?:a\s+|me\s+a\s+)?(?:message|voice\s?mail|ok|fine)\b",
        r"\b(?:best|good)\s+time\s+to\s+(?:call|reach)\b|\b(?:reachable|available)\s+(?:by\s+phone"
        r"|for\s+(?:a\s+)?calls?)\b",
        # "in Spanish please", "she only speaks Korean", "I need an interpreter"
        rf"\b(?:in|speaks?|speaking|prefers?|only)\s+(?:\w+\s+)?{_LANGUAGE}\b|\b{_LANGUAGE}(?:[\s-]+(?:speaking"
        rf"|speaker|please|only|preferred|if possible)|$)",
        r"\binterpreter\b|\btranslator\b|\btranslation\b",
        # "I use a wheelchair", "is hard of hearing"
        r"\b(?:wheel\s?chairs?|crutch(?:es)?|walker|walking stick|cane|scooter|stroller|service (?:dog|animal)"
        r"|ramp|elevator"
        r"|blind|deaf|hard of hearing|hearing (?:aids?|impaired)|low vision|visually impaired|dementia|autis\w+"
        r"|non-?verbal"
        r"|oxygen|pacemaker|latex|allerg\w+|pregnan\w+|disab\w+|accessib\w+|accessible|parking spot)\b",
        # "a female therapist", "with Dr. Thomas", "a woman if possible"
        rf"\b(?:fe?male|man|woman|women|lady|same|different|particular|certain|senior"
        rf"|experienced)\b(?:\s+\w+){{0,2}}?\s+{_WHO_TREATS}\b",
        rf"\b{_WHO_TREATS}\s+(?:who|that)\s+(?:is|speaks|knows|works)\b",
        r"\b(?:a|an|by|with|prefer(?:ably)?|want|need)\s+(?:a\s+)?(?:woman|man|female|male|lady)\b",
        r"\b(?:with|see|by|ask for|request)\s+(?:dr\.?|doctor)\s+\w+",
        # "my wife is coming along", "I'll bring my MRI"
        rf"\b(?:my|our|the)\s+(?:\w+\s+)?{_COMPANION}\s+(?:will|is|are|['’]?ll|may|has to|wants to"
        rf"|can)\s+(?:be\s+)?(?:come|coming|join\w*|bring\w*|drive\w*|driving|there|along|with|sit)",
        r"\b(?:i['’]?ll|i will|i am|i['’]?m|we['’]?ll|can i|bringing|i can)\s+(?:be\s+)?(?:bring(?:ing)?)\b"
        r"|^bringing\b",
        # "I have Blue Cross insurance", "it is workers comp"
        r"\b(?:insurance|workers['’]?\s+comp\w*|medicare|medicaid|medi-cal|tricare|referral|prescription|ppo|hmo"
        r"|kaiser|aetna|cigna"
        r"|blue\s?(?:cross|shield)|united\s?health\w*|self[\s-]?pay|cash pay)\b",
        # "tell them ...", "note: ..."
        r"^(?:please\s+)?(?:tell|let|inform|remind)\s+(?:them|the|her|him|dr|doctor|your|everyone|someone)\b",
        r"^(?:please\s+)?(?:add\s+)?(?:a\s+)?(?:note|message|comment)\s*(?::|that|for|to|saying|-)\s*\S",
    )
)
# can they text me instead; a question that asks the front desk for something
_ASKS_FOR = re.compile(
    r"^\W*(?:can|could|would|will)\s(?:you|they|someone|somebody)\s(?:please\s)?(?:just\s)?(?:call|text|e-?mail"
    r"|phone|message|contact|reach"
    r"|speak)\b",
    re.IGNORECASE,
)
_ALSO = re.compile(
    r"^(?:and\s+|oh\s+|wait\s+|no\s+|but\s+){0,3}(?:also|too|plus|as well as)\b\s*,?\s*(\S.*)$", re.IGNORECASE
)
_LEAD = re.compile(
    r"^(?:(?:and|but|also|oh|ok|okay|yes|no|wait|please|so|plus|well|can you|could you|would you|just"
    r"|say)\b[\s,]*){0,6}"
    r"(?:(?:tell|let)\s+(?:them|the (?:clinic|desk|front desk|therapist|staff)|him|her"
    r"|everyone)(?:\s+know)?(?:\s+that)?\s+"
    r"|(?:add\s+)?(?:a\s+)?note\s*(?::|that|for the (?:desk|front desk|clinic)\s*:?|saying|-)\s*)?",
    re.IGNORECASE,
)


def note_in(clause: str) -> str | None:
    """Return the note for the front desk that a clause is, or None."""
    if has_markup_or_link(clause) or (is_question(clause) and not _ASKS_FOR.match(clause)):
        return None
    said = clause.strip(" .,;!-")
    also = _ALSO.match(said)
    if also and is_about_health(also.group(1)):
        return f"also {_LEAD.sub('', also.group(1), count=1).strip(' .!')}"
    bare = _LEAD.sub("", said, count=1).strip(" .,;!-")
    if any(kind.search(said) or kind.search(bare) for kind in _KINDS):
        return bare or None
    return None


def joined(note: str | None, more: str, longest: int) -> str:
    """Return a note with another one added, unless it says that already."""
    if not note:
        return more[:longest]
    return note if more.lower() in note.lower() else f"{note}; {more}"[:longest]
