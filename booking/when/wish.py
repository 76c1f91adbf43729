"""What the tokens of a text ask for, before it is held against a calendar."""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dateutil.easter import easter

from booking.reading.text import InvalidAnswer
from booking.when.grammar import (
    BOUND,
    HOLIDAY,
    LOWER,
    MERIDIEM,
    MONTH,
    NUMBERS,
    POINT,
    ROUGH,
    TOMORROW,
    UPPER,
)
from booking.when.tokens import DAY_KINDS, HOUR_KINDS, Token
from clinic.profile import WEEKDAYS

Day = datetime.date
Stretch = tuple[Day, Day]
Window = tuple[datetime.time, datetime.time]
WEEK = datetime.timedelta(weeks=1)
ONE_DAY = datetime.timedelta(days=1)
_MONTH_FIRST_REGIONS = frozenset({"US", "AS", "GU", "MH", "MP", "PR", "UM", "VI"})
# A date without a year that was no longer ago than this has just passed; an older one is the next year's.
_JUST_PASSED = datetime.timedelta(days=45)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# A holiday's month, and its day or which weekday of the month it is: (2, 3rd Monday).
_HOLIDAYS: dict[str, tuple[int, int] | tuple[int, int, int]] = {
    "thanksgiving": (11, 4, 3),
    "christmas": (12, 25),
    "xmas": (12, 25),
    "new year": (1, 1),
    "labor": (9, 1, 0),
    "memorial": (5, -1, 0),
    "independence": (7, 4),
    "veteran": (11, 11),
    "president": (2, 3, 0),
    "mlk": (1, 3, 0),
    "martin": (1, 3, 0),
    "columbus": (10, 2, 0),
    "halloween": (10, 31),
    "valentine": (2, 14),
    "mother": (5, 2, 6),
    "father": (6, 3, 6),
}
_PARTS: tuple[tuple[str, datetime.time, datetime.time], ...] = (
    (r"before (?:work|school)", datetime.time(0), datetime.time(9)),
    (r"before lunch", datetime.time(0), datetime.time(12)),
    (r"after lunch", datetime.time(13), datetime.time(17, 30)),
    (r"after school", datetime.time(15), datetime.time.max),
    (r"after work", datetime.time(17), datetime.time.max),
    (r"end of|close of|eod|cob", datetime.time(15), datetime.time.max),
    (r"lunch|noon-?ish", datetime.time(11), datetime.time(14)),
    (r"early.*morning|first thing", datetime.time(0), datetime.time(10)),
    (r"mid.*morning", datetime.time(9), datetime.time(12)),
    (r"late.*morning", datetime.time(10), datetime.time(12)),
    (r"morning|early in the day|^early$|^a$", datetime.time(0), datetime.time(12)),
    (r"early.*afternoon", datetime.time(12), datetime.time(15)),
    (r"late.*afternoon|later? in the day", datetime.time(15), datetime.time(18)),
    (r"afternoon", datetime.time(12), datetime.time(17, 30)),
    (r"evening", datetime.time(17), datetime.time.max),
    (r"night", datetime.time(18), datetime.time.max),
    (r"^p$", datetime.time(12), datetime.time.max),
)


class TooFar(ValueError):
    """What is asked for lies years ahead."""


class NoSuchDate(ValueError):
    """The calendar has no such date."""


class Past(ValueError):
    """What is asked for is over."""


class Mismatch(ValueError):
    """A weekday and a date stand together that do not fall together; `day` is the date."""

    def __init__(self, day: Day) -> None:
        super().__init__()
        self.day = day


@dataclass(frozen=True)
class Clock:
    """An hour that was named: how it bounds the wish (`at`, `from`, `to`, `near`), its words, and its a or p."""

    how: str
    point: str
    meridiem: str | None


