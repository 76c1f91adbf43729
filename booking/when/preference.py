"""When a visit would suit: people's words, and the day and hour they mean at this clinic."""

import datetime
import re
from collections.abc import Sequence

from pydantic import BaseModel

from booking.reading.text import InvalidAnswer, has_markup_or_link, is_about_health, is_question, normalise
from booking.when.calendar import Fit, fit, openings, revalidate
from booking.when.grammar import DAY
from booking.when.tokens import DAY_KINDS, HOUR_KINDS, Token, leftover_words, respell, says_when, tokenize
from booking.when.wish import WEEK, Mismatch, NoSuchDate, Past, TooFar, alternatives, read_wish
from booking.when.words import in_words, start_in_words
from clinic.profile import WEEKDAYS, Clinic

LONGEST_TIME = 120
LONGEST_MEANING = 300
_MOST_ALTERNATIVES = 4


class Preference(BaseModel, frozen=True):
    """When a visit would suit.

    Attributes:
        words: what was typed, at most `LONGEST_TIME` characters.
        day: the one day that is meant, in the clinic's time zone; None when several would do.
        start: the exact time that is meant, aware; None when only a day or a part of it is.
        meaning: the days and hours that the words stand for, in words and in the order of preference; None when
            they name no day.
    """

    words: str
    day: datetime.date | None = None
    start: datetime.datetime | None = None
    meaning: str | None = None

    @property
    def shown(self) -> str:
        """The words, with the days they stand for where those are not among them."""
        meaning = self.meaning or (in_words(self.day) if self.day else "")
        if self.day and in_words(self.day) in self.words:
            meaning = meaning.removeprefix(in_words(self.day)).strip(" ,")
        plain = re.sub(r"\W", "", self.words.lower())
        return self.words if re.sub(r"\W", "", meaning.lower()) in plain else f"{self.words} ({meaning})"


def parse_time(text: str, clinic: Clinic, now: datetime.datetime, is_answer: bool = True) -> Preference:
    """Read when a visit would suit, from the answer to that question.

    Args:
        text: what was typed, such as "next tuesday after 4", "any weekday morning", "asap".
        clinic: whose calendar, hours and time zone count.
        now: the present moment, aware.
        is_answer: it answers that question, so that a bare figure is an hour.

    Raises:
        InvalidAnswer: `time_unclear`, `time_past`, `time_closed`, `time_holiday`, `time_outside_hours`,
            `time_far` (more than a year ahead), `time_mismatch` (a date that is another weekday), `time_no_such_date`
            or `too_long`.
            Its values name `next_open_day`, `opening_hours` and, where one day is meant, `day` and `day_hours`.
    """
    words = normalise(text, LONGEST_TIME)
    respelt = respell(words)
    found = tokenize(respelt, is_answer)
    others = leftover_words(respelt, found)
    if has_markup_or_link(words) or not says_when(found) or (others and is_question(words)):
        raise InvalidAnswer("time_unclear", openings(clinic, now))
    if is_about_health(others):
        # "monday works, though my calf is swollen": the part that speaks of time alone is the answer.
        parts = ((part.strip(), tokenize(respell(part.strip()))) for part in re.split(r"[,;]|\.\s", words))
        apart = [part for part, said in parts if says_when(said) and not leftover_words(respell(part), said)]
        if not apart:
            raise InvalidAnswer("time_unclear", openings(clinic, now))
        return parse_time(", ".join(apart), clinic, now, is_answer)
    return resolve(words, respelt, found, clinic, now)


