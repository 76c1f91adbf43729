"""People's names, from everywhere."""

import re
from unicodedata import category

from booking.reading.text import (
    LONGEST_MESSAGE,
    InvalidAnswer,
    has_markup_or_link,
    is_about_health,
    is_question,
    normalise,
    word_set,
)

LONGEST_NAME = 80
_MOST_NAME_WORDS = 10

GREETING = (
    r"(?:(?:hi|hello|hey|sure|ok(?:ay)?|yes|yeah|yep|thanks|thank you|of course|well|so|good (?:morning|evening))\b"
    r"(?:\s+there\b)?[\s,.!-]+){0,4}"
)
_ASIDE = (
    r"(?:(?:oh|wait|hold on|actually|also|and|but|by the way|btw|sorry|oo+ps|ah|um+|hm+|no|nope|correction|i mean)\b"
    r"[\s,.!-]+){0,5}"
)
_WHO = r"(?:son|daughter|husband|wife|partner|mother|mom|mum|father|dad|child|kid|brother|sister|friend)"
_NAME_SAID = (
    rf"(?:me\s+llamo|(?:(?:my|our|the|his|her|full|patient(?:['’]?s)?|{_WHO}['’]?s)\s+){{0,4}}(?:full\s+"
    rf"|real\s+)?name(?:['’]?s|\s+is|\s*:)?|names"
    r"|(?:(?:you\s+can|please|people|everyone|just|they)\s+){0,3}calls?\s+me|i\s+am\s+called|i['’]m\s+called"
    r"|(?:the\s+)?patient\s+is|(?:it['’]?s|booking)\s+for)"
)
_NAME_HINTED = r"(?:i['’]?m|i\s+am|it['’]?s|it\s+is|this\s+is)"
_RELATION = rf"(?:(?:for\s+)?(?:my|our|the)\s+{_WHO}\b(?!['’]),?\s*)?"
_NAME_LEAD = re.compile(rf"^{GREETING}(?:{_ASIDE}(?:{_NAME_SAID}|{_NAME_HINTED})\s+)?{_RELATION}", re.IGNORECASE)

# What stands behind a name: each is looked for once, at the end.
_NAME_TAIL = re.compile(
    r"(?:\s+here|\s+is\s+(?:my|the|her|his)\s+(?:full\s+|real\s+)?name|\s+speaking|[\s,]+(?:please|thanks|thank"
    r" you|by the way|btw|lol)"
    r"|[\s,(]+(?:she|he|they)/\w+(?:/\w+)?\)?"
    r"|\s*[,(]\s*(?:(?:he|she|they)\b.{0,8}\s|aged?\s)?\d{1,2}(?:\s*(?:years?(?:\s|-)old|yo|y/o))?\)?)[\s.!]*$",
    re.IGNORECASE,
)
_MOST_TAILS = 3
_NAME_REST = re.compile(
    r"[\s,(]with(?:out)?\s(?:an?|the|one|two|no|double)\s.*$"
    r"|[\s,](?:(?:who|he|she|they)\s)?(?:needs?|wants?|would\slike|has\sto)\s.*$",
    re.IGNORECASE,
)
_POSSESSIVE = re.compile(rf"['’]s\s+{_WHO}$", re.IGNORECASE)
_PART_NAMED = r"(?P<{}>first|given|last|family|sur)\s?-?name(?:\s+is|['’]s|:)?\s+"
_BOTH_NAMED = re.compile(
    rf"{_PART_NAMED.format('one')}(?P<a>\S+(?:\s\S+)?),?\s+(?:and\s+)?(?:my\s+)?{_PART_NAMED.format('other')}(?P<b>\S.*)",
    re.IGNORECASE,
)
SAID = re.compile(rf"^{GREETING}{_ASIDE}{_NAME_SAID}\s+(?=\S)", re.IGNORECASE)
HINTED = re.compile(rf"^{GREETING}{_ASIDE}{_NAME_HINTED}\s+(?=\S)", re.IGNORECASE)
_NAME_MARKS = frozenset(" '’‘ʼʻ`´-‐‑–.·・,()\u200c\u200d")
# Words that a sentence is made of. A name that is spelt like one ("Will May") shows by its capitals.
_NEVER_IN_NAMES = word_set(
    "i i'm im i'd id i've ive i'll ill you you're your yours u ur me we us our they them their he she his it it's its"
    " what what's why who whose where when which how does did doesn't don't dont didn't isn't aren't won't can't cant"
    " cannot couldn't should shouldn't would wouldn't could was were been being have has had having is are am be if"
    " that that's thats these those there there's this because with without about from into than then but"
    " yes yeah yep yup nope nah ok okay sure please thanks thank hi hello hey bye goodbye cancel stop restart back"
    " help want wants need needs like likes know think tell ask asking book booking appointment visit schedule"
    " name names phone email number call text later soon today tomorrow tonight yesterday asap whenever anytime"
    " morning afternoon evening weekday weekdays weekend weekends monday tuesday thursday friday saturday sunday"
    " new returning patient private nothing none something anything everything someone nobody anyone maybe perhaps"
    " not never always very really just only also too again still already more less much many some any all every"
    " getting going doing trying looking feeling suffering wondering thinking calling hoping coming taking making"
    " using working interested tired busy fine good bad great worse better sorry unsure confused worried scared"
    " afraid ready available free done pregnant complicated anonymous unknown test question questions answer wrong"
    " change correct skip next previous undo nevermind whatever idk dunno lol tbh pls plz physical clinic pt"
    " hm hmm hmmm um umm uh erm eh"
    " left right use try digits address mistake typo thumbs fingers fat"
    " status hours location directions parking fee fees menu option options info details reference"
    " idiot idiots stupid moron dumb dumbass useless fuck fucking fucker shit bullshit crap ass asshole bitch bastard"
    " damn wtf stfu suck sucks"
)
_SELDOM_IN_NAMES = word_set(
    "a an the of and or to in on at for by my mine no so do can must up out off as over under after before"
    " one two here now day week time hurt price prices shin shins hand hands foot burns brace race bone bones neck"
    " rest heat back ran fall falls ice doctor doctors walk weak pop tears wednesday see go get"
)
# Given names that are spelt like words which are none, taken where a text says that they are a name.
_ALSO_NAMES = word_set("No Do My So An Or In On At By Up")
_HEALTH_NAMES = word_set("hurt price shin hand foot burns brace race bone neck rest heat ran ice doctor weak fell")
SMALL_NAME_WORDS = word_set("de da do del dela den der di dos du la las los van von ten ter bin ben ibn al el y e")
_ABBREVIATED_LAST = re.compile(r"\s(?:jr|sr|[^\W\d_])\.$", re.IGNORECASE)
_SUFFIX = re.compile(r",\s*(?:jr|sr|ii|iii|iv|md|phd|dpt|pt|rn)\.?$", re.IGNORECASE)


