"""What one message changes in a request: any number of things, in any order, none of them its own words."""

import datetime

import pytest

from booking.reading.contacts import likelier_address, parse_contact
from booking.reading.corrections import correct
from booking.reading.details import Details, extract
from booking.reading.patient import SomeoneElse, someone_else
from booking.reading.text import InvalidAnswer
from booking.when.preference import parse_time
from tests.support.samples import CLINIC

# A Sunday.
NOW = datetime.datetime(2026, 11, 29, 5, 25, tzinfo=CLINIC.zone)
KNOWN = Details(
    name="Vera Lindholm",
    contact=parse_contact("949-555-0158", CLINIC),
    time=parse_time("monday 3pm", CLINIC, NOW),
    patient="new",
)


def changed(text: str) -> dict[str, str]:
    correction = correct(text, KNOWN, CLINIC, NOW)
    values = {name: getattr(correction.details, name) for name in correction.changed}
    return {name: getattr(value, "shown", value) for name, value in values.items()}


CHANGES: dict[str, dict[str, str]] = {
    "yes but make it 11": {"time": "Monday, November 30 at 11 (11 am)"},
    "it's Verena, thursday at 2, and my number ends in 61": {
        "name": "Verena Lindholm",
        "contact": "(949) 555-0161",
        "time": "thursday at 2 (Thursday, December 3, 2 pm)",
    },
    "my last name is Holm, make it the 8th and call me at 714 555 0187 instead": {
        "contact": "(714) 555-0187",
        "name": "Vera Holm",
        "time": "the 8th 3pm (Tuesday, December 8, 3 pm)",
    },
    "all fine except the day, should be friday": {"time": "Friday, December 4 3pm"},
    "change the day to friday and my name to Vera Holm": {
        "name": "Vera Holm",
        "time": "Friday, December 4 3pm",
    },
    "wednesday at 8 instead of monday, and not new, i've been there before": {
        "patient": "returning",
        "time": "wednesday at 8 (Wednesday, December 2, 8 am)",
    },
    "3pm doesn't work, 8:15 instead": {"time": "Monday, November 30 8:15 (8:15 am)"},
    "friday, and it's about my right hip": {
        "reason": "my right hip",
        "time": "Friday, December 4 3pm",
    },
    "call me after 6": {"note": "call me after 6"},
    "please call me before noon": {"note": "call me before noon"},
    "tell them i use crutches": {"note": "i use crutches"},
    "yes, and i would like a female therapist": {"note": "i would like a female therapist"},
    "in korean please": {"note": "in korean please"},
    "also my shin": {"note": "also my shin"},
    "my husband will come with me": {"note": "my husband will come with me"},
    "can they text me instead": {"note": "can they text me instead"},
    "also my email is vera@lind.com": {"second_contact": "vera@lind.com"},
    "use my email instead: vera@lind.com": {"contact": "vera@lind.com"},
    "it's for my son Nils actually": {"patient_relation": "son", "patient_name": "Nils"},
    "my first name is spelled Wera": {"name": "Wera Lindholm"},
    "Vera Lindholmm": {"name": "Vera Lindholmm"},
}


@pytest.mark.parametrize(("text", "expected"), CHANGES.items())
def test_all_that_one_message_changes_is_applied(text: str, expected: dict[str, str]) -> None:
    assert changed(text) == expected


def test_what_is_not_understood_beside_a_change_is_named() -> None:
    correction = correct("make it friday, and frobnicate the gizmos", KNOWN, CLINIC, NOW)
    assert correction.changed == ("time",)
    assert correction.unread == ("frobnicate the gizmos",)


@pytest.mark.parametrize("text", ["I can't do mondays", "any other day but monday", "change the day", "not monday"])
def test_a_day_that_is_taken_back_without_another_is_asked_for(text: str) -> None:
    with pytest.raises(InvalidAnswer) as refused:
        correct(text, KNOWN, CLINIC, NOW)
    assert refused.value.values == {"field": "time"}


OPENERS: dict[str, dict[str, str]] = {
    "book Nora Weiss 949-555-0158 monday 3pm": {
        "name": "Nora Weiss",
        "contact": "(949) 555-0158",
        "time": "monday 3pm (Monday, November 30, 3 pm)",
    },
    "book, Nora Weiss": {"name": "Nora Weiss"},
    "Nora Weiss here, need an appointment": {"name": "Nora Weiss"},
    "appointment for Nora Weiss please": {"name": "Nora Weiss"},
    "hello, I'm Nora Weiss and I'd like an appointment on Friday morning": {
        "name": "Nora Weiss",
        "time": "on Friday morning (Friday, December 4)",
    },
    "Name: Nora Weiss\nPhone: 949-555-0158\nTime: Friday 9am\nReason: stiff hip": {
        "name": "Nora Weiss",
        "contact": "(949) 555-0158",
        "time": "Friday 9am (Friday, December 4, 9 am)",
        "reason": "stiff hip",
    },
    "I need an appointment for my daughter Lea": {"patient_name": "Lea", "patient_relation": "daughter"},
    "book nora@weiss.com or 949-555-0158": {"contact": "nora@weiss.com", "second_contact": "(949) 555-0158"},
    "book me an appointment with Dr. Holm next friday": {
        "time": "next friday (Friday, December 4)",
        "note": "with Dr Holm",
    },
    "book a visit for knee pain": {},
    "I want to book an appointment": {},
}


@pytest.mark.parametrize(("text", "expected"), OPENERS.items())
def test_an_opener_is_read_like_an_answer(text: str, expected: dict[str, str]) -> None:
    found = extract(text, CLINIC, NOW, asks_to_book=True)
    values = {name: getattr(found, name) for name in found.__dataclass_fields__ if name != "faults"}
    assert {name: getattr(value, "shown", value) for name, value in values.items() if value} == expected


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("it's for my son, Nils", SomeoneElse("son", name="Nils")),
        ("for my 81-year-old father", SomeoneElse("father")),
        ("I'm his mom, Vera Lindholm", SomeoneElse("child", writer="Vera Lindholm")),
        ("my wife Ines needs to see someone", SomeoneElse("wife", name="Ines")),
        ("my husband hits me", None),
        ("my knee hurts", None),
    ],
)
def test_the_patient_and_who_writes_are_two_people_where_they_say_so(text: str, other: SomeoneElse | None) -> None:
    assert someone_else(text) == other


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("vera@gmial.com", "vera@gmail.com"),
        ("vera@gmail.con", "vera@gmail.com"),
        ("vera@hotmial.con", "vera@hotmail.com"),
        ("vera@yaho.com", "vera@yahoo.com"),
        ("vera@mail.com", None),
        ("vera@university.edu", None),
        ("vera@clinic.example", None),
    ],
)
def test_a_mistyped_mail_domain_is_noticed(typed: str, meant: str | None) -> None:
    likelier = likelier_address(parse_contact(typed, CLINIC))
    assert (likelier and likelier.value) == meant