@dataclass
class Wish:
    """What the tokens of one text ask for, before it is held against the calendar.

    Attributes:
        dates: the days that are named, in order.
        about: a day that is meant roughly ("in two weeks").
        bounds: days that the wish lies `after`, `by` or before.
        weekdays: those that are meant in any week.
        stretch: the first and last day of a longer time ("next week").
        but_not: the days that are left out.
        moment: an exact moment ("in two hours").
        has_exclusion: something is left out, a day or an hour.
    """

    dates: list[Day] = field(default_factory=list)
    about: Day | None = None
    bounds: list[tuple[str, Day]] = field(default_factory=list)
    weekdays: set[int] = field(default_factory=set)
    stretch: Stretch | None = None
    but_not: list[Day] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    clocks: list[Clock] = field(default_factory=list)
    moment: datetime.datetime | None = None
    meridiem: str | None = None
    has_exclusion: bool = False


def alternatives(text: str, tokens: Sequence[Token]) -> list[list[Token]]:
    """Return the tokens of each preference of a text ("tues after 4 or thurs morning"), in its order.

    A day without an hour shares the hour that follows it, and an hour without a day the day before it.
    """
    if any(token.kind == "excludes" for token in tokens):
        return [list(tokens)]
    groups: list[list[Token]] = []
    for token, before in zip(tokens, [None, *tokens], strict=False):
        gap = text[before.end : token.start] if before else ""
        if (
            not groups
            or re.search(r"\bor\b|;|\botherwise\b|\bif not\b|\belse\b", gap, re.IGNORECASE)
            or (
                re.search(r"[,&/\n]|\band\b|\bthen\b", gap)
                and _is_whole(groups[-1])
                and _is_whole(_run(text, tokens, token))
            )
        ):
            groups.append([])
        groups[-1].append(token)
    if not any(_has(group, DAY_KINDS) for group in groups) and not any(_has(group, HOUR_KINDS) for group in groups):
        return [list(tokens)]
    joined: list[list[Token]] = []
    for group in groups:
        if joined and not _has(group, DAY_KINDS) and not _has(group, HOUR_KINDS):
            joined[-1] += group
        else:
            joined.append(group)
    shared: list[list[Token]] = []
    for place, group in enumerate(joined):
        if not _has(group, DAY_KINDS):
            earlier = next((other for other in reversed(joined[:place]) if _has(other, DAY_KINDS)), [])
            group = [*(token for token in earlier if token.kind in DAY_KINDS), *group]
        elif not _has(group, HOUR_KINDS) and not any(_has(other, HOUR_KINDS) for other in joined[:place]):
            later = next((other for other in joined[place:] if _has(other, HOUR_KINDS)), [])
            group = [*group, *(token for token in later if token.kind in HOUR_KINDS)]
        shared.append(group)
    return shared


def _run(text: str, tokens: Sequence[Token], first: Token) -> list[Token]:
    """Return the tokens from `first` up to the next comma or conjunction."""
    run: list[Token] = []
    for token in tokens:
        if token.start < first.start:
            continue
        if run and re.search(r"[,&/;\n]|\b(?:and|or|then)\b", text[run[-1].end : token.start]):
            break
        run.append(token)
    return run


def _has(group: Sequence[Token], kinds: frozenset[str]) -> bool:
    return any(token.kind in kinds for token in group)


def _is_whole(group: Sequence[Token]) -> bool:
    return _has(group, DAY_KINDS) and _has(group, HOUR_KINDS)


def read_wish(tokens: Sequence[Token], now: datetime.datetime, region: str) -> Wish:
    """Return what tokens ask for.

    Args:
        now: the present moment in the clinic's time zone.
        region: the country, which says whether 5/12 is a day of May or of December.

    Raises:
        Past, TooFar, NoSuchDate, Mismatch: it cannot be meant.
        InvalidAnswer: `time_unclear`.
    """
    place = next((index for index, token in enumerate(tokens) if token.kind == "excludes"), None)
    if place is None:
        return _Reader(tokens, now, region).wish
    wish = _Reader(tokens[:place], now, region).wish
    left_out = _Reader(tokens[place + 1 :], now, region, is_left_out=True).wish
    wish.has_exclusion = True
    wish.but_not = [] if left_out.weekdays else left_out.dates
    wish.dates = [day for day in wish.dates if day not in wish.but_not]
    return wish