def parse_name(text: str) -> str:
    """Read a name, from the answer to that question: "my name is José", "it's bob", 李.

    Raises:
        InvalidAnswer: `name_unclear` for a sentence, a question, digits, markup or an address; `too_long`.
    """
    whole = normalise(text, LONGEST_MESSAGE)
    if has_markup_or_link(whole.replace("`", "'")) or is_question(whole) or any(mark in whole for mark in "?@#&=_~$%"):
        raise InvalidAnswer("name_unclear")
    plain = " ".join("".join(" " if category(mark) == "So" else mark for mark in whole).split())
    bare = _one_name(_without_tail(_NAME_LEAD.sub("", plain, count=1))).strip(' ,.!;:-"“”')
    if _ABBREVIATED_LAST.search(f" {plain}"[-4:]):
        bare += "."
    if len(bare) > LONGEST_NAME:
        raise InvalidAnswer("too_long", {"longest": str(LONGEST_NAME)})
    if not _is_name(bare) and not (SAID.match(plain) and bare in _ALSO_NAMES):
        raise InvalidAnswer("name_unclear")
    return bare


def _without_tail(text: str) -> str:
    text = _NAME_REST.sub("", text, count=1)
    for _ in range(_MOST_TAILS):
        text = _NAME_TAIL.sub("", text, count=1)
    return text


def is_written_as_name(text: str) -> bool:
    """Tell whether `text` is no more than a name with its capitals, or one of a script that has none."""
    try:
        words = parse_name(text).split()
    except InvalidAnswer:
        return False
    return any(not word[0].islower() for word in words) and all(
        not word[0].islower() or word in SMALL_NAME_WORDS for word in words
    )


def _one_name(text: str) -> str:
    """Return the whole name out of "Becky, Becky Sandoval", "Shaun, s-h-a-u-n", "first name Ravi last name Patel"."""
    both = _BOTH_NAMED.fullmatch(text.strip())
    if both:
        return f"{both['a']} {both['b']}" if both["one"].lower() in {"first", "given"} else f"{both['b']} {both['a']}"
    said, _, again = text.partition(",")
    spelt = joined_letters(again.strip())
    if said.strip() and said.strip().lower() in spelt.lower().split():
        return said if spelt != again.strip() else again
    return text


def _is_name(text: str) -> bool:
    plain = _SUFFIX.sub("", text)
    if not plain or not all(category(mark)[0] in "LM" or mark in _NAME_MARKS for mark in plain):
        return False
    if plain.count(",") > 1 or not any(category(mark)[0] == "L" for mark in plain):
        return False
    # A run of marks over one letter is no name of any script; it is made to break what shows it.
    if re.search(r"[A-Za-z]{31,}", plain) or _longest_run_of_marks(plain) > 4:
        return False
    words = [word.strip(".,()") for word in plain.replace("’", "'").split()]
    words = [word for word in words if word]
    if not 1 <= len(words) <= _MOST_NAME_WORDS:
        return False
    lower = [word.lower() for word in words]
    capital = len(words) > 1 and all(word[0].isupper() and not word.isupper() for word in words)
    if any(word in _NEVER_IN_NAMES for word in lower) or _POSSESSIVE.search(plain):
        return False
    healthy = [word for word in lower if not (capital and word in _HEALTH_NAMES)]
    if is_about_health(" ".join(healthy)):
        return False
    seldom = sum(word in _SELDOM_IN_NAMES for word in lower)
    return capital or seldom == 0 or (len(words) > 2 and seldom == 1 and lower[0] not in _SELDOM_IN_NAMES)


def _longest_run_of_marks(text: str) -> int:
    runs = re.findall("M+", "".join("M" if category(mark)[0] == "M" else "-" for mark in text))
    return max(map(len, runs), default=0)


def joined_letters(text: str) -> str:
    """Return letters that are spelt one by one ("R-U-I-S", "r u i s") as a word."""
    if re.fullmatch(r"(?:[^\W\d_][\s.,-]+){2,}[^\W\d_]\.?", text.strip()):
        return re.sub(r"[\s.,-]+", "", text).capitalize()
    return text
