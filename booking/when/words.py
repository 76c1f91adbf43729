"""Days and hours in words, as people say them."""

import datetime

from clinic.profile import Clinic, clock


def in_words(day: datetime.date) -> str:
    """Return a day as people say it: Monday, November 30."""
    return f"{day:%A, %B} {day.day}"


def start_in_words(start: datetime.datetime, clinic: Clinic) -> str:
    """Return an exact time as people say it: Thursday, December 3, 2:30 pm."""
    local = start.astimezone(clinic.zone)
    return f"{in_words(local.date())}, {clock(local.time())}"


def stretch_in_words(first: datetime.date, last: datetime.date) -> str:
    """Return several days as people say them: Monday, November 30 to Friday, December 4."""
    return in_words(first) if first == last else f"{in_words(first)} to {in_words(last)}"


def about_in_words(day: datetime.date) -> str:
    """Return a day that is meant roughly: about December 13."""
    return f"about {day:%B} {day.day}"