class _Reader:
    """Reads tokens one after the other, each with those beside it."""

    def __init__(self, tokens: Sequence[Token], now: datetime.datetime, region: str, is_left_out: bool = False) -> None:
        self._tokens = tokens
        self._now = now
        self._today = now.date()
        self._region = region
        self._named: list[tuple[int, str]] = []
        self._ordinals: list[int] = []
        self.wish = Wish()
        place = 0
        while place < len(tokens):
            place = self._read(place)
        self._place_weekdays(is_left_out)

    def _read(self, place: int) -> int:
        """Take the token at `place` into the wish; return the place of the next that is not taken yet."""
        token, wish = self._tokens[place], self.wish
        words, kind = token.words.lower(), token.kind
        if kind == "past":
            raise Past
        if kind in {"date", "nth", "today", "relative"}:
            day, after = self._day_at(place)
            if isinstance(day, tuple):
                wish.stretch = day
            elif kind == "relative" and re.search(r"(?:week|month|wk|fortnight)s?\s+from\s+(?:now|today)$", words):
                wish.about = day
            else:
                wish.dates.append(day)
            if words == "tonight":
                wish.windows.append((datetime.time(17), datetime.time.max))
            return self._through(after)
        if kind == "ordinal":
            self._ordinals.append(_number(words))
            return self._through(place + 1)
        if kind == "loose":
            return self._bound(place)
        if kind == "hours":
            wish.moment = _in_hours(words, self._now)
            wish.dates.append(wish.moment.date())
        elif (
            kind == "week" and re.search(r"week\s+(?:of|starting|beginning)$", words) and place + 1 < len(self._tokens)
        ):
            day, after = self._day_at(place + 1)
            first = day[0] if isinstance(day, tuple) else day
            monday = first - ONE_DAY * first.weekday()
            wish.stretch = (max(monday, self._today), monday + 6 * ONE_DAY)
            return after
        elif kind == "weeks_ahead":
            wish.about, wish.stretch = _ahead(words, self._today)
        elif kind in {"week", "month"}:
            wish.stretch = _week(words, self._today) if kind == "week" else _month(words, self._today)
        elif kind == "weekday":
            return self._weekday(place)
        elif kind == "part":
            wish.windows += _window(words)
        elif kind == "meridiem":
            wish.meridiem = words[0]
        elif kind in {"clock", "range"}:
            wish.clocks += list(_clocks(kind, words))
        return place + 1

    def _day_at(self, place: int) -> tuple[Day | Stretch, int]:
        """Return the day that the token at `place` means with those after it, and the place after them."""
        if place >= len(self._tokens):
            raise InvalidAnswer("time_unclear")
        token = self._tokens[place]
        words, kind = token.words.lower(), token.kind
        if kind == "relative":
            return self._relative(place)
        if kind == "today":
            return self._today, place + 1
        if kind == "nth":
            return _nth(words, self._today), place + 1
        if kind == "ordinal":
            return _next_with_number(_number(words), self._today), place + 1
        if kind == "weekday":
            named = _weekdays(words)
            if len(named) != 1:
                raise InvalidAnswer("time_unclear")
            return self._day_of_weekday(named.pop(), words), place + 1
        if kind == "date":
            return _date(words, self._today, self._region), place + 1
        raise InvalidAnswer("time_unclear")

    def _relative(self, place: int) -> tuple[Day | Stretch, int]:
        """Return the day of "two weeks from friday", "the day after christmas", "a week tomorrow"."""
        words = self._tokens[place].words.lower()
        inside = re.search(rf"\b(?:(today|now)|({TOMORROW}))$", words)
        if inside:
            anchor, after = self._today + (ONE_DAY if inside.group(2) else 0 * ONE_DAY), place + 1
        else:
            day, after = self._day_at(place + 1)
            anchor = day[0] if isinstance(day, tuple) else day
            if re.fullmatch(r"week\s+(?:after|before)", words):
                monday = anchor - ONE_DAY * anchor.weekday() + (WEEK if "after" in words else -WEEK)
                return (max(monday, self._today), monday + 6 * ONE_DAY), after
        number = 2 if "couple" in words else 3 if "few" in words else _number(re.split(r"\b(?:from|after)\b", words)[0])
        step = number * (-1 if re.search(r"\bbefore\b", words) else 1)
        if "month" in words:
            return _months_later(anchor, step), after
        return anchor + ONE_DAY * step * (
            14 if "fortnight" in words else 7 if re.search("week|wk", words) else 1
        ), after

    def _bound(self, place: int) -> int:
        """Take "by friday", "after the 10th", "around december 3"."""
        how = self._tokens[place].words.lower()
        following = self._tokens[place + 1] if place + 1 < len(self._tokens) else None
        if following is None or following.kind not in {"date", "nth", "ordinal", "weekday", "relative", "today"}:
            if following is not None and following.kind in {"week", "month", "weeks_ahead"}:
                reader = _Reader([following], self._now, self._region)
                first, last = reader.wish.stretch or (self._today, self._today)
                side = "by" if UPPER.search(how) else "after"
                self.wish.bounds.append((side, first if "before" in how else last))
                return place + 2
            return place + 1
        day, after = self._day_at(place + 1)
        first, last = day if isinstance(day, tuple) else (day, day)
        if after < len(self._tokens) and self._tokens[after].kind == "through":
            self.wish.dates.append(first)
            return self._through(after)
        if ROUGH.search(how):
            self.wish.about = first
        elif UPPER.search(how):
            if last <= self._today:
                raise Past
            self.wish.bounds.append(("before" if re.search("before|earlier", how) else "by", last))
        elif re.search("from|since|not before|no earlier", re.sub(r"\s+", " ", how)):
            self.wish.bounds.append(("from", first))
        else:
            self.wish.bounds.append(("after", first))
        return after

    def _through(self, place: int) -> int:
        """Turn the day taken last, and the one that a following "to" leads to, into a stretch."""
        if place >= len(self._tokens) or self._tokens[place].kind != "through":
            return place
        words = self._tokens[place].words.lower()
        number = re.search(r"\d+$", words)
        if self._ordinals and not self.wish.dates:
            first = _next_with_number(self._ordinals.pop(), self._today)
        elif self.wish.dates:
            first = self.wish.dates.pop()
        else:
            return place + 1
        if number:
            last, after = _next_with_number(int(number.group()), first), place + 1
        else:
            following = self._tokens[place + 1] if place + 1 < len(self._tokens) else None
            if following is not None and following.kind == "weekday" and len(_weekdays(following.words.lower())) == 1:
                wanted = _weekdays(following.words.lower()).pop()
                last, after = first + ONE_DAY * ((wanted - first.weekday()) % 7), place + 2
            elif following is not None and following.kind == "ordinal":
                last, after = _next_with_number(_number(following.words.lower()), first), place + 2
            else:
                day, after = self._day_at(place + 1)
                last = day[1] if isinstance(day, tuple) else day
        if last < first:
            raise NoSuchDate
        self.wish.stretch = (first, last)
        return after

    def _weekday(self, place: int) -> int:
        words = self._tokens[place].words.lower()
        named = _weekdays(words)
        after = place + 1
        following = self._tokens[after] if after < len(self._tokens) else None
        if following is not None and following.kind == "loose" and len(named) == 1:
            side = re.match(r"(after|before)\b", following.words.lower())
            if side and following.start - self._tokens[place].end <= 1 and after + 1 < len(self._tokens):
                day, after = self._day_at(after + 1)
                anchor = day[0] if isinstance(day, tuple) else day
                wanted = named.pop()
                ahead = (wanted - anchor.weekday() - 1) % 7 + 1
                self.wish.dates.append(anchor + ONE_DAY * (ahead if side.group(1) == "after" else ahead - 7 or -7))
                return after
        if following is not None and following.kind == "through" and len(named) == 1:
            self.wish.dates.append(self._day_of_weekday(named.pop(), words))
            return self._through(after)
        if re.search(r"\b(?:every|each|any)\b|(?:day|end)s$|\b(?:mon|fri|sat|sun)s$", words):
            self.wish.weekdays |= named
        for day_number in sorted(named):
            self._named.append((day_number, words))
        return after

    def _day_of_weekday(self, weekday: int, words: str) -> Day:
        """Return the next day of that name; today's own name means the next one, unless "this" is said."""
        first = self._today + (0 * ONE_DAY if words.startswith("this") else ONE_DAY)
        if words.startswith("next") and "after next" not in words:
            first = _week("next week", self._today)[0]
        day = first + ONE_DAY * ((weekday - first.weekday()) % 7)
        if "after next" in words or re.search(r"\bweek$", words):
            day += WEEK
        return day

    def _place_weekdays(self, is_left_out: bool) -> None:
        """Give each weekday that is named once its date; hold it against a date that stands beside it."""
        wish, named = self.wish, self._named
        if self._ordinals:
            self._place_ordinals()
        if len(wish.dates) == 1 and len({day for day, _ in named}) == 1 and not wish.weekdays:
            if wish.dates[0].weekday() != named[0][0]:
                raise Mismatch(wish.dates[0])
            return
        if wish.weekdays or (len({day for day, _ in named}) > 3):
            wish.weekdays |= {day for day, _ in named}
            return
        for weekday, words in named:
            if wish.stretch and not is_left_out:
                first = wish.stretch[0]
                wish.dates.append(first + ONE_DAY * ((weekday - first.weekday()) % 7))
            else:
                wish.dates.append(self._day_of_weekday(weekday, words))
        if named:
            wish.stretch = wish.about = None

    def _place_ordinals(self) -> None:
        wish = self.wish
        named = {day for day, _ in self._named}
        for number in self._ordinals:
            if wish.stretch and (wish.stretch[1] - wish.stretch[0]).days > 7:
                wish.dates.append(_day_of_month(wish.stretch[1].year, wish.stretch[1].month, number))
            elif len(named) == 1 and len(self._ordinals) == 1 and not wish.dates:
                wish.dates.append(_next_with_both(number, next(iter(named)), self._today))
            else:
                wish.dates.append(_next_with_number(number, self._today))
        if wish.stretch and (wish.stretch[1] - wish.stretch[0]).days > 7:
            wish.stretch = None


