"""Which day and hour English expressions mean, at a clinic that is open every day from seven to seven.

Said on Tuesday, November 24, 2026, at ten. The table was written from a list of the kinds of expression; each row has
the day as month-day and the hour, where one is meant.
"""

import datetime

import pytest

from booking.when.preference import parse_time
from clinic.profile import WEEKDAYS
from tests.support.samples import CLINIC, NOW

ALWAYS = CLINIC.model_copy(
    update={"opening_hours": dict.fromkeys(WEEKDAYS, CLINIC.opening_hours["monday"]), "holidays": []}
)

MEANT: dict[str, tuple[str | None, str | None]] = {
    # near days
    "tomorrow": ("11-25", None),
    "tmrw after work": ("11-25", None),
    "day after tomorrow": ("11-26", None),
    "the day after tomorrow at noon": ("11-26", "12:00"),
    "today at 4": ("11-24", "16:00"),
    "later today": ("11-24", None),
    "this afternoon": ("11-24", None),
    "this evening at 6": ("11-24", "18:00"),
    "in 3 days": ("11-27", None),
    "in three days": ("11-27", None),
    "in a couple of days": ("11-26", None),
    "three days from now": ("11-27", None),
    "10 days from today": ("12-04", None),
    "in 2 hours": ("11-24", "12:00"),
    "in half an hour": ("11-24", "10:30"),
    # weekdays
    "friday": ("11-27", None),
    "on friday": ("11-27", None),
    "this friday": ("11-27", None),
    "this coming friday": ("11-27", None),
    "next friday": ("12-04", None),
    "tuesday": ("12-01", None),
    "saterday": ("11-28", None),
    "the following monday": ("11-30", None),
    "next tues arvo": ("12-01", None),
    "six weeks from today": ("01-05", None),
    "quarter till 3 tuesday": ("12-01", "14:45"),
    "monday after next": ("12-07", None),
    "monday week": ("12-07", None),
    "a week on monday": ("12-07", None),
    "a week from friday": ("12-04", None),
    "a week from tomorrow": ("12-02", None),
    "a week today": ("12-01", None),
    "two weeks from friday": ("12-11", None),
    "two weeks from today": ("12-08", None),
    "2 weeks from now": ("12-08", None),
    "a fortnight from monday": ("12-14", None),
    "monday next week": ("11-30", None),
    "next week monday": ("11-30", None),
    "friday of next week": ("12-04", None),
    "thursday in two weeks": ("12-10", None),
    "the week after next on wednesday": ("12-09", None),
    # weeks ahead
    "in two weeks": ("12-08", None),
    "in 2 weeks time": ("12-08", None),
    "in a fortnight": ("12-08", None),
    "a fortnight": ("12-08", None),
    "in a week": ("12-01", None),
    "in a month": ("12-24", None),
    "in two months": ("01-24", None),
    "in a couple of weeks": ("12-08", None),
    # ordinals
    "the 15th": ("12-15", None),
    "the fifteenth": ("12-15", None),
    "on the twenty-second": ("12-22", None),
    "the twenty eighth": ("11-28", None),
    "the thirty-first": ("12-31", None),
    "the second": ("12-02", None),
    "monday the thirtieth": ("11-30", None),
    "friday the 27th": ("11-27", None),
    "friday the fourth at half past three": ("12-04", "15:30"),
    "monday the twenty eighth at six": ("12-28", "18:00"),
    "monday 21": ("12-21", None),
    "mon 14th": ("12-14", None),
    "fri 15th": ("01-15", None),
    "wednesday 30": ("12-30", None),
    "tuesday, the 8th": ("12-08", None),
    "the 15th of next month": ("12-15", None),
    "15th of next month": ("12-15", None),
    "the tenth of next month": ("12-10", None),
    "next month on the 9th": ("12-09", None),
    "the 28th of this month": ("11-28", None),
    # dates
    "december 3": ("12-03", None),
    "december 3rd": ("12-03", None),
    "december third": ("12-03", None),
    "december twenty first": ("12-21", None),
    "december twenty one": ("12-21", None),
    "may twenty nine": ("05-29", None),
    "dec. 3": ("12-03", None),
    "december, 3rd": ("12-03", None),
    "december the 3rd": ("12-03", None),
    "dec/3": ("12-03", None),
    "dec-3": ("12-03", None),
    "3 dec": ("12-03", None),
    "3rd of december": ("12-03", None),
    "the third of december": ("12-03", None),
    "the twenty-first of january": ("01-21", None),
    "12/3": ("12-03", None),
    "12/3/26": ("12-03", None),
    "12/3/2026": ("12-03", None),
    "25/12": ("12-25", None),
    "2026-12-03": ("12-03", None),
    "12-3-2026": ("12-03", None),
    "12.3.2026": ("12-03", None),
    "5.12": ("05-12", None),
    "oct/2": ("10-02", None),
    "october, 1st": ("10-01", None),
    "next november 3": ("11-03", None),
    "wed dec 2": ("12-02", None),
    "wednesday, december 2nd at 10": ("12-02", "10:00"),
    "thursday december 3rd 2pm": ("12-03", "14:00"),
    "dec 3 @ 2": ("12-03", "14:00"),
    # months and their weekdays
    "the first monday of december": ("12-07", None),
    "first monday in january": ("01-04", None),
    "last friday of december": ("12-25", None),
    "the second tuesday of next month": ("12-08", None),
    # holidays
    "thanksgiving": ("11-26", None),
    "the day after thanksgiving": ("11-27", None),
    "christmas eve": ("12-24", None),
    "two days before christmas": ("12-23", None),
    "2 days after christmas": ("12-27", None),
    "a week after christmas": ("01-01", None),
    "the monday after christmas": ("12-28", None),
    "the friday before christmas": ("12-18", None),
    "new year's eve": ("12-31", None),
    "the day before new year's eve": ("12-30", None),
    "the day after new year's": ("01-02", None),
    "mlk day": ("01-18", None),
    "memorial day": ("05-31", None),
    "4th of july": ("07-04", None),
    "labor day": ("09-06", None),
    "halloween": ("10-31", None),
    "easter monday": ("03-29", None),
    "valentine's day": ("02-14", None),
    # hours
    "tomorrow at noon": ("11-25", "12:00"),
    "tomorrow at three": ("11-25", "15:00"),
    "tomorrow at three thirty": ("11-25", "15:30"),
    "tomorrow at four forty five": ("11-25", "16:45"),
    "friday at quarter past nine": ("11-27", "09:15"),
    "friday at quarter to five": ("11-27", "16:45"),
    "friday at ten past four": ("11-27", "16:10"),
    "friday at twenty to five": ("11-27", "16:40"),
    "friday half past two": ("11-27", "14:30"),
    "friday 9am": ("11-27", "09:00"),
    "friday 930am": ("11-27", "09:30"),
    "friday at 9.30": ("11-27", "09:30"),
    "friday 14:30": ("11-27", "14:30"),
    "friday 1430 hours": ("11-27", "14:30"),
    "friday, 3 o'clock": ("11-27", "15:00"),
    "friday 3 in the afternoon": ("11-27", "15:00"),
    "friday at 8 in the morning": ("11-27", "08:00"),
    "friday 10": ("11-27", "10:00"),
    "friday end of day": ("11-27", None),
    "end of day tomorrow": ("11-25", None),
    "first thing friday": ("11-27", None),
    "friday around lunch": ("11-27", None),
    "noonish on friday": ("11-27", None),
    # not English, in an English form
    "el lunes por la tarde": ("11-30", None),
    "mañana por la mañana": ("11-25", None),
    "viernes a las 3": ("11-27", "15:00"),
}


