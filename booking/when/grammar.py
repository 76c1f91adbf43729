"""The English that people write for days and hours: one pattern for each kind of expression.

The patterns read text that `tokens.respell` has put right, in which numbers from thirteen on and ordinals are figures.
A null stands in it where an earlier pattern has matched already. Each is linear in its input: none repeats a group
that can match in two ways.
"""

import re

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBER = rf"(?:\d{{1,2}}|an?|{'|'.join(NUMBERS)})"
HOUR = rf"(?:{'|'.join(NUMBERS)})"
DAY = (
    r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:s|nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
)
MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
HOLIDAY = (
    r"(?:thanksgiving|christmas|x-?mas|new\s+year['’]?s?|labou?r\s+day|memorial\s+day|independence\s+day"
    r"|veterans?['’]?\s+day"
    r"|presidents?['’]?s?\s+day|mlk\s+day|martin\s+luther\s+king\s+day|columbus\s+day|halloween"
    r"|valentine['’]?s?(?=\s+day)"
    r"|mother['’]?s\s+day|father['’]?s\s+day|easter)(?:\s+(?:eve|day|sunday|monday)\b)?"
)
TOMORROW = r"(?:tomorrow|tmrw|tmr|tmw|2morrow)"
ORDINAL = r"\d{1,2}(?:st|nd|rd|th)"
MERIDIEM = r"[ap]\.?m(?![a-z])\.?"
MINUTES = r"(?:fifteen|ten|five|quarter|half|15|10|5|20|25)"
POINT = (
    rf"(?:{MINUTES}\s+(?:minutes\s+)?past\s+(?:{HOUR}|\d{{1,2}})(?:\s*{MERIDIEM})?"
    rf"|(?:quarter|20|25)\s+(?:to|of|till?)\s+(?:{HOUR}|\d{{1,2}})(?:\s*{MERIDIEM})?"
    rf"|half\s+(?:{HOUR}|\d{{1,2}})|noon|midday|midnight"
    rf"|(?:0?[1-9]|1[0-2])[0-5]\d(?=\s*{MERIDIEM})\s*{MERIDIEM}|(?:[01]\d|2[0-3])[0-5]\d\s*(?:hrs|hours|h)\b"
    rf"|(?:[01]?\d|2[0-4])(?:[:.][0-5]\d|h(?:[0-5]\d)?)?(?![\d/])(?:\s*o['’]?\s?clock)?(?:\s*{MERIDIEM})?"
    rf"|{HOUR}\b(?:[\s-](?:five|ten|\d\d)\b)?(?:\s*o['’]?\s?clock)?(?:\s*{MERIDIEM})?)"
)
_NOT_A_CLOCK = (
    r"(?!\s*(?:%|(?:days?|weeks?|fortnights?|months?|years?|yrs?|hours?|hrs?|minutes?|mins?|times?|sessions?|visits?"
    r"|people|miles?|km?|st|nd|rd|th|of\s+(?:us|my))\b))"
)
BOUND = (
    r"(?:not\s+before|no(?:t)?\s+(?:later|earlier)\s+than|not\s+after|any\s?time\s+(?:after|before)|later\s+than"
    r"|earlier\s+than|after|past|from|since|before|by|until|till?|up\s+to|around|about|approx(?:imately)?\.?|near"
    r"|close\s+to|at|@)"
)
# How a bound stands to the day that follows it.
LOOSE = (
    r"not\s+before|no(?:t)?\s+(?:later|earlier)\s+than|not\s+after|later\s+than|earlier\s+than|after|from|since"
    r"|before|by"
    r"|until|till?|up\s+to|around|about"
)
LOWER = re.compile(r"not\s+before|no(?:t)?\s+earlier|later\s+than$|after|past|from|since")
UPPER = re.compile(r"no(?:t)?\s+later|not\s+after|earlier\s+than|before|by|until|till?|up\s+to")
ROUGH = re.compile(r"around|about|approx|near|close")
_SOME = rf"(?:{NUMBER}|a\s+couple(?:\s+of)?|a\s+few)"
_UNIT = r"(?:days?|weeks?|wks?|fortnights?|months?)"
_EARLY = r"(?:the\s+)?(?:early|mid(?:dle)?|late|later|beginning|start|end)(?:\s+part)?(?:\s+(?:of|in))?"
_STRETCH_OF = rf"(?:{_EARLY}[\s-]+(?:the\s+)?)?"
_PART = r"(?:mornings?|afternoons?|evenings?|nights?|lunch(?:\s?time)?s?)"
_SLOT = r"(?:slot|opening|appointment)"
_NEXT = r"(?:this|next|coming|upcoming|following)"