def resolve(words: str, text: str, tokens: list[Token], clinic: Clinic, now: datetime.datetime) -> Preference:
    """Hold the tokens of a text against the clinic's calendar.

    Args:
        words: what was typed.
        text: the same, put right, in which the tokens stand.

    Raises:
        InvalidAnswer: as `parse_time`.
    """
    local = now.astimezone(clinic.zone)
    faults: list[InvalidAnswer] = []
    wanted: list[Fit] = []
    groups = alternatives(text, tokens)[:_MOST_ALTERNATIVES]
    for group in groups:
        try:
            wanted.append(_fit(group, clinic, local))
        except InvalidAnswer as error:
            faults.append(error)
    if not wanted:
        raise faults[0]
    if len(groups) > 1:
        meant = [", ".join(filter(None, (one.days, one.hours))) for one in wanted]
        between = "; " if any(one.hours for one in wanted) else " or "
        return Preference(
            words=words, meaning=between.join(dict.fromkeys(filter(None, meant)))[:LONGEST_MEANING] or None
        )
    [only] = wanted
    meaning = start_in_words(only.start, clinic) if only.start else only.days
    if only.start and in_words(only.start.date()) in words:
        meaning = only.days
    return Preference(words=words, day=only.day, start=only.start, meaning=meaning[:LONGEST_MEANING] or None)


def _fit(tokens: Sequence[Token], clinic: Clinic, now: datetime.datetime) -> Fit:
    """Read one preference and hold it against the calendar, with every fault as an InvalidAnswer."""
    try:
        return fit(read_wish(tokens, now, clinic.region), clinic, now)
    except Past:
        raise InvalidAnswer("time_past", openings(clinic, now)) from None
    except (TooFar, OverflowError):
        raise InvalidAnswer("time_far", openings(clinic, now)) from None
    except NoSuchDate:
        raise InvalidAnswer("time_no_such_date", openings(clinic, now)) from None
    except Mismatch as error:
        raise InvalidAnswer("time_mismatch", {**openings(clinic, now), "day": in_words(error.day)}) from None
    except InvalidAnswer as error:
        raise InvalidAnswer(error.reason, {**openings(clinic, now), **error.values}) from None


def reschedule(text: str, current: Preference, clinic: Clinic, now: datetime.datetime) -> Preference:
    """Change a preference by what was typed: a new day keeps the time of day, a new time keeps the day.

    Raises:
        InvalidAnswer: as `parse_time`.
    """
    words = normalise(text, LONGEST_TIME)
    found, before = tokenize(respell(words)), tokenize(respell(current.words), is_answer=True)
    if found and found[0].kind == "excludes" and current.day is None:
        return parse_time(f"{current.words}, {words}", clinic, now)
    if not says_when(found) or any(token.kind == "excludes" for token in (*found, *before)):
        return parse_time(words, clinic, now)
    has_day = any(token.kind in DAY_KINDS for token in found)
    has_hour = any(token.kind in HOUR_KINDS for token in found)
    if has_day == has_hour:
        return parse_time(words, clinic, now)
    if has_day:
        day = _counted_from(current.day, found, now.astimezone(clinic.zone).date())
        days = [token.words for token in found]
        hours = [token.words for token in before if token.kind in HOUR_KINDS]
    else:
        day = current.day
        days = [token.words for token in before if token.kind in DAY_KINDS]
        hours = [token.words for token in found]
    settled = parse_time(" ".join([day.isoformat() if day else " ".join(days), *hours]), clinic, now)
    return settled.model_copy(update={"words": " ".join([in_words(day), *hours])}) if day else settled


def _counted_from(day: datetime.date | None, found: list[Token], today: datetime.date) -> datetime.date | None:
    """Return the date that "thursday" or "the week after" means where `day` was agreed; None where it means its own."""
    if day is None or len(found) != 1:
        return None
    words = found[0].words.lower()
    if words in {"the week after", "following week"}:
        return day + WEEK
    named = re.fullmatch(rf"(?:on\s+)?({DAY})", words)
    if not named:
        return None
    weekday = next(index for index, name in enumerate(WEEKDAYS) if name[:3] == named.group(1)[:3])
    moved = day + datetime.timedelta(days=weekday - day.weekday())
    return moved if moved > today else None


def recheck(preference: Preference, clinic: Clinic, now: datetime.datetime) -> None:
    """Check that a preference given earlier still stands.

    Raises:
        InvalidAnswer: as `booking.when.calendar.revalidate`.
    """
    revalidate(preference.day, preference.start, clinic, now)