def _weekdays(words: str) -> set[int]:
    if re.search(r"week\s?-?day", words):
        return {0, 1, 2, 3, 4}
    if re.search(r"week\s?-?end", words):
        return {5, 6}
    return {index for index, day in enumerate(WEEKDAYS) for word in words.split() if word[:3] == day[:3]}


def _number(words: str) -> int:
    """Return the first number in `words`; a figure, a word, or an article for one."""
    match = re.search(rf"(?:\b(\d+)|\b({'|'.join(NUMBERS)})\b|\b(?:an?)\b)", words)
    if match is None:
        return 1
    if match.group(1):
        return int(match.group(1))
    return NUMBERS.index(match.group(2)) + 1 if match.group(2) else 1


def _day_of_month(year: int, month: int, number: int) -> Day:
    try:
        return datetime.date(year, month, number)
    except ValueError:
        raise NoSuchDate from None


def _next_with_number(number: int, first: Day) -> Day:
    """Return the first day from `first` on that is the `number`th of its month."""
    if not 1 <= number <= 31:
        raise NoSuchDate
    return next(day for offset in range(93) if (day := first + ONE_DAY * offset).day == number)


def _next_with_both(number: int, weekday: int, today: Day) -> Day:
    """Return the next day that is both this weekday and the `number`th.

    Raises:
        Mismatch: the next `number`th is the day before or after that weekday, so one of the two is likely a slip.
    """
    coming = _next_with_number(number, today)
    if (coming.weekday() - weekday) % 7 in (1, 6):
        raise Mismatch(coming)
    day = coming
    while day.weekday() != weekday:
        day = _next_with_number(number, day + ONE_DAY)
        if (day - today).days > 365:
            raise Mismatch(coming)
    return day


