"""When a visit would suit: people's words, and the day and hour they mean at this clinic."""

import datetime
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import BaseModel

from booking.reading.text import DetailError, is_about_health, is_code, is_question, tidy, word_set
from clinic.profile import WEEKDAYS, Clinic, Span, clock

LONGEST_TIME = 120
_FARTHEST = datetime.timedelta(days=365)
# A date without a year that lies this far ahead is one that has just passed, not one of next year.
_NEXT_YEAR_AT_MOST = datetime.timedelta(days=270)
_MONTH_FIRST_REGIONS = frozenset({"US", "AS", "GU", "MH", "MP", "PR", "UM", "VI"})

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER = rf"(?:\d{{1,2}}|an?|{'|'.join(_NUMBERS)})"
_HOUR = rf"(?:{'|'.join(_NUMBERS)})"
_DAY = (
    r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:s|nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_HOLIDAY = r"(?:thanksgiving|christmas(?:\s+(?:eve|day))?|x-?mas|new\s+year['’]?s(?:\s+(?:eve|day))?)\b"
_TOMORROW = r"(?:tomorrow|tmrw|tmr|tmw|2morrow)"
_HALF = r"[ap]\.?m(?![a-z])\.?"
_POINT = (
    rf"(?:(?:(?:half|quarter)\s+(?:past|to)|half)\s+(?:{_HOUR}|\d{{1,2}})|noon|midday|midnight"
    rf"|(?:[01]?\d|2[0-4])(?:[:.][0-5]\d|h(?:[0-5]\d)?)?(?![\d/])(?:\s*o['’]?\s?clock)?(?:\s*{_HALF})?"
    rf"|{_HOUR}\b(?:[\s-](?:fifteen|thirty|forty-?five)\b)?(?:\s*o['’]?\s?clock)?(?:\s*{_HALF})?)"
)
_NOT_A_CLOCK = (
    r"(?!\s*(?:%|(?:days?|weeks?|months?|years?|yrs?|hours?|hrs?|minutes?|mins?|times?|sessions?|visits?|people|miles?"
    r"|km?|st|nd|rd|th)\b))"
)
_BOUND = (
    r"(?:not\s+before|no(?:t)?\s+(?:later|earlier)\s+than|not\s+after|any\s?time\s+(?:after|before)|later\s+than"
    r"|earlier\s+than|after|past|from|since|before|by|until|till?|up\s+to|around|about|approx(?:imately)?\.?|near"
    r"|close\s+to|at|@)"
)
_LOOSE = (
    r"week\s+(?:of|starting|beginning)|not\s+before|no(?:t)?\s+(?:later|earlier)\s+than|not\s+after|later\s+than"
    r"|earlier\s+than|after|from|since|before|by|until|till?|up\s+to|around|about"
)
_LOWER = re.compile(r"not\s+before|no(?:t)?\s+earlier|later\s+than$|after|past|from|since")
_UPPER = re.compile(r"no(?:t)?\s+later|not\s+after|earlier\s+than|before|by|until|till?|up\s+to")
_ROUGH = re.compile(r"around|about|approx|near|close")

_MONTHS_AHEAD = r"(?:in|early|mid|late|this|next|during|of|by|through)"
_PART = r"(?:mornings?|afternoons?|evenings?|nights?|lunch(?:\s?time)?s?)"
_SLOT = r"(?:slot|opening|appointment)"

# Tried in this order, and what one has matched is out of reach for those after it.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile("|".join(alternatives), re.IGNORECASE))
    for kind, *alternatives in (
        ("greeting", r"\b(?:good|great|nice)\s+(?:morning|afternoon|evening|night|day|week-?end)\b"),
        ("date", r"\b\d{4}-\d{1,2}-\d{1,2}\b", r"\b\d{1,2}/\d{1,2}(?:/(?:\d{4}|\d{2}))?\b(?!/)"),
        ("date", r"\b\d{1,2}-\d{1,2}-(?:\d{4}|\d{2})\b", r"\b\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})?(?!\d)"),
        ("date", rf"\b\d{{1,2}}(?:st|nd|rd|th)?(?:\s+of)?\s+{_MONTH}(?:,?\s+20\d\d\b)?"),
        ("date", rf"\b{_MONTH}\s+(?:the\s+)?\d{{1,2}}(?:st|nd|rd|th)?\b(?!\s*(?:{_HALF}|:\d|o))(?:,?\s+20\d\d\b)?"),
        ("date", rf"\b{_HOLIDAY}"),
        ("ordinal", r"\b(?:the\s+)?\d{1,2}(?:st|nd|rd|th)\b"),
        (
            "past",
            r"\byesterday\b",
            rf"\blast\s+(?:{_DAY}|week|month|year|night)\b",
            rf"\b{_NUMBER}\s+(?:day|week|month|year)s?\s+ago\b",
        ),
        ("from", rf"\b{_NUMBER}\s+(?:day|week)s?\s+(?:from|after)\s+(?:today|now|{_TOMORROW}|{_DAY})\b"),
        ("date", rf"\b(?:the\s+)?day\s+after\s+{_TOMORROW}\b", rf"\bin\s+{_NUMBER}\s+days?\b"),
        (
            "ahead",
            rf"\bin\s+(?:about\s+)?(?:{_NUMBER}|a\s+(?:couple\s+of|few))\s+(?:weeks?|fortnights?|months?|years?)\b",
        ),
        ("hours", rf"\bin\s+(?:{_NUMBER}|half\s+an)\s+(?:hours?|minutes?)\b"),
        ("date", rf"\b{_TOMORROW}\b"),
        (
            "today",
            r"\b(?:later\s+)?today\b",
            r"\bthis\s+(?=morning|afternoon|evening)",
            r"\btonight\b",
            r"\bright\s+now\b",
        ),
        (
            "week",
            r"\b(?:the\s+)?week\s+after\s+next\b",
            r"\bthe\s+week\s+after\b",
            r"\b(?:next|this|coming|following)\s+week\b(?!-?end)",
        ),
        ("month", rf"\b{_MONTHS_AHEAD}\s+(?:{_MONTH}|month\b)", r"\bend\s+of\s+the\s+month\b"),
        ("weekday", rf"\b(?:(?:this|next|coming|every|each|any|on)\s+)*(?:{_DAY}|week\s?-?day|week\s?-?end)s?\b"),
        (
            "unless",
            rf"(?<!\bhow\s)(?<!\bwhat\s)\b(?:{_LOOSE})\s+(?:(?:on|the|this|next)\s+)*(?=\0)",
            r"\b(?:except|but\s+not(?!\s+(?:before|after|later|earlier)))\b",
            r"\b(?:anything|any\s?day|every\s?day|any\s?time)\s+but\b",
            r"\b(?:instead\s+of|no\s+good)\b",
            r"\b(?:can['’]?t|cannot|can\s+not)\s+(?:do|make|come)\b",
            r"\b(?:does|do|is|wo)n['’]?t\b(?!\s+(?:mind|care))",
            r"\bnot\s+(?!before|after|later|earlier)(?:on\s+|in\s+)?"
            r"(?=\0|(?:the|any)\s|early|late|morn|after|even|night|mid|noon|lunch|\d)",
        ),
        (
            "part",
            rf"\b(?:(?:early|late|mid|first\s+thing)[\s-]+)?(?:in\s+the\s+|at\s+)?{_PART}\b",
            r"\b(?:early|later?\s+in\s+the\s+(?:day|week))\b",
            r"\b(?:before|after)\s+(?:work|school|lunch)\b",
            r"\bnoon-?ish\b",
        ),
        (
            "range",
            rf"\b(?:(?:between|from|any\s?time\s+from)\s+)?{_POINT}\s*(?:-|–|—|to|and|until|till?)\s*{_POINT}(?!\d)"
            + _NOT_A_CLOCK,
        ),
        (
            "clock",
            rf"(?:\b{_BOUND}\s+|@\s*)*\b{_POINT}(?:\s?-?ish\b)?{_NOT_A_CLOCK}"
            r"(?:\s*(?:\+|\b(?:or\s+(?:later|after|earlier|before|so)|onwards?|and\s+(?:later|after))\b))?",
        ),
        ("half", rf"(?<!\bi\s)\b{_HALF}(?=$|[\s,.;!?\0])(?!\s+i\b)"),
        (
            "vague",
            r"\basap\b",
            r"\b(?:as\s+)?(?<!too\s)soon(?:est)?(?:\s+as\s+possible)?\b",
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

_PARTS: tuple[tuple[str, datetime.time, datetime.time], ...] = (
    ("lunch", datetime.time(11), datetime.time(14)),
    ("noon", datetime.time(11), datetime.time(14)),
    ("morning", datetime.time(0), datetime.time(12)),
    ("afternoon", datetime.time(12), datetime.time(17, 30)),
    ("evening", datetime.time(17), datetime.time.max),
    ("night", datetime.time(18), datetime.time.max),
    ("am", datetime.time(0), datetime.time(12)),
    ("pm", datetime.time(12), datetime.time.max),
)
_FILLERS = word_set(
    "a about after again ah all also an and any anytime appointment around as at available be before best better book"
    " booking but by can case come could d day days do either else er evening fine flexible for free from fully get"
    " gets going good great guess have hello here hey hi hmm how i id if ill im in is it its just kind know late"
    " later let lets ll lol m make may maybe me mean meet mid mine my next no not of off ok okay on one only open"
    " opening or perhaps please pls possible prefer preferable preferably preferred rather really re see set"
    " should slot slots so some someday something sometime soon sorry suit suits sure tend thank thanks that thats"
    " the then there they think this time times to try u ur us usually very visit want we week well what when"
    " whenever will with won work works would yeah yep yes you your anything something possibly most every"
    " each do does doesn don t s ve space schedule scheduled"
)


class Preference(BaseModel, frozen=True):
    """When a visit would suit.

    Attributes:
        words: what was typed, at most `LONGEST_TIME` characters.
        day: the one day that is meant, in the clinic's time zone; None when several would do.
        start: the exact time that is meant, aware; None when only a day or a part of it is.
    """

    words: str
    day: datetime.date | None = None
    start: datetime.datetime | None = None


@dataclass(frozen=True)
class Piece:
    """A stretch of a text that speaks of time: what kind it is, its words, and where it stands."""

    kind: str
    words: str
    start: int
    end: int


@dataclass
class _Wish:
    """What the pieces of one text ask for, before it is held against the calendar."""

    dates: list[datetime.date] = field(default_factory=list)
    weekdays: set[int] = field(default_factory=set)
    stretch: tuple[datetime.date, datetime.date] | None = None
    windows: list[tuple[datetime.time, datetime.time]] = field(default_factory=list)
    clocks: list[tuple[str, str, str | None]] = field(default_factory=list)
    moment: datetime.datetime | None = None
    half: str | None = None
    this: bool = False
    unless: bool = False


def respell(text: str) -> str:
    """Return `text` with misspelt days ("saterday", "tommorow") put right."""
    known = [*WEEKDAYS, "tomorrow", "afternoon"]

    def right(match: re.Match[str]) -> str:
        word = match.group().lower()
        plural = word.endswith("s") and not word.endswith("ss")
        near = difflib.get_close_matches(word[:-1] if plural else word, known, n=1, cutoff=0.82)
        return (near[0] + "s" * plural) if near and near[0] != word else match.group()

    return re.sub(r"\b[A-Za-z]{6,11}\b", right, text)


def pieces(text: str) -> list[Piece]:
    """Return what `text` says about time, in the order of the text."""
    found, masked = [], text
    for kind, pattern in _PATTERNS:
        for match in list(pattern.finditer(masked)):
            if kind == "clock" and not _is_clock(match.group()):
                continue
            if kind == "range" and not _is_range(match.group(), text[: match.start()]):
                continue
            found.append(Piece(kind, match.group().strip(), match.start(), match.end()))
            masked = masked[: match.start()] + "\0" * (match.end() - match.start()) + masked[match.end() :]
    return sorted(found, key=lambda piece: piece.start)


def rest(text: str, found: list[Piece]) -> str:
    """Return the words of `text` that neither speak of time nor are such as people wrap a time in."""
    for piece in found:
        text = text[: piece.start] + " " * (piece.end - piece.start) + text[piece.end :]
    words = re.findall(r"[^\s,;:.!?()/&+*\"…–—-]+(?:[-.][^\s,;:.!?()/&+*\"…–—-]+)*\.?", text)
    return " ".join(word for word in words if not set(re.split(r"['’]", word.lower().rstrip("."))) <= _FILLERS)


def parse_time(text: str, clinic: Clinic, now: datetime.datetime) -> Preference:
    """Read when a visit would suit, from the answer to that question.

    Args:
        text: what was typed, such as "next tuesday after 4", "any weekday morning", "asap".
        clinic: whose calendar, hours and time zone count.
        now: the present moment, aware.

    Raises:
        DetailError: `time_unclear`, `time_past`, `time_closed`, `time_holiday`, `time_outside_hours`,
            `time_far` (more than a year ahead), `time_mismatch` (a date that is another weekday), `time_no_such_date`
            or `too_long`.
            Its values name `next_open_day`, `opening_hours` and, where one day is meant, `day` and `day_hours`.
    """
    words = tidy(text, LONGEST_TIME)
    respelt = respell(words)
    found = pieces(respelt)
    others = rest(respelt, found)
    if is_code(words) or not says_when(found) or (others and is_question(words)):
        raise DetailError("time_unclear", _openings(clinic, now))
    if is_about_health(others):
        # "monday works, though my calf is swollen": the part that speaks of time alone is the answer.
        parts = ((part.strip(), pieces(respell(part.strip()))) for part in re.split(r"[,;]|\.\s", words))
        apart = [part for part, said in parts if says_when(said) and not rest(respell(part), said)]
        if not apart:
            raise DetailError("time_unclear", _openings(clinic, now))
        return parse_time(", ".join(apart), clinic, now)
    return settle(words, found, clinic, now)


def settle(words: str, found: list[Piece], clinic: Clinic, now: datetime.datetime) -> Preference:
    """Hold the pieces of a text against the clinic's calendar.

    Raises:
        DetailError: as `parse_time`.
    """
    local = now.astimezone(clinic.zone)
    wish = _wish(found, clinic, local)
    days = _days_that_do(wish, clinic, local)
    span = _span(days, wish, clinic)
    exact = _check_hours(wish, days, span, clinic, local)
    day = days[0] if len(wish.dates) == 1 and not wish.unless else None
    start = _at(day, exact, clinic) if day and exact and not wish.unless else None
    return Preference(words=words, day=day, start=start)


def move(text: str, current: Preference, clinic: Clinic, now: datetime.datetime) -> Preference:
    """Change a preference by what was typed: a new day keeps the time of day, a new time keeps the day.

    Raises:
        DetailError: as `parse_time`.
    """
    words = tidy(text, LONGEST_TIME)
    respelt, old = respell(words), respell(current.words)
    found, before = pieces(respelt), pieces(old)
    if found and found[0].kind == "unless" and current.day is None:
        return parse_time(f"{current.words}, {words}", clinic, now)
    if not says_when(found) or any(piece.kind == "unless" for piece in (*found, *before)):
        return parse_time(words, clinic, now)
    has_day = any(piece.kind in _DAY_KINDS for piece in found)
    has_hour = any(piece.kind in _HOUR_KINDS for piece in found)
    if has_day == has_hour:
        return parse_time(words, clinic, now)
    if has_day:
        day = _counted_from(current.day, found, now.astimezone(clinic.zone).date())
        days = [piece.words for piece in found]
        hours = [piece.words for piece in before if piece.kind in _HOUR_KINDS]
    else:
        day = current.day
        days = [piece.words for piece in before if piece.kind in _DAY_KINDS]
        hours = [piece.words for piece in found]
    settled = parse_time(" ".join([day.isoformat() if day else " ".join(days), *hours]), clinic, now)
    return settled.model_copy(update={"words": " ".join([in_words(day), *hours])}) if day else settled


def _counted_from(day: datetime.date | None, found: list[Piece], today: datetime.date) -> datetime.date | None:
    """Return the date that "thursday" or "the week after" means where `day` was agreed; None where it means its own."""
    if day is None or len(found) != 1:
        return None
    words = found[0].words.lower()
    if words in {"the week after", "following week"}:
        return day + datetime.timedelta(weeks=1)
    named = _weekdays(words) if re.fullmatch(rf"(?:on\s+)?{_DAY}", words) else set()
    if not named:
        return None
    moved = day + datetime.timedelta(days=named.pop() - day.weekday())
    return moved if moved > today else None


def recheck(preference: Preference, clinic: Clinic, now: datetime.datetime) -> None:
    """Check that a preference given earlier still stands.

    Raises:
        DetailError: `time_past`, `time_closed`, `time_holiday` or `time_outside_hours`, as `parse_time`.
    """
    if preference.day is None:
        return
    local = now.astimezone(clinic.zone)
    _check_day(preference.day, clinic, local)
    if preference.start is not None:
        start = preference.start.astimezone(clinic.zone)
        span = clinic.hours_on(start.date())
        if start <= local:
            raise DetailError("time_past", _openings(clinic, local))
        if span is None or not span.opens <= start.time() < span.closes:
            raise DetailError("time_outside_hours", _openings(clinic, local, start.date()))


def in_words(day: datetime.date) -> str:
    """Return a day as people say it: Monday, November 30."""
    return f"{day:%A, %B} {day.day}"


_DAY_KINDS = frozenset({"date", "ordinal", "past", "from", "ahead", "today", "week", "month", "weekday", "hours"})
_HOUR_KINDS = frozenset({"part", "range", "clock", "half"})
_SURE = re.compile(
    r":|\dh|\d\.\d\d|half|noon|midday|midnight|clock|past|to\b|m\b|ish\b|\d\+|or (?:so|later|after|earlier)"
)


def says_when(found: list[Piece]) -> bool:
    return any(piece.kind not in {"unless", "greeting"} for piece in found)


def _is_clock(words: str) -> bool:
    """Tell whether a number is meant as an hour: only something beside it says so."""
    return bool(re.match(rf"{_BOUND}\s+|@", words, re.IGNORECASE) or _SURE.search(words.lower()))


def _is_range(words: str, before: str) -> bool:
    return bool(
        re.match(r"(?:between|from|any\s?time\s+from)\b", words, re.IGNORECASE)
        or re.search(r"[ap]\.?m|\d[:h]\d|noon|midday|clock", words.lower())
        or re.search(r"\b(?:at|around|about)\s*$", before, re.IGNORECASE)
        or (re.fullmatch(r"\d{1,2}\s*[-–—]\s*\d{1,2}", words) and before.strip(" ,\0") == "" and "\0" in before)
    )


def _wish(found: list[Piece], clinic: Clinic, now: datetime.datetime) -> _Wish:
    wish = _Wish(unless=any(piece.kind == "unless" for piece in found))
    named: set[int] = set()
    for piece in found:
        words, kind = piece.words.lower(), piece.kind
        if kind == "past":
            raise DetailError("time_past", _openings(clinic, now))
        if kind in {"date", "ordinal", "from"}:
            wish.dates.append(_date(kind, words, clinic, now))
        elif kind == "today":
            wish.dates.append(now.date())
            if words == "tonight":
                wish.windows.append((datetime.time(17), datetime.time.max))
        elif kind == "hours":
            wish.moment = _in_hours(words, now)
            wish.dates.append(wish.moment.date())
        elif kind in {"ahead", "week", "month"}:
            wish.stretch = _stretch(kind, words, clinic, now)
        elif kind == "weekday":
            named |= _weekdays(words)
            wish.this = wish.this or words.startswith("this")
            if re.search(r"\b(?:every|each|any)\b|(?:day|end|mon|fri|sun)s$", words):
                wish.weekdays |= _weekdays(words)
            elif "next" in words.split() and len(_weekdays(words)) == 1:
                wish.stretch = wish.stretch or _stretch("week", "next week", clinic, now)
        elif kind == "part":
            wish.windows += [(start, end) for part, start, end in _PARTS if part in words][:1]
        elif kind == "half":
            wish.half = words[0]
        elif kind in {"clock", "range"}:
            wish.clocks += list(_clocks(kind, words))
    _place_weekdays(wish, named, clinic, now)
    return wish


def _place_weekdays(wish: _Wish, named: set[int], clinic: Clinic, now: datetime.datetime) -> None:
    """Give each weekday that is named once its date; check it against a date that stands beside it."""
    if len(wish.dates) == 1 and len(named) == 1 and not wish.weekdays:
        if wish.dates[0].weekday() not in named:
            raise DetailError("time_mismatch", {**_openings(clinic, now), "day": in_words(wish.dates[0])})
        return
    if wish.weekdays or len(named) > 3:
        wish.weekdays |= named
        return
    # A day's own name means the next one of that name, unless "this" is said.
    first = wish.stretch[0] if wish.stretch else now.date() + datetime.timedelta(days=0 if wish.this else 1)
    for weekday in sorted(named):
        wish.dates.append(first + datetime.timedelta(days=(weekday - first.weekday()) % 7))
    if named:
        wish.stretch = None


def _weekdays(words: str) -> set[int]:
    if re.search(r"week\s?-?day", words):
        return {0, 1, 2, 3, 4}
    if re.search(r"week\s?-?end", words):
        return {5, 6}
    return {index for index, day in enumerate(WEEKDAYS) for word in words.split() if word[:3] == day[:3]}


def _number(words: str) -> int:
    """Return the first number in `words`; a figure, a word, or an article for one."""
    match = re.search(rf"\b(?:(\d+)|({'|'.join(_NUMBERS)})|(?:an?))\b", words)
    if match is None:
        return 2
    if match.group(1):
        return int(match.group(1))
    return _NUMBERS.index(match.group(2)) + 1 if match.group(2) else 1


def _date(kind: str, words: str, clinic: Clinic, now: datetime.datetime) -> datetime.date:
    # A quarter of a second to load, which a worker or a command that reads no dates need not wait for.
    import dateparser

    today = now.date()
    if kind == "ordinal":
        wanted = _number(re.sub(r"(?<=\d)(?:st|nd|rd|th)", "", words))
        for offset in range(366):
            day = today + datetime.timedelta(days=offset)
            if day.day == wanted:
                return day
        raise DetailError("time_unclear", _openings(clinic, now))
    if kind == "from":
        days = _number(words) * (7 if "week" in words else 1)
        named = _weekdays(re.split(r"\b(?:from|after)\b", words)[-1])
        base = today + datetime.timedelta(days=1 if re.search(_TOMORROW, words) else 0)
        if named:
            ahead = (next(iter(named)) - today.weekday() - 1) % 7 + 1
            base = today + datetime.timedelta(days=ahead)
        return base + datetime.timedelta(days=days)
    if re.match(_HOLIDAY, words):
        return next(day for year in (today.year, today.year + 1) if (day := _holiday(words, year)) >= today)
    words = re.sub(_TOMORROW, "tomorrow", words).replace("the ", "").rstrip(".")
    words = re.sub(r"(?<=\d)\.(?=\d)", "/", words)
    parsed = dateparser.parse(
        words,
        languages=["en"],
        settings={
            "RELATIVE_BASE": now.replace(tzinfo=None),
            "PREFER_DATES_FROM": "current_period",
            "DATE_ORDER": "MDY" if clinic.region in _MONTH_FIRST_REGIONS else "DMY",
        },
    )
    if parsed is None:
        raise DetailError("time_no_such_date", _openings(clinic, now))
    day = parsed.date()
    if day >= today or re.search(r"\d{4}|\d\D+\d+\D+\d{2}$", words):
        return day
    try:
        later = day.replace(year=day.year + 1)
    except ValueError:
        return day
    return later if later - today <= _NEXT_YEAR_AT_MOST else day


def _holiday(words: str, year: int) -> datetime.date:
    if words.startswith("thanksgiving"):
        first = datetime.date(year, 11, 1)
        return first + datetime.timedelta(days=(3 - first.weekday()) % 7, weeks=3)
    if words.startswith("new"):
        return datetime.date(year, 12, 31) if words.endswith("eve") else datetime.date(year, 1, 1)
    return datetime.date(year, 12, 24 if words.endswith("eve") else 25)


def _in_hours(words: str, now: datetime.datetime) -> datetime.datetime:
    amount = datetime.timedelta(minutes=30) if "half" in words else datetime.timedelta(hours=_number(words))
    if "minute" in words:
        amount = datetime.timedelta(minutes=_number(words))
    # Counted in UTC: local time repeats or skips an hour when the clocks change.
    return (now.astimezone(datetime.UTC) + amount).astimezone(now.tzinfo)


def _stretch(kind: str, words: str, clinic: Clinic, now: datetime.datetime) -> tuple[datetime.date, datetime.date]:
    """Return the first and last day of "next week", "in two weeks", "in june"."""
    today = now.date()
    monday = today - datetime.timedelta(days=today.weekday())
    if kind == "ahead" and "year" in words:
        raise DetailError("time_far", _openings(clinic, now))
    if kind == "month" or "month" in words:
        return _month(words, today)
    if kind == "ahead":
        weeks = 3 if "few" in words else 2 if re.search(r"couple|fortnight", words) else _number(words)
    else:
        weeks = 2 if "after next" in words else 0 if "this" in words else 1
    first = monday + datetime.timedelta(weeks=weeks)
    return max(first, today), first + datetime.timedelta(days=6)


def _month(words: str, today: datetime.date) -> tuple[datetime.date, datetime.date]:
    named = re.search(rf"\b{_MONTH}(?=$|\s)", words)
    if named and words.split()[-1] != "month":
        number = [name[:3] for name in _MONTH_NAMES].index(named.group()[:3]) + 1
        year = today.year + (number < today.month)
    else:
        ahead = _number(words) if words.startswith("in ") else 1 if "next" in words else 0
        number, year = (today.month + ahead - 1) % 12 + 1, today.year + (today.month + ahead - 1) // 12
    first = datetime.date(year, number, 1)
    last = datetime.date(year + number // 12, number % 12 + 1, 1) - datetime.timedelta(days=1)
    return max(first, today), last


_MONTH_NAMES = tuple(datetime.date(2000, month, 1).strftime("%B").lower() for month in range(1, 13))


def _clocks(kind: str, words: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield the times of a piece: how each bounds the wish (`at`, `from`, `to` or `near`), its words, its am or pm."""
    if kind == "range":
        points = re.findall(_POINT, re.sub(r"^(?:between|from|any\s?time\s+from)\s+", "", words))
        halves = [_half(point) for point in points]
        # "2-4pm" means 2 pm; "10-2pm" does not mean 10 pm, which the opening hours tell later.
        yield "from", points[0], halves[0] or (halves[1] if _follows(points) else None)
        yield "to", points[1], halves[1]
        return
    bound = re.match(rf"(?:{_BOUND}\s+|@\s*)*", words)
    before = bound.group().strip() if bound else ""
    point = re.search(_POINT, words[len(bound.group()) if bound else 0 :])
    if point is None:
        return
    after = words[words.index(point.group()) + len(point.group()) :]
    if _UPPER.search(before) or re.search(r"earlier|before", after):
        how = "to"
    elif _LOWER.search(before) or re.search(r"\+|later|after|onward", after):
        how = "from"
    elif _ROUGH.search(before) or re.search(r"ish|so$", after):
        how = "near"
    else:
        how = "at"
    if re.search(r"not\s+before|no(?:t)?\s+earlier", before):
        how = "from"
    yield how, point.group(), _half(point.group())


def _half(point: str) -> str | None:
    match = re.search(_HALF, point)
    return match.group()[0] if match else None


def _follows(points: list[str]) -> bool:
    first, second = (_hour_and_minute(point) for point in points[:2])
    return (first[0] % 12, first[1]) < (second[0] % 12, second[1])


def _hour_and_minute(point: str) -> tuple[int, int]:
    if point in {"noon", "midday"}:
        return 12, 0
    if point == "midnight":
        return 0, 0
    minute = 0
    numbers = [int(number) for number in re.findall(r"\d+", point)]
    hour = numbers[0] if numbers else _number(point)
    if len(numbers) > 1:
        minute = numbers[1]
    for word, value in (("fifteen", 15), ("thirty", 30), ("forty", 45)):
        if word in point:
            minute = value
    if point.startswith(("half", "quarter")):
        minute = 30 if point.startswith("half") else 15
        if " to " in point:
            hour, minute = hour - 1, 60 - minute
    return hour % 24, minute


def _times(point: str, half: str | None) -> list[datetime.time]:
    """Return the times of day that a point may mean: two, when nothing says whether it is am or pm."""
    if point == "midnight":
        return [datetime.time(0)]
    hour, minute = _hour_and_minute(point)
    if point in {"noon", "midday"} or hour > 12 or (hour == 0 and half is None):
        return [datetime.time(hour, minute)]
    morning, evening = datetime.time(hour % 12, minute), datetime.time(hour % 12 + 12, minute)
    return [morning] if half == "a" else [evening] if half == "p" else [morning, evening]


def _days_that_do(wish: _Wish, clinic: Clinic, now: datetime.datetime) -> list[datetime.date]:
    """Return the dates of a wish on which the clinic is open; check its weekdays and stretch.

    Raises:
        DetailError: not one of them will do; its reason is that of the first.
    """
    fault: DetailError | None = None
    days = []
    if not wish.unless:
        for day in wish.dates:
            try:
                _check_day(day, clinic, now)
            except DetailError as error:
                fault = fault or error
            else:
                days.append(day)
    if fault and not days:
        raise fault
    if wish.weekdays and not wish.unless and not any(WEEKDAYS[day] in clinic.opening_hours for day in wish.weekdays):
        names = [WEEKDAYS[day].capitalize() for day in sorted(wish.weekdays)]
        raise DetailError("time_closed", {**_openings(clinic, now), "day": " and ".join(names)})
    if wish.stretch:
        _check_stretch(*wish.stretch, clinic, now)
    return days


def _check_day(day: datetime.date, clinic: Clinic, now: datetime.datetime) -> None:
    values = _openings(clinic, now, day)
    if day < now.date():
        raise DetailError("time_past", values)
    if day - now.date() > _FARTHEST:
        raise DetailError("time_far", values)
    if day in clinic.holidays:
        raise DetailError("time_holiday", values)
    span = clinic.hours_on(day)
    if span is None:
        raise DetailError("time_closed", values)
    if day == now.date() and now.time() >= span.closes:
        raise DetailError("time_past", values)


def _check_stretch(first: datetime.date, last: datetime.date, clinic: Clinic, now: datetime.datetime) -> None:
    if first - now.date() > _FARTHEST:
        raise DetailError("time_far", _openings(clinic, now))
    for offset in range((last - first).days + 1):
        try:
            _check_day(first + datetime.timedelta(days=offset), clinic, now)
        except DetailError:
            continue
        return
    raise DetailError("time_closed", {**_openings(clinic, now, last), "day": in_words(first)})


def _span(days: list[datetime.date], wish: _Wish, clinic: Clinic) -> Span:
    """Return the hours that the wish is held against: those of its days together, else of the whole week."""
    spans = [span for span in map(clinic.hours_on, days) if span is not None]
    if not spans and wish.weekdays:
        spans = [span for day, span in clinic.opening_hours.items() if WEEKDAYS.index(day) in wish.weekdays]
    spans = spans or list(clinic.opening_hours.values())
    return Span.model_construct(opens=min(span.opens for span in spans), closes=max(span.closes for span in spans))


def _check_hours(
    wish: _Wish, days: list[datetime.date], span: Span, clinic: Clinic, now: datetime.datetime
) -> datetime.time | None:
    """Return the exact time of day that is meant, or None when there is none.

    Raises:
        DetailError: `time_outside_hours`, or `time_past` for a time of today that is over.
    """
    day = days[0] if len(days) == 1 else None
    outside = DetailError("time_outside_hours", _openings(clinic, now, day))
    if wish.moment is not None:
        if not span.opens <= wish.moment.time() < span.closes:
            raise outside
        return wish.moment.time().replace(second=0, microsecond=0)
    earliest, latest, exact = span.opens, span.closes, None
    hint = wish.half or _hint(wish.windows)
    for how, point, half in wish.clocks:
        meant = [time for time in _times(point, half or hint) if _fits(time, how, span)]
        if not meant and half is None and hint:
            meant = [time for time in _times(point, None) if _fits(time, how, span)]
        if not meant:
            raise outside
        if how == "to":
            latest = min(latest, meant[-1])
        elif how == "from":
            earliest = max(earliest, meant[0])
        else:
            latest = min(latest, meant[-1])
            exact = meant[0] if how == "at" and len(meant) == 1 else None
    single = [how for how, _, _ in wish.clocks]
    if single != ["at"]:
        exact = None
    windows = [] if wish.clocks or wish.unless else wish.windows
    if wish.half and not windows and not wish.clocks:
        windows = [(start, end) for part, start, end in _PARTS if part == f"{wish.half}m"]
    if windows:
        windows = [(start, end) for start, end in windows if start < span.closes and end > span.opens]
        if not windows:
            raise outside
        latest = min(latest, max(end for _, end in windows))
    if earliest > latest:
        raise outside
    if day == now.date() and len(wish.dates) == 1 and latest <= now.time():
        raise DetailError("time_past", _openings(clinic, now, day))
    return exact


def _fits(time: datetime.time, how: str, span: Span) -> bool:
    return span.opens < time <= span.closes if how == "to" else span.opens <= time < span.closes


def _hint(windows: list[tuple[datetime.time, datetime.time]]) -> str | None:
    halves = {"a" if end <= datetime.time(12) else "p" for _, end in windows}
    return halves.pop() if len(halves) == 1 else None


def _at(day: datetime.date, time: datetime.time, clinic: Clinic) -> datetime.datetime:
    """Return a local time as a moment that exists: one in the gap of a clock change moves past it."""
    moment = datetime.datetime.combine(day, time, tzinfo=clinic.zone)
    return moment.astimezone(datetime.UTC).astimezone(clinic.zone)


def _openings(clinic: Clinic, now: datetime.datetime, day: datetime.date | None = None) -> dict[str, str]:
    """Return what would do, in words, for a wish that will not."""
    local = now.astimezone(clinic.zone)
    after = local
    if day is not None and day >= local.date():
        after = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(), tzinfo=clinic.zone)
        if day - local.date() > _FARTHEST:
            after = local
    opening = clinic.next_opening(after)
    hours = clinic.hours_on(opening.date())
    values = {
        "next_open_day": in_words(opening.date()),
        "next_open_hours": str(hours),
        "opening_hours": clinic.hours_in_words(),
    }
    if day is not None:
        values["day"] = in_words(day)
        hours = clinic.hours_on(day)
        if hours is not None:
            values["day_hours"] = str(hours)
    return values


def start_in_words(start: datetime.datetime, clinic: Clinic) -> str:
    """Return an exact time as people say it: Thursday, December 3, 2:30 pm."""
    local = start.astimezone(clinic.zone)
    return f"{in_words(local.date())}, {clock(local.time())}"
