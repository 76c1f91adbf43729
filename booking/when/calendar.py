"""A wish held against the clinic's calendar: which of it will do, and why the rest will not."""

import datetime
from dataclasses import dataclass

from booking.reading.text import InvalidAnswer
from booking.when.wish import ONE_DAY, Clock, Window, Wish, times_of, window_of
from booking.when.words import about_in_words, in_words, stretch_in_words
from clinic.profile import WEEKDAYS, Clinic, Span, clock

_FARTHEST = datetime.timedelta(days=365)


@dataclass(frozen=True)
class Fit:
    """What of a wish the clinic's calendar leaves.

    Attributes:
        day: the one day that is meant, if any.
        start: the exact time of that day, if any.
        days: the days that the wish stands for, in words; "" when it names none.
        hours: the hours in words, with am and pm; "" when it names none.
    """

    day: datetime.date | None
    start: datetime.datetime | None
    days: str
    hours: str


def fit(wish: Wish, clinic: Clinic, now: datetime.datetime) -> Fit:
    """Hold a wish against the clinic's calendar.

    Args:
        now: the present moment in the clinic's time zone.

    Raises:
        InvalidAnswer: `time_past`, `time_closed`, `time_holiday`, `time_outside_hours` or `time_far`.
    """
    days = _days_that_do(wish, clinic, now)
    exact, hours = _check_hours(wish, days, _span(days, wish, clinic), clinic, now)
    day = days[0] if len(wish.dates) == 1 and days else None
    if day is None and not wish.dates and wish.about and clinic.hours_on(wish.about):
        day = wish.about
    start = _at(day, exact, clinic) if day and exact and not wish.about else None
    return Fit(day, start, _days_in_words(wish, days, clinic), hours)


def _days_in_words(wish: Wish, days: list[datetime.date], clinic: Clinic) -> str:
    if days:
        return " or ".join(map(in_words, days))
    if wish.about:
        return about_in_words(wish.about)
    left_out = "".join(f", not {in_words(day)}" for day in wish.but_not)
    if wish.stretch:
        open_days = [day for day in _days_of(*wish.stretch) if clinic.hours_on(day)]
        return stretch_in_words(open_days[0], open_days[-1]) + left_out if open_days else ""
    return ", ".join(f"{side} {in_words(day)}" for side, day in wish.bounds)


def revalidate(
    day: datetime.date | None, start: datetime.datetime | None, clinic: Clinic, now: datetime.datetime
) -> None:
    """Check that a day, and a time of it, that were given earlier still stand.

    Raises:
        InvalidAnswer: `time_past`, `time_closed`, `time_holiday` or `time_outside_hours`, as `fit`.
    """
    if day is None:
        return
    local = now.astimezone(clinic.zone)
    _check_day(day, clinic, local)
    if start is not None:
        begin = start.astimezone(clinic.zone)
        span = clinic.hours_on(begin.date())
        if begin <= local:
            raise InvalidAnswer("time_past", openings(clinic, local))
        if span is None or not span.opens <= begin.time() < span.closes:
            raise InvalidAnswer("time_outside_hours", openings(clinic, local, begin.date()))


def openings(clinic: Clinic, now: datetime.datetime, day: datetime.date | None = None) -> dict[str, str]:
    """Return what would do, in words, for a wish that will not."""
    local = now.astimezone(clinic.zone)
    after = local
    if day is not None and local.date() <= day <= local.date() + _FARTHEST:
        after = datetime.datetime.combine(day + ONE_DAY, datetime.time(), tzinfo=clinic.zone)
    opening = clinic.next_opening(after)
    values = {
        "next_open_day": in_words(opening.date()),
        "next_open_hours": str(clinic.hours_on(opening.date())),
        "opening_hours": clinic.hours_in_words(),
    }
    if day is not None:
        values["day"] = in_words(day)
        hours = clinic.hours_on(day)
        if hours is not None:
            values["day_hours"] = str(hours)
    return values


def _days_that_do(wish: Wish, clinic: Clinic, now: datetime.datetime) -> list[datetime.date]:
    """Return the dates of a wish on which the clinic is open; check its weekdays and stretch.

    Raises:
        InvalidAnswer: not one of them will do; its reason is that of the first.
    """
    fault: InvalidAnswer | None = None
    days = []
    for day in wish.dates:
        try:
            _check_day(day, clinic, now)
        except InvalidAnswer as error:
            fault = fault or error
        else:
            days.append(day)
    if fault and not days:
        raise fault
    if wish.weekdays and not any(WEEKDAYS[day] in clinic.opening_hours for day in wish.weekdays):
        names = [WEEKDAYS[day].capitalize() for day in sorted(wish.weekdays)]
        raise InvalidAnswer("time_closed", {**openings(clinic, now), "day": " and ".join(names)})
    if wish.stretch:
        _check_stretch(*wish.stretch, clinic, now)
    for day in [*(day for _, day in wish.bounds), *([wish.about] if wish.about else [])]:
        if day - now.date() > _FARTHEST:
            raise InvalidAnswer("time_far", openings(clinic, now, day))
    if wish.about and wish.about < now.date():
        raise InvalidAnswer("time_past", openings(clinic, now, wish.about))
    return days