# Tried in this order, and what one has matched is out of reach for those after it.
PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile("|".join(alternatives), re.IGNORECASE))
    for kind, *alternatives in (
        ("greeting", r"\b(?:good|great|nice)\s+(?:morning|afternoon|evening|night|day|week-?end)\b"),
        ("clock", rf"\bat\s+\d{{1,2}}\.[0-5]\d\b(?:\s*{MERIDIEM})?", rf"\b\d{{1,2}}\.[0-5]\d\s*{MERIDIEM}"),
        ("date", r"\b\d{4}-\d{1,2}-\d{1,2}\b", r"\b\d{1,2}/\d{1,2}(?:/(?:\d{4}|\d{2}))?\b(?!/)"),
        ("date", r"\b\d{1,2}-\d{1,2}-(?:\d{4}|\d{2})\b", r"\b\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})?(?!\d)"),
        ("date", r"(?<![\d.:])\d{1,2}\.(?!00|15|30|45)\d{1,2}\b(?![.:]\d)"),
        ("date", rf"\b(?:the\s+)?\d{{1,2}}(?:st|nd|rd|th)?(?:\s+of)?[\s-]+{MONTH}(?:,?\s+20\d\d\b)?"),
        (
            "date",
            rf"\b(?:next\s+)?{MONTH}(?:\s*,\s*|\s*[/-]\s*|\s+)(?:the\s+)?\d{{1,2}}(?:st|nd|rd|th)?\b"
            rf"(?!\s*(?:{MERIDIEM}|:\d|o['’]?\s?clock))(?:,?\s+20\d\d\b)?",
        ),
        ("date", rf"\b{HOLIDAY}\b", r"\b(?:the\s+)?(?:4th|fourth)\s+of\s+july\b"),
        ("date", rf"\b(?:the\s+)?{ORDINAL}\s+(?:of\s+)?(?:(?:the\s+)?{_NEXT}\s+month|the\s+month)\b"),
        (
            "nth",
            rf"\b(?:the\s+)?(?:first|second|third|fourth|last|1st|2nd|3rd|4th)\s+(?:{DAY}|week)\s+(?:of|in)\s+"
            rf"(?:{MONTH}|(?:the\s+)?(?:{_NEXT}\s+)?month\b|(?:the\s+)?{_NEXT}\s+year\b)",
        ),
        ("ordinal", rf"\b(?:the\s+)?{ORDINAL}\b"),
        (
            "past",
            r"\byesterday\b",
            rf"\blast\s+(?:{DAY}|week|month|year|night)\b",
            rf"\b{NUMBER}\s+(?:day|week|month|year)s?\s+ago\b",
        ),
        (
            "relative",
            rf"\b(?:{_SOME}\s+)?(?:{_UNIT}\s+(?:from|after|before)|(?:weeks?|fortnights?)\s+on)\s+(?:(?:today"
            rf"|now|{TOMORROW})\b|(?=(?:the|this|next|on)?\s*(?:\0|{DAY}\b)))",
            rf"\ban?\s+(?:week|fortnight)\s+(?=(?:today|{TOMORROW}|{DAY})\b)",
        ),
        (
            "date",
            rf"\b(?:the\s+)?day\s+after\s+{TOMORROW}\b",
            rf"\bin\s+{_SOME}\s+days?(?:\s+time)?\b",
            r"\bovermorrow\b",
            r"\b(?:the\s+)?(?:day|morning|afternoon|evening)\s+(?:after|before|following)\s+(?=(?:the\s+)?\0)",
        ),
        (
            "weeks_ahead",
            rf"\bin\s+(?:about\s+)?{_SOME}\s+(?:weeks?|wks?|fortnights?|months?|years?)(?:['’]?\s+time)?\b",
            rf"\b{_SOME}\s+(?:weeks?|months?)\s+out\b",
            r"\ba\s+fortnight\b",
        ),
        (
            "week",
            rf"\b(?:(?:the|over|in|within)\s+){{0,2}}next\s+{_SOME}\s+(?:weeks?|days?)\b",
            rf"\bwithin\s+(?:the\s+)?{_SOME}\s+(?:weeks?|days?)\b",
        ),
        ("hours", rf"\bin\s+(?:{NUMBER}|half\s+an)\s+(?:hours?|minutes?)\b"),
        ("date", rf"\b{TOMORROW}\b"),
        (
            "today",
            r"\b(?:later\s+)?today\b",
            r"\bthis\s+(?=morning|afternoon|evening)",
            r"\btonight\b",
            r"\bright\s+now\b",
        ),
        (
            "week",
            rf"\b{_STRETCH_OF}(?:the\s+)?week\s+after\s+(?:next|this)\b",
            r"\bmid-?\s?week\b(?:\s+(?:of\s+)?next\s+week)?",
            r"\bthe\s+week\s+after\b(?!\s*\0)",
            rf"\b{_STRETCH_OF}(?:this|next|(?:the\s+)?coming|(?:the\s+)?following)\s+week\b(?!\s*-?end)",
            r"\b(?:late(?:r)?\s+(?:in\s+)?|end\s+of\s+)the\s+week\b(?!\s*-?end)",
        ),
        ("week", r"\b(?:the\s+)?week\s+(?:of|starting|beginning)\s+(?=(?:on|the|this|next)?\s*\0)"),
        (
            "month",
            rf"\b(?:in|this|next|during|of|by|through|{_EARLY})[\s-]+(?:the\s+)?(?:{_NEXT}\s+)?(?:{MONTH}|month\b)",
            rf"^\W*(?:sometime\s+)?{MONTH}\W*$",
        ),
        (
            "weekday",
            rf"\b(?:(?:this|next|coming|upcoming|following|every|each|any|on)\s+){{0,3}}{DAY}\s+(?:after\s+next"
            rf"|week)\b(?!\s*-?end)",
            rf"\b(?:(?:this|next|coming|upcoming|following|every|each|any|on)\s+){{0,3}}(?:{DAY}|week\s?-?day"
            rf"|week\s?-?end)s?\b",
        ),
        ("ordinal", r"(?<=\0)[\s,]+(?:the\s+)?(?:1[3-9]|2\d|3[01])\b(?!\s*(?:[ap]\.?m\b|[:.h]\d|-|–|to\b|hrs|hours))"),
        (
            "through",
            r"(?<=\0)\s*(?:-|–|—|\bto\b|\bthru\b|\bthrough\b|\buntil\b|\btill\b|\band\b)\s*(?=(?:the\s+)?\0)",
            r"(?<=\0)\s*(?:-|–|—|to|thru|through|until|till|and)\s*(?:the\s+)?(?:[12]?\d"
            r"|3[01])\b(?!\s*(?:[ap]\.?m\b|[:.h/]\d))",
        ),
        (
            "excludes",
            r"\b(?:except|but\s+not(?!\s+(?:before|after|later|earlier)))\b",
            r"\b(?:anything|any\s?(?:other\s)?day|every\s?day|any\s?(?:other\s)?time)\s+but\b",
            r"\b(?:instead\s+of|no\s+good|rather\s+than|other\s+than)\b",
            r"\b(?:can['’]?t|cannot|can\s+not)\s+(?:do|make|come)\b",
            r"\b(?:does|do|is|wo|are)n['’]?t\b(?!\s+(?:mind|care|matter))",
            r"\b(?:not|no|never)\s+(?!before|after|later|earlier|preference|matter)(?:on\s+|in\s+)?"
            r"(?=\0|(?:the|any)\s|early|late|morn|after|even|night|mid|noon|lunch|\d)",
        ),
        ("loose", rf"(?<!\bhow\s)(?<!\bwhat\s)\b(?:{LOOSE})\s+(?:(?:on|the|this|next)\s+){{0,3}}(?=\0)"),
        ("clock", rf"\b{POINT}(?=\s+(?:in\s+the|at)\s+{_PART})"),
        (
            "part",
            rf"\b(?:(?:early|late|mid|first\s+thing)[\s-]+)?(?:in\s+the\s+|at\s+)?{_PART}\b",
            r"\b(?:(?:at|by|before)\s+)?(?:the\s+)?(?:end\s+of\s+(?:the\s+)?(?:day|business)"
            r"|close\s+of\s+business)\b|\b(?:eod|cob)\b",
            r"\bfirst\s+thing\b",
            r"\b(?:early|later?)\s+in\s+the\s+(?:day|week)\b|\bearly\b",
            r"\b(?:before|after)\s+(?:work|school|lunch)\b",
            r"\b(?:during|over|on)\s+(?:my\s+)?lunch(?:\s+(?:break|hour))?\b",
            r"\bnoon-?ish\b",
        ),
        (
            "range",
            rf"\b(?:(?:between|from|any\s?time\s+from)\s+)?(?!(?:20|25)\s+to\s){POINT}\s*(?:-|–|—|to|and|until"
            rf"|till?)\s*{POINT}(?!\d)" + _NOT_A_CLOCK,
        ),
        (
            "clock",
            rf"(?:\b{BOUND}\s+|@\s*){{0,3}}\b{POINT}(?:\s?-?ish\b)?{_NOT_A_CLOCK}"
            r"(?:\s*(?:\+|\b(?:or\s+(?:later|after|earlier|before|so)|onwards?|and\s+(?:later|after))\b))?",
        ),
        ("meridiem", rf"(?<!\bi\s)\b{MERIDIEM}(?=$|[\s,.;!?\0])(?!\s+i\b)"),
        (
            "vague",
            r"\basap\b",
            r"\b(?:as\s+)?(?<!too\s)(?<!how\s)soon(?:est)?(?:\s+as\s+possible)?\b",
            rf"\b(?:earliest|first|next)\s+(?:available|possible|{_SLOT})(?:\s+(?:one|{_SLOT}))?\b",
            r"\b(?:earliest|flexible|immediately|when\s?ever)\b",
            r"\b(?:any|every)\s?(?:day|time)\b",
            r"\ball\s+(?:week|day)\b",
            r"\bno\s+preference\b",
            r"\b(?:do\s?n['’]?t|do\s+not)\s+(?:mind|care)\b",
            r"\b(?:straight|right)\s+away\b",
        ),
    )
)
