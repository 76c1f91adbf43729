"""Hostile inputs: every reader takes time in proportion to what it reads, and reads no more than a message's length."""

import re
import sys
import time
from collections.abc import Callable

import pytest

from booking.reading import corrections, details, names, notes, patient, replies, text
from booking.reading.corrections import correct
from booking.reading.details import Details, extract
from booking.reading.text import InvalidAnswer
from booking.when import grammar, preference, tokens, wish
from tests.support.samples import CLINIC, NOW

UNITS = (
    "no, ",
    "no ",
    "no... ",
    "actually ",
    "a",
    " ",
    "next ",
    "the ",
    "1-",
    "my my ",
    "not ",
    "and ",
    "or ",
    "12 ",
    "@",
    "'",
    "for my ",
)
READERS: dict[str, Callable[[str], object]] = {
    "extract": lambda said: extract(said, CLINIC, NOW, asks_to_book=True),
    "correct": lambda said: correct(said, Details(), CLINIC, NOW),
    "time": lambda said: preference.parse_time(said, CLINIC, NOW),
    "name": names.parse_name,
    "note": notes.note_in,
    "patient": patient.someone_else,
    "yes": replies.is_yes,
    "declines": replies.declines_booking,
    "not that": replies.is_not_that,
}


def steps(reader: Callable[[str], object], said: str) -> int:
    """How many lines of Python a reader runs."""
    count = 0

    def trace(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        reader(said)
    except InvalidAnswer:
        pass
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize("reader", READERS)
def test_twenty_times_the_text_costs_no_more_than_in_proportion(reader: str) -> None:
    for unit in UNITS:
        short, long = (unit * (length // len(unit)) for length in (1_000, 20_000))
        assert steps(READERS[reader], long) <= 25 * steps(READERS[reader], short) + 1_000, unit


def patterns() -> list[re.Pattern[str]]:
    found = [pattern for _, pattern in grammar.PATTERNS]
    for module in (corrections, details, names, notes, patient, replies, text, tokens, wish):
        for value in vars(module).values():
            found += [value] if isinstance(value, re.Pattern) else []
            found += [part for part in value if isinstance(part, re.Pattern)] if isinstance(value, tuple) else []
    return found


@pytest.mark.parametrize("unit", UNITS)
def test_four_times_the_text_costs_a_pattern_no_more_than_a_small_power_of_it(unit: str) -> None:
    """An exponential pattern would not come to an end at all."""
    for pattern in patterns():
        short, long = (_cost(pattern, (unit * 400)[:length]) for length in (100, 400))
        assert long <= 100 * short + 0.05, pattern.pattern


def _cost(pattern: re.Pattern[str], said: str) -> float:
    before = time.process_time()
    pattern.search(f"{said}!")
    return time.process_time() - before
