"""Replies that are no detail themselves: yes and no, skip, back, why, a refusal, a question, a curse.

Each pattern is searched in at most `LONGEST_MESSAGE` characters and repeats no group that can match in two ways.
"""

import re

from booking.reading.text import LONGEST_MESSAGE, is_about_health, is_question

BACK = re.compile(r"\b(go|one|step) back\b|^\W*back\W*$|\bprevious\b", re.IGNORECASE)
# "yes please send it to them now": what is longer says something else besides.
_MOST_WORDS_BESIDE_YES = 6
# yes; si, dale; just send the damn thing
_YES = re.compile(
    r"^\W*(?:(?:just|please|ok(?:ay)?|well|hm+)\W+){0,2}(?:/affirm|y|ye[psa]h?|yes\w*|yup|ya|sure|ok(?:ay)?|k"
    r"|please(?=\W*$|\W{1,3}(?:do|send|yes|go|book)\b)|send"
    r"|book (?:it|that|this)|go (?:ahead|for it)|correct|right|good|great|perfect|fine|confirm\w*|do it|try again"
    r"|absolutely|(?:that|this)(?:['’]?s| is) it"
    r"|definitely|of course|awesome|excellent|submit|s[ií]|dale|claro|vale|bueno|listo|perfecto|correcto|de"
    r" acuerdo|oui|👍"
    r"|(?:(?:that|this|it|all|everything)(?:['’]?s| is)? )?(?:looks|sounds|seems|right|correct|fine|good|great"
    r"|perfect))"
    r"(?:\b|(?<=👍))",
    re.IGNORECASE,
)
_BUT = re.compile(
    r"\b(?:but|no|not|dont|wait|except|instead|change|later|never|also|and tell|only|actually)\b|n['’]t\b|\?",
    re.IGNORECASE,
)
_NO = re.compile(r"^\W*(?:/deny|no+|nope|nah|n|nothing|none|no\W+(?:nothing|nope|no|gracias))\W*$", re.IGNORECASE)
_NOT_THAT = re.compile(
    r"^\W*(?:no+|nope|nah|none)\b\W*(?:thanks|thank you|that|it|monday|tuesday|wednesday|thursday|friday|another"
    r"|other|different"
    r"|does|do|won|can|i|day|doesn|don|not|work|good|time|t|please|sorry|please|’|'|\W)*$",
    re.IGNORECASE,
)
_REFUSES = re.compile(
    r"^\W*(?:(?:no|nope|nah|sorry|i)\W+){0,3}(?:(?:do not|don['’]?t|won['’]?t|will not|rather not|would rather"
    r" not|['’]?d rather not)\s+"
    r"(?:want|wanna|wish|like|give|tell|say|share|answer)\b|none of your (?:business|concern)|not (?:telling"
    r"|giving|saying)\b"
    r"|(?:that['’]?s )?(?:private|too personal)\b)|^\W*(?:no|nope|nah)\W*$",
    re.IGNORECASE,
)
_DO_NOT_SEND = re.compile(
    r"^\W*(?:no\W+)?(?:no thanks|no thank you|nope thanks|(?:please )?(?:do not|don['’]?t) (?:send|do|book)(?:"
    r" (?:it|that|this))?"
    r"|not (?:yet|now|today))\b(?:\W{1,3}(?:please|thanks|thank you))?\W*$",
    re.IGNORECASE,
)
WHY = re.compile(
    r"^\W*(?:(?:but|and|ok|hm+)\W{1,3})?(?:why|what for|how come)(?:\W{1,3}(?:do|would|does|is|are) (?:you|that"
    r"|it|this)\b.{0,80})?\W*$",
    re.IGNORECASE,
)
# An agreement to go on, not a yes to "have you been here before?".
MAYBE = re.compile(r"^\W*(?:ok(?:ay)?|k|sure|fine|alright|all right|go on|of course)\W*$", re.IGNORECASE)
THIS_NUMBER = re.compile(
    r"\b(?:this|same|current|my own) (?:number|phone|one)\b|\b(?:writing|texting|messaging|chatting) (?:\w+ )?from\b",
    re.IGNORECASE,
)
# same number; the same as before
_SAME_AS_BEFORE = re.compile(
    r"\bsame\b(?:\W+(?:number|phone|e-?mail|address|contact|one|as|name))?(?:\W+(?:as)?\W*(?:before|last time"
    r"|earlier|previously))?",
    re.IGNORECASE,
)
_SKIP = re.compile(
    r"^\W*(?:skip|pass|i['’]?d rather not|rather not)(?: (?:it|this|that|say|tell|answer)){0,3}\W*$", re.IGNORECASE
)
_NOTHING_TO_SAY = re.compile(
    r"^\W*(?:none|nothing|not sure|no idea|(?:i )?don['’]?t know|idk|nothing (?:really|special|else))\W*$",
    re.IGNORECASE,
)
STOPS = re.compile(
    r"\b(?:never\s?mind|cancel|stop|quit|exit|abort|forget (?:it|about it|that)|leave it|start over|restart|no more)\b",
    re.IGNORECASE,
)
_SWEARS = re.compile(
    r"\b(?:fuck\w*|f\*+k?\w*|shit\w*|bullshit|crap\w*|damn\w*|goddamn\w*|hell|ass|asshole\w*|bitch\w*|bastard\w*"
    r"|wtf|stfu|sucks?"
    r"|idiot\w*|stupid|moron\w*|dumb\w*|useless|ridiculous|annoying|hate (?:this|you|bots?)|slow|joke)\b",
    re.IGNORECASE,
)
# I don't want to book anything; not looking to book
_DECLINES_BOOKING = re.compile(
    r"\b(?:(?:do\s?n['’]?t|do not|did\s?n['’]?t|did not|not|never|wo\s?n['’]?t)\s+(?:(?:really|actually"
    r"|even)\s+)?(?:want|wanna|wish|need|like|looking|trying|"
    r"here|going|ready|say|ask\w*|asked)(?:\s+to)?\s+(?:\w+\s+){0,2}?(?:book|schedule|make|get|have|see|set up"
    r"|an?)\b.{0,20}?(?:\b(?:appointment|visit|anything|now|yet|one|today|book|schedule)\b|$)"
    r"|(?:do\s?n['’]?t|do not)\s+(?:want|need)\s+(?:an?\s+|any\s+)?(?:appointment|visit|booking)"
    r"|(?:do\s?n['’]?t|do not)\s+book\b|not\s+(?:book|booking)\b|without\s+booking)",
    re.IGNORECASE,
)