def meant(text: str) -> tuple[str | None, str | None]:
    read = parse_time(text, ALWAYS, NOW)
    return (f"{read.day:%m-%d}" if read.day else None, f"{read.start:%H:%M}" if read.start else None)


@pytest.mark.parametrize(("text", "day_and_hour"), MEANT.items())
def test_an_expression_means_one_day_and_hour(text: str, day_and_hour: tuple[str | None, str | None]) -> None:
    assert meant(text) == day_and_hour


SPANS: dict[str, str | None] = {
    "next week": "Monday, November 30 to Sunday, December 6",
    "this week": "Tuesday, November 24 to Sunday, November 29",
    "later this week": "Wednesday, November 25 to Sunday, November 29",
    "early next week": "Monday, November 30 to Wednesday, December 2",
    "end of next week": "Thursday, December 3 to Sunday, December 6",
    "the week after next": "Monday, December 7 to Sunday, December 13",
    "first thing in the morning the week after next": "Monday, December 7 to Sunday, December 13",
    "the week of december 7": "Monday, December 7 to Sunday, December 13",
    "in two weeks": "about December 8",
    "sometime in december": "Tuesday, December 1 to Thursday, December 31",
    "mid december": "Thursday, December 10 to Sunday, December 20",
    "end of the month": "Tuesday, November 24 to Monday, November 30",
    "early january": "Friday, January 1 to Sunday, January 10",
    "the first week of january": "Friday, January 1 to Thursday, January 7",
    "in the next two weeks": "Tuesday, November 24 to Tuesday, December 8",
    "dec 7-11": "Monday, December 7 to Friday, December 11",
    "december 7 through december 10": "Monday, December 7 to Thursday, December 10",
    "from the 7th to the 10th": "Monday, December 7 to Thursday, December 10",
    "between december 7 and december 10": "Monday, December 7 to Thursday, December 10",
    "between monday and wednesday after 3": "Monday, November 30 to Wednesday, December 2",
    "monday to wednesday": "Monday, November 30 to Wednesday, December 2",
    "mon-thu mornings": "Monday, November 30 to Thursday, December 3",
    "the week after christmas": "Monday, December 28 to Sunday, January 3",
    "midweek": "Tuesday, November 24 to Thursday, November 26",
    "march": "Monday, March 1 to Wednesday, March 31",
    "by the end of next week": "by Sunday, December 6",
    "after christmas": "after Friday, December 25",
    "by friday": "by Friday, November 27",
    "from the 10th on": "from Thursday, December 10",
    "any time before december 10": "before Thursday, December 10",
    "around december 10": "about December 10",
    "monday or wednesday": "Monday, November 30 or Wednesday, November 25",
    "tues after 4 or thurs morning": "Tuesday, December 1, after 4 pm; Thursday, November 26, morning",
    "thursday morning, otherwise friday at 2": "Thursday, November 26, morning; Friday, November 27, at 2 pm",
    "tuesday or wednesday before 10": "Tuesday, December 1, before 10 am; Wednesday, November 25, before 10 am",
    "monday at 9 and tuesday at 10": "Monday, November 30, at 9 am; Tuesday, December 1, at 10 am",
    "monday, wednesday or friday": "Monday, November 30 or Wednesday, November 25 or Friday, November 27",
    "9-11 or after 3": "after 9 am and before 11 am; after 3 pm",
    "next week except tuesday": "Monday, November 30 to Sunday, December 6, not Tuesday, December 1",
    "not mondays": None,
    "any weekday morning": None,
    "mondays": None,
    "asap": None,
    "mornings except friday": None,
}