def _check_day(day: datetime.date, clinic: Clinic, now: datetime.datetime) -> None:
    values = openings(clinic, now, day)
    if day < now.date():
        raise InvalidAnswer("time_past", values)
    if day - now.date() > _FARTHEST:
        raise InvalidAnswer("time_far", values)
    if day in clinic.holidays:
        raise InvalidAnswer("time_holiday", values)
    span = clinic.hours_on(day)
    if span is None:
        raise InvalidAnswer("time_closed", values)
    if day == now.date() and now.time() >= span.closes:
        raise InvalidAnswer("time_past", values)


def _check_stretch(first: datetime.date, last: datetime.date, clinic: Clinic, now: datetime.datetime) -> None:
    if first - now.date() > _FARTHEST:
        raise InvalidAnswer("time_far", openings(clinic, now))
    for day in _days_of(first, last):
        try:
            _check_day(day, clinic, now)
        except InvalidAnswer:
            continue
        return
    raise InvalidAnswer("time_closed", {**openings(clinic, now, last), "day": in_words(first)})


def _days_of(first: datetime.date, last: datetime.date) -> list[datetime.date]:
    return [first + ONE_DAY * offset for offset in range(min((last - first).days, 366) + 1)]


def _span(days: list[datetime.date], wish: Wish, clinic: Clinic) -> Span:
    """Return the hours that the wish is held against: those of its days together, else of the whole week."""
    spans = [span for span in map(clinic.hours_on, days) if span is not None]
    if not spans and wish.weekdays:
        spans = [span for day, span in clinic.opening_hours.items() if WEEKDAYS.index(day) in wish.weekdays]
    spans = spans or list(clinic.opening_hours.values())
    return Span.model_construct(opens=min(span.opens for span in spans), closes=max(span.closes for span in spans))


def _check_hours(
    wish: Wish, days: list[datetime.date], span: Span, clinic: Clinic, now: datetime.datetime
) -> tuple[datetime.time | None, str]:
    """Return the exact time of day that is meant, if there is one, and the hours in words.

    Raises:
        InvalidAnswer: `time_outside_hours`, or `time_past` for a time of today that is over.
    """
    day = days[0] if len(days) == 1 else None
    outside = InvalidAnswer("time_outside_hours", openings(clinic, now, day))
    if wish.moment is not None:
        if not span.opens <= wish.moment.time() < span.closes:
            raise outside
        exact = wish.moment.time().replace(second=0, microsecond=0)
        return exact, clock(exact)
    earliest, latest, exact_time = span.opens, span.closes, None
    said: list[str] = []
    hint = wish.meridiem or _hint(wish.windows)
    for named in wish.clocks:
        meant = _meant(named, hint, span)
        if not meant:
            raise outside
        if named.how == "to":
            latest = min(latest, meant[-1])
        elif named.how == "from":
            earliest = max(earliest, meant[0])
        else:
            latest = min(latest, meant[-1])
            exact_time = _likelier(meant) if named.how == "at" else None
        shown = clock(meant[-1] if named.how == "to" else _likelier(meant))
        said.append({"at": "at", "from": "after", "to": "before", "near": "about"}[named.how] + f" {shown}")
    if [named.how for named in wish.clocks] != ["at"]:
        exact_time = None
    windows = [] if wish.clocks or wish.has_exclusion else wish.windows
    if wish.meridiem and not windows and not wish.clocks:
        windows = [window_of(wish.meridiem)]
    if windows:
        windows = [(start, end) for start, end in windows if start < span.closes and end > span.opens]
        if not windows:
            raise outside
        latest = min(latest, max(end for _, end in windows))
        said = [_window_in_words(start, end, span) for start, end in windows]
    if earliest > latest:
        raise outside
    if day == now.date() and len(wish.dates) == 1 and latest <= now.time():
        raise InvalidAnswer("time_past", openings(clinic, now, day))
    return exact_time, " and ".join(filter(None, said))


def _meant(named: Clock, hint: str | None, span: Span) -> list[datetime.time]:
    """Return the times of day, within the opening hours, that an hour may mean."""
    meant = [time for time in times_of(named, hint) if _fits(time, named.how, span)]
    if not meant and named.meridiem is None and hint:
        meant = [time for time in times_of(named, None) if _fits(time, named.how, span)]
    return meant


def _likelier(meant: list[datetime.time]) -> datetime.time:
    """Return the morning's hour from seven on, else the afternoon's, where both are open."""
    return meant[-1] if len(meant) > 1 and meant[0].hour < 7 else meant[0]


_WINDOWS = {(0, 12): "morning", (12, 17): "afternoon", (17, 23): "evening"}


def _window_in_words(start: datetime.time, end: datetime.time, span: Span) -> str:
    named = _WINDOWS.get((start.hour, end.hour))
    if named:
        return named
    if start <= span.opens:
        return f"before {clock(end)}" if end < span.closes else ""
    return f"{clock(start)} to {clock(end)}" if end < span.closes else f"after {clock(start)}"


def _fits(time: datetime.time, how: str, span: Span) -> bool:
    return span.opens < time <= span.closes if how == "to" else span.opens <= time < span.closes


def _hint(windows: list[Window]) -> str | None:
    halves = {"a" if end <= datetime.time(12) else "p" for _, end in windows}
    return halves.pop() if len(halves) == 1 else None


def _at(day: datetime.date, time: datetime.time, clinic: Clinic) -> datetime.datetime:
    """Return a local time as a moment that exists: one in the gap of a clock change moves past it."""
    moment = datetime.datetime.combine(day, time, tzinfo=clinic.zone)
    return moment.astimezone(datetime.UTC).astimezone(clinic.zone)
