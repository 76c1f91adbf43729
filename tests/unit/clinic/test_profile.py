"""The clinic's details."""

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from clinic.profile import ROOT, Clinic, ClinicError, clock, load, the_clinic
from tests.support.samples import CLINIC

CONTENT = yaml.safe_load((ROOT / "clinic.yml").read_text(encoding="utf-8"))
OPTIONAL = {"holidays", "delivery", "desk", "origins", "privacy_page", "chat_button", "chat_field"}


def moment(text: str) -> datetime.datetime:
    """Return a time of the clinic's clock; with an offset ("…+00:00") that very moment."""
    parsed = datetime.datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=CLINIC.zone)


def a_clinic(**values: Any) -> Clinic:
    return Clinic(**{**CONTENT, **values})


def written(folder: Path, content: Any) -> Path:
    path = folder / "clinic.yml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def test_the_example_is_valid() -> None:
    assert load(ROOT / "clinic.yml").name == "In Motion O.C."


@pytest.mark.parametrize("name", sorted({*CONTENT} - OPTIONAL))
def test_a_missing_value_is_named(tmp_path: Path, name: str) -> None:
    content = {key: value for key, value in CONTENT.items() if key != name}
    with pytest.raises(ClinicError, match=rf"\n  {name}: Field required"):
        load(written(tmp_path, content))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("phone", "call us"),
        ("phone", "949-555-0142"),
        ("phone", "+1 12"),
        ("email", "frontdesk"),
        ("booking_page", "inmotion/book"),
        ("booking_page", "javascript:alert(1)"),
        ("emergency_number", "nine one one"),
        ("crisis_line", "call"),
        ("region", "USA"),
        ("time_zone", "California"),
        ("opening_hours", {}),
        ("opening_hours.monday", {"monday": "7 to 19"}),
        ("opening_hours.monday", {"monday": "19:00-07:00"}),
        ("opening_hours.monday", {"monday": "07:00-25:00"}),
        ("opening_hours.monday", {"monday": None}),
        ("opening_hours", {"mon": "07:00-19:00"}),
        ("holidays.0", ["Christmas"]),
        ("delivery.0", ["fax"]),
        ("retention_days", 0),
        ("session_minutes", "an hour"),
        ("origins.0", ["https://clinic.example/page"]),
        ("origins.0", ["*"]),
        ("telephone", "+1 949-555-0142"),
    ],
)
def test_a_malformed_value_is_named(tmp_path: Path, name: str, value: Any) -> None:
    field = name.split(".")[0]
    with pytest.raises(ClinicError, match=rf"clinic\.yml has values that cannot be used:\n  {name}"):
        load(written(tmp_path, {**CONTENT, field: value}))


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ClinicError, match=r"(?s)phone.*email"):
        load(written(tmp_path, {**CONTENT, "phone": "x", "email": "x"}))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClinicError, match=r"clinic\.yml is missing"):
        load(tmp_path / "clinic.yml")
    with pytest.raises(ClinicError, match="is not valid YAML"):
        load(written(tmp_path, "name: [In Motion"))
    with pytest.raises(ClinicError, match="must hold names and values"):
        load(written(tmp_path, "- In Motion"))
    with pytest.raises(ClinicError, match="must hold names and values"):
        load(written(tmp_path, ""))


def test_another_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_FILE", str(written(tmp_path, {**CONTENT, "name": "Another Clinic"})))
    assert the_clinic.__wrapped__().name == "Another Clinic"


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ({"monday": "07:00-19:00"}, "Open Monday 7 am to 7 pm."),
        ({"monday": "07:30-12:00", "tuesday": "07:30-12:00"}, "Open Monday and Tuesday 7:30 am to 12 pm."),
        (
            {"monday": "09:00-17:00", "tuesday": "09:00-17:00", "wednesday": "09:00-17:00", "friday": "09:00-17:00"},
            "Open Monday to Wednesday 9 am to 5 pm, Friday 9 am to 5 pm.",
        ),
        (
            {"sunday": "00:00-12:30", "saturday": "00:00-23:59"},
            "Open Saturday 12 am to 11:59 pm, Sunday 12 am to 12:30 pm.",
        ),
    ],
)
def test_hours_are_told_in_words(hours: dict[str, str], words: str) -> None:
    assert a_clinic(opening_hours=hours).hours_in_words() == words