@pytest.mark.parametrize(("text", "meaning"), SPANS.items())
def test_whatever_the_words_the_days_they_stand_for_are_named(text: str, meaning: str | None) -> None:
    assert parse_time(text, ALWAYS, NOW).meaning == meaning


@pytest.mark.parametrize(
    ("now", "text", "day"),
    [
        ("2026-11-29 05:25", "later this week", "Monday, November 30 to Sunday, December 6"),
        ("2026-11-29 05:25", "next monday", "Monday, November 30"),
        ("2026-11-29 05:25", "the week after next", "Monday, December 7 to Sunday, December 13"),
        ("2026-11-29 23:58", "tomorrow", "Monday, November 30"),
        ("2026-11-30 00:02", "tomorrow", "Tuesday, December 1"),
        ("2026-03-07 23:30", "tomorrow at 3pm", "Sunday, March 8, 3 pm"),
        ("2026-10-31 23:30", "tomorrow at 3pm", "Sunday, November 1, 3 pm"),
        ("2026-12-31 23:30", "in two weeks", "about January 14"),
    ],
)
def test_days_are_counted_from_where_the_clinic_is(now: str, text: str, day: str) -> None:
    moment = datetime.datetime.fromisoformat(now).replace(tzinfo=ALWAYS.zone)
    assert parse_time(text, ALWAYS, moment.astimezone(datetime.UTC)).meaning == day