def _months_later(day: Day, months: int) -> Day:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return datetime.date(year, month + 1, min(day.day, _last_of(year, month + 1)))


def _last_of(year: int, month: int) -> int:
    return (datetime.date(year + month // 12, month % 12 + 1, 1) - ONE_DAY).day


def _date(words: str, today: Day, region: str) -> Day:
    """Return the day of "december 3rd", "12/3", "the 15th of next month", "in 3 days", "christmas eve"."""
    if re.fullmatch(TOMORROW, words):
        return today + ONE_DAY
    if words == "overmorrow":
        return today + 2 * ONE_DAY
    if words.startswith("in "):
        return today + ONE_DAY * (2 if "couple" in words else 3 if "few" in words else _number(words))
    if re.search(r"\bmonth$", words):
        ahead = 1 if re.search("next|following|coming|upcoming", words) else 0
        first = _months_later(today.replace(day=1), ahead)
        return _day_of_month(first.year, first.month, _number(words))
    if re.match(HOLIDAY, words) or "of july" in words:
        name = "independence" if "of july" in words else words
        return next(day for year in (today.year, today.year + 1) if (day := _holiday(name, year)) >= today)
    iso = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", words)
    if iso:
        return _day_of_month(*map(int, iso.groups()))
    named = re.search(MONTH, words)
    figures = [int(number) for number in re.findall(r"\d+", words)]
    if named:
        month, number = _MONTH_NAMES.index(named.group()[:3]) + 1, figures[0]
        year = figures[1] if len(figures) > 1 else None
    else:
        one, two = figures[:2]
        is_month_first = (region in _MONTH_FIRST_REGIONS and one <= 12) or two > 12
        month, number = (one, two) if is_month_first else (two, one)
        year = figures[2] if len(figures) > 2 else None
    if year is not None:
        return _day_of_month(year + 2000 if year < 100 else year, month, number)
    try:
        day = datetime.date(today.year, month, number)
    except ValueError:
        # February 29 of a leap year may still come.
        return _day_of_month(today.year + 1, month, number)
    if day < today and (today - day > _JUST_PASSED or words.startswith("next")):
        return _day_of_month(today.year + 1, month, number)
    return day


def _holiday(words: str, year: int) -> Day:
    plain = re.sub(r"['’]|-", "", words)
    if plain.startswith("easter"):
        return easter(year) + (ONE_DAY if plain.endswith("monday") else 0 * ONE_DAY)
    rule = next(rule for name, rule in _HOLIDAYS.items() if re.sub("labour", "labor", plain).startswith(name))
    if len(rule) == 2:
        day = datetime.date(year, *rule)
    else:
        month, nth, weekday = rule
        day = _nth_weekday(year, month, nth, weekday)
    if not re.search(r"\beve$", plain):
        return day
    return datetime.date(year, 12, 31) if plain.startswith("new") else day - ONE_DAY


def _nth_weekday(year: int, month: int, nth: int, weekday: int) -> Day:
    if nth < 0:
        last = datetime.date(year, month, _last_of(year, month))
        return last - ONE_DAY * ((last.weekday() - weekday) % 7)
    first = datetime.date(year, month, 1)
    return first + ONE_DAY * ((weekday - first.weekday()) % 7) + WEEK * (nth - 1)


def _nth(words: str, today: Day) -> Day | Stretch:
    """Return the day of "the first monday of december", or the days of "the last week of january"."""
    which = re.search(r"first|1st|second|2nd|third|3rd|fourth|4th|last", words)
    if which is None:
        raise NoSuchDate
    nth = {"fi": 1, "1s": 1, "se": 2, "2n": 2, "th": 3, "3r": 3, "fo": 4, "4t": 4, "la": -1}[which.group()[:2]]
    rest = words[which.end() :]
    if "year" in rest:
        year, month = today.year + (0 if "this" in rest else 1), 1
    else:
        first, _ = _month(re.split(r"\b(?:of|in)\b", rest, maxsplit=1)[1].strip() or "month", today, is_whole=True)
        year, month = first.year, first.month
    weekday = _weekdays(re.split(r"\b(?:of|in)\b", rest, maxsplit=1)[0])
    for _ in range(2):
        if weekday:
            day = _nth_weekday(year, month, nth, next(iter(weekday)))
            if day >= today:
                return day
        else:
            last = _last_of(year, month)
            begin, end = (last - 6, last) if nth < 0 else (7 * nth - 6, 7 * nth)
            if datetime.date(year, month, end) >= today:
                return datetime.date(year, month, begin), datetime.date(year, month, end)
        year += 1
    raise Past


def _in_hours(words: str, now: datetime.datetime) -> datetime.datetime:
    amount = datetime.timedelta(minutes=30) if "half" in words else datetime.timedelta(hours=_number(words[3:]))
    if "minute" in words:
        amount = datetime.timedelta(minutes=_number(words[3:]))
    # Counted in UTC: local time repeats or skips an hour when the clocks change.
    return (now.astimezone(datetime.UTC) + amount).astimezone(now.tzinfo)


def _ahead(words: str, today: Day) -> tuple[Day | None, Stretch]:
    """Return the day that "in two weeks" is about, and the week or month it lies in."""
    if "year" in words:
        raise TooFar
    if "few" in words:
        if "month" in words:
            return None, (_months_later(today, 2), _months_later(today, 4))
        return None, (today + 2 * WEEK, today + 4 * WEEK)
    number = 2 if "couple" in words else _number(re.sub(r"^in\s+(?:about\s+)?", "", words))
    if "month" in words:
        about = _months_later(today, number)
        return about, (about.replace(day=1), about.replace(day=_last_of(about.year, about.month)))
    about = today + WEEK * number * (2 if "fortnight" in words else 1)
    monday = about - ONE_DAY * about.weekday()
    return about, (max(monday, today), monday + 6 * ONE_DAY)


def _week(words: str, today: Day) -> Stretch:
    """Return the first and last day of "next week", "later this week", "the next two weeks"."""
    if re.match(r"mid-?\s?week", words):
        first, _ = _week("next week" if "next" in words or today.weekday() > 2 else "this week", today)
        monday = first - ONE_DAY * first.weekday()
        return max(monday + ONE_DAY, today), monday + 3 * ONE_DAY
    if re.search(r"next\s+(?:\d|an?\s|few|couple|[a-z]+\s+(?:weeks|days))|within", words):
        number = 2 if "couple" in words else 3 if "few" in words else _number(words.replace("next", ""))
        return today, today + ONE_DAY * number * (7 if "week" in words else 1)
    monday = today - ONE_DAY * today.weekday()
    weeks = (
        2
        if re.search(r"after\s+next", words)
        else 0
        if re.search(r"\bthis\s+week|(?:in|of)\s+the\s+week|later?\s+the\s+week", words)
        else 1
    )
    if weeks == 0 and today.weekday() == 6:
        # On a Sunday the week that people speak of is the one that begins.
        weeks = 1
    first = monday + WEEK * weeks
    begin, end = first, first + 6 * ONE_DAY
    if re.search(r"\b(?:early|beginning|start)\b", words):
        end = first + 2 * ONE_DAY
    elif re.search(r"\bmid", words):
        begin, end = first + ONE_DAY, first + 3 * ONE_DAY
    elif re.search(r"\b(?:late|end)\b", words):
        begin = first + 3 * ONE_DAY
    elif re.search(r"\blater\b", words):
        begin = max(first, min(today + ONE_DAY, end))
    return max(begin, today), max(end, today)


def _month(words: str, today: Day, is_whole: bool = False) -> Stretch:
    """Return the first and last day of "in june", "early next month", "end of the month"."""
    named = re.search(rf"\b{MONTH}(?=$|\s)", words)
    if named and words.split()[-1] != "month":
        number = _MONTH_NAMES.index(named.group()[:3]) + 1
        year = today.year + (number < today.month)
    else:
        ahead = 1 if re.search("next|following|coming|upcoming", words) else 0
        number, year = (today.month + ahead - 1) % 12 + 1, today.year + (today.month + ahead - 1) // 12
    first, last = datetime.date(year, number, 1), datetime.date(year, number, _last_of(year, number))
    if is_whole:
        return first, last
    if re.search(r"\b(?:early|beginning|start)\b", words):
        last = first + 9 * ONE_DAY
    elif re.search(r"\bmid", words):
        first, last = first + 9 * ONE_DAY, first + 19 * ONE_DAY
    elif re.search(r"\b(?:late|later|end)\b", words):
        first = first + 20 * ONE_DAY
    if last < today:
        raise Past
    return max(first, today), last


def _window(words: str) -> list[Window]:
    plain = re.sub(r"\s+", " ", words)
    return [(start, end) for part, start, end in _PARTS if re.search(part, plain)][:1]


def window_of(meridiem: str) -> Window:
    """Return the hours of the morning (`a`) or of the rest of the day (`p`)."""
    return _window(meridiem)[0]


def _clocks(kind: str, words: str) -> Iterator[Clock]:
    """Yield the hours of a token."""
    if kind == "range":
        points = re.findall(POINT, re.sub(r"^(?:between|from|any\s?time\s+from)\s+", "", words))
        halves = [_meridiem(point) for point in points]
        # "2-4pm" means 2 pm; "10-2pm" does not mean 10 pm, which the opening hours tell later.
        yield Clock("from", points[0], halves[0] or (halves[1] if _follows(points) else None))
        yield Clock("to", points[1], halves[1])
        return
    bound = re.match(rf"(?:{BOUND}\s+|@\s*){{0,3}}", words)
    before = bound.group().strip() if bound else ""
    point = re.search(POINT, words[len(bound.group()) if bound else 0 :])
    if point is None:
        return
    after = words[words.index(point.group()) + len(point.group()) :]
    if UPPER.search(before) or re.search(r"earlier|before", after):
        how = "to"
    elif LOWER.search(before) or re.search(r"\+|later|after|onward", after):
        how = "from"
    elif ROUGH.search(before) or re.search(r"ish|so$", after):
        how = "near"
    else:
        how = "at"
    if re.search(r"not\s+before|no(?:t)?\s+earlier", before):
        how = "from"
    yield Clock(how, point.group(), _meridiem(point.group()))


def _meridiem(point: str) -> str | None:
    match = re.search(rf"(?<![a-z]){MERIDIEM}", point)
    return match.group()[0] if match else None


def _follows(points: list[str]) -> bool:
    first, second = (_hour_and_minute(point) for point in points[:2])
    return (first[0] % 12, first[1]) < (second[0] % 12, second[1])


_MINUTES = {"quarter": 15, "fifteen": 15, "half": 30, "ten": 10, "five": 5}


def _hour_and_minute(point: str) -> tuple[int, int]:
    if point in {"noon", "midday"}:
        return 12, 0
    if point == "midnight":
        return 0, 0
    beside = re.match(r"(quarter|half|fifteen|ten|five|\d{1,2})\s+(?:minutes\s+)?(past|to|of|till?)\s+(.*)", point)
    if beside:
        minute = _MINUTES.get(beside.group(1)) or int(beside.group(1))
        hour = _number(beside.group(3))
        return (hour % 24, minute) if beside.group(2) == "past" else ((hour - 1) % 24, 60 - minute)
    if point.startswith("half"):
        return _number(point[4:]) % 24, 30
    numbers = [int(number) for number in re.findall(r"\d+", point)]
    if len(numbers) == 1 and numbers[0] >= 100:
        return numbers[0] // 100 % 24, numbers[0] % 100
    words = re.match(rf"({'|'.join(NUMBERS)})(?:[\s-](\d\d|five|ten))?", point)
    if words:
        spoken = words.group(2)
        return NUMBERS.index(words.group(1)) + 1, int(_MINUTES.get(spoken, 0) or spoken) if spoken else 0
    hour = numbers[0] if numbers else 0
    return hour % 24, min(numbers[1], 59) if len(numbers) > 1 else 0


def times_of(clock: Clock, hint: str | None) -> list[datetime.time]:
    """Return the times of day that an hour may mean: two, when nothing says whether it is am or pm."""
    point, meridiem = clock.point, clock.meridiem or hint
    if point == "midnight":
        return [datetime.time(0)]
    hour, minute = _hour_and_minute(point)
    if point in {"noon", "midday"} or hour > 12 or (hour == 0 and meridiem is None):
        return [datetime.time(hour, minute)]
    morning, evening = datetime.time(hour % 12, minute), datetime.time(hour % 12 + 12, minute)
    return [morning] if meridiem == "a" else [evening] if meridiem == "p" else [morning, evening]