def test_a_time_is_told_as_people_say_it() -> None:
    times = [datetime.time(0), datetime.time(9, 5), datetime.time(12), datetime.time(23, 59)]
    assert [clock(time) for time in times] == ["12 am", "9:05 am", "12 pm", "11:59 pm"]


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        ("2026-11-24T06:59:59", False),
        ("2026-11-24T07:00", True),
        ("2026-11-24T18:59:59", True),
        ("2026-11-24T19:00", False),
        ("2026-11-27T16:59", True),
        ("2026-11-27T17:00", False),
        ("2026-11-28T10:00", False),
        ("2026-11-26T10:00", False),
        ("2026-11-24T15:00+00:00", True),
        ("2026-11-25T03:00+00:00", False),
    ],
)
def test_open_from_the_first_minute_up_to_the_last(when: str, is_open: bool) -> None:
    assert CLINIC.is_open(moment(when)) is is_open


@pytest.mark.parametrize(
    ("when", "opening"),
    [
        ("2026-11-24T10:00", "2026-11-24T10:00"),
        ("2026-11-24T05:00", "2026-11-24T07:00"),
        ("2026-11-24T19:00", "2026-11-25T07:00"),
        ("2026-11-25T19:00", "2026-11-27T07:00"),
        ("2026-11-26T08:00", "2026-11-27T07:00"),
        ("2026-11-27T17:00", "2026-11-30T07:00"),
        ("2026-12-31T20:00", "2027-01-04T07:00"),
        ("2026-11-25T04:00+00:00", "2026-11-25T07:00"),
    ],
)
def test_the_next_opening_passes_over_closed_days(when: str, opening: str) -> None:
    assert CLINIC.next_opening(moment(when)) == moment(opening)


@pytest.mark.parametrize(
    ("when", "opening"),
    [
        ("2026-03-07T22:00-08:00", "2026-03-08T14:00+00:00"),
        ("2026-03-08T09:59+00:00", "2026-03-08T14:00+00:00"),
        ("2026-03-08T10:00+00:00", "2026-03-08T14:00+00:00"),
        ("2026-10-31T22:00-07:00", "2026-11-01T15:00+00:00"),
        ("2026-11-01T08:30+00:00", "2026-11-01T15:00+00:00"),
        ("2026-11-01T09:30+00:00", "2026-11-01T15:00+00:00"),
    ],
)
def test_it_opens_by_the_wall_clock_on_the_days_it_is_changed(when: str, opening: str) -> None:
    clinic = a_clinic(opening_hours={"sunday": "07:00-12:00"})
    assert clinic.next_opening(moment(when)).astimezone(datetime.UTC) == moment(opening)
    assert clinic.is_open(moment(opening))
    assert not clinic.is_open(moment(opening) - datetime.timedelta(minutes=1))


def test_a_clinic_that_never_opens_is_an_error() -> None:
    monday = datetime.date(2026, 11, 23)
    mondays = [monday + datetime.timedelta(weeks=week) for week in range(55)]
    clinic = a_clinic(opening_hours={"monday": "07:00-19:00"}, holidays=mondays)
    with pytest.raises(ClinicError, match="no opening day within a year"):
        clinic.next_opening(moment("2026-11-24T10:00"))


def test_the_telephone_can_be_dialled() -> None:
    assert CLINIC.phone_link == "tel:+19495550142"


def test_placeholders_are_words() -> None:
    assert all(isinstance(value, str) and value for value in the_clinic().placeholders().values())