# cancel tomorrow's appointment, I'm running late for my visit; not "I need an appointment"
_OF_AN_APPOINTMENT = re.compile(
    r"\b(?:cancel|reschedul\w+|postpone|move|change|running\slate|late\sfor|miss(?:ed)?)\b.{0,40}"
    r"\b(?:appointment|appt|visit|session)\b",
    re.IGNORECASE,
)

# what happens after I send it, can I choose the therapist; not "what happens in surgery"
_OF_THE_REQUEST = re.compile(
    r"\bafter (?:i|you) send\b|\b(?:choose|pick|request) (?:the|a|my|which) (?:therapist|pt|doctor|day|time)\b"
    r"|\bhow soon\b"
    r"|\bwhen (?:will|do|would) (?:you|they|someone|the clinic) (?:call|answer|get back|reply|confirm)\b",
    re.IGNORECASE,
)


def is_yes(text: str) -> bool:
    """Tell whether `text` agrees and adds nothing."""
    cut = text[:LONGEST_MESSAGE]
    agreed = _YES.search(cut)
    if agreed is None or _BUT.search(cut):
        return False
    rest = cut[agreed.end() :]
    return len(rest.split()) <= _MOST_WORDS_BESIDE_YES and not is_about_health(rest)


def is_no(text: str) -> bool:
    """Tell whether `text` is a bare no."""
    return bool(_NO.search(text[:LONGEST_MESSAGE]))


def is_not_that(text: str) -> bool:
    """Tell whether `text` turns down an offered day and names no other."""
    return len(text) < 60 and bool(_NOT_THAT.search(text))


def refuses(text: str) -> bool:
    """Tell whether `text` refuses to answer."""
    return bool(_REFUSES.search(text[:LONGEST_MESSAGE]))


def refuses_to_send(text: str) -> bool:
    """Tell whether `text` says that the request is not to be sent."""
    return bool(_DO_NOT_SEND.search(text[:LONGEST_MESSAGE]))


def skips(text: str) -> bool:
    """Tell whether `text` passes a question over."""
    return bool(_SKIP.search(text[:LONGEST_MESSAGE]))


def has_nothing_to_say(text: str) -> bool:
    """Tell whether `text` says that there is no answer."""
    return bool(_NOTHING_TO_SAY.search(text[:LONGEST_MESSAGE]))


def means_the_one_before(text: str) -> bool:
    """Tell whether `text` gives the contact of an earlier request: "same number"."""
    return len(text) < 80 and bool(_SAME_AS_BEFORE.search(text))


def stops(text: str) -> bool:
    """Tell whether `text` calls the booking off in words that are surely that."""
    return bool(STOPS.search(text[:LONGEST_MESSAGE]))


def swears(text: str) -> bool:
    """Tell whether `text` curses or complains."""
    return bool(_SWEARS.search(text[:LONGEST_MESSAGE]))


def asks(text: str) -> bool:
    """Tell whether `text` is a question."""
    cut = text[:LONGEST_MESSAGE]
    return cut.rstrip().endswith("?") or is_question(cut)


def declines_booking(text: str) -> bool:
    """Tell whether `text` says that no visit is wanted: "I don't want to book, just asking"."""
    return bool(_DECLINES_BOOKING.search(text[:LONGEST_MESSAGE]))


def concerns_an_appointment(text: str) -> bool:
    """Tell whether `text` is about an appointment that was made already: "cancel tomorrow's appointment"."""
    return bool(_OF_AN_APPOINTMENT.search(text[:LONGEST_MESSAGE]))


def asks_about_the_request(text: str) -> bool:
    """Tell whether `text` asks what becomes of the request, which the front desk alone can say."""
    return asks(text) and bool(_OF_THE_REQUEST.search(text[:LONGEST_MESSAGE]))
