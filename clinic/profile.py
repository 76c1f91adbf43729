"""The clinic's own details, read from `clinic.yml` and checked."""

import datetime
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    EmailStr,
    Field,
    HttpUrl,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

ROOT = Path(__file__).resolve().parent.parent
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class ClinicError(Exception):
    """`clinic.yml` is missing, or a value in it is missing or malformed; the message names it."""


def _web_origin(value: str) -> str:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d+)?", value):
        raise ValueError("must be like https://www.clinic.example, without a path")
    return value


class Span(BaseModel):
    """A stretch of one day, from `opens` up to `closes`, in the clinic's time zone."""

    opens: datetime.time
    closes: datetime.time

    @model_validator(mode="before")
    @classmethod
    def _parsed(cls, value: Any) -> Any:
        """Read hours as `clinic.yml` writes them."""
        if isinstance(value, dict):
            return value
        match = _SPAN.fullmatch(str(value).strip())
        if match is None:
            raise ValueError("write hours as 07:00-19:00")
        start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
        return {"opens": datetime.time(start_hour, start_minute), "closes": datetime.time(end_hour, end_minute)}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("the first time must be before the second")
        return self

    def __str__(self) -> str:
        return f"{clock(self.opens)} to {clock(self.closes)}"


class Clinic(BaseModel, extra="forbid"):
    """What differs from clinic to clinic; the fields are those of `clinic.yml`."""

    name: str = Field(min_length=1)
    phone: str
    email: EmailStr
    booking_page: HttpUrl
    emergency_number: str = Field(pattern=r"^\d{2,5}$")
    crisis_line: str = Field(pattern=r"^[\d ]{3,20}$")
    region: str
    time_zone: str
    opening_hours: dict[Weekday, Span]
    holidays: list[datetime.date] = []
    delivery: list[Literal["email", "webhook"]] = []
    retention_days: PositiveInt
    session_minutes: PositiveInt
    desk: dict[str, Annotated[str, Field(min_length=1, max_length=300)]] = {}
    origins: list[Annotated[str, AfterValidator(_web_origin)]] = []
    privacy_page: HttpUrl | None = None
    chat_button: str = "Ask us"
    chat_field: str = "Your message"

    @field_validator("region")
    @classmethod
    def _known_region(cls, value: str) -> str:
        if value not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("must be a two-letter country code such as US")
        return value

    @field_validator("phone")
    @classmethod
    def _dialable_phone(cls, value: str) -> str:
        try:
            number = phonenumbers.parse(value)
        except phonenumbers.NumberParseException as error:
            raise ValueError("must be a number with its country code, such as +1 949-555-0142") from error
        if not phonenumbers.is_possible_number(number):
            raise ValueError("is not a possible telephone number")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be a time zone such as America/Los_Angeles")
        return value

    @field_validator("opening_hours")
    @classmethod
    def _some_hours(cls, value: dict[str, Span]) -> dict[str, Span]:
        if not value:
            raise ValueError("must name at least one day")
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def phone_link(self) -> str:
        number = phonenumbers.format_number(phonenumbers.parse(self.phone), phonenumbers.PhoneNumberFormat.E164)
        return f"tel:{number}"

    def hours_on(self, day: datetime.date) -> Span | None:
        """Return the hours of `day`, or None when the clinic is closed then."""
        return None if day in self.holidays else self.opening_hours.get(WEEKDAYS[day.weekday()])

    def is_open(self, moment: datetime.datetime) -> bool:
        """Tell whether the clinic is open at `moment` (aware of its time zone)."""
        local = moment.astimezone(self.zone)
        span = self.hours_on(local.date())
        return span is not None and span.opens <= local.time() < span.closes

    def next_opening(self, moment: datetime.datetime) -> datetime.datetime:
        """Return the next time the clinic opens after `moment`, in its time zone; `moment` itself when it is open.

        Raises:
            ClinicError: no opening day within a year.
        """
        local = moment.astimezone(self.zone)
        if self.is_open(local):
            return local
        for offset in range(366):
            day = local.date() + datetime.timedelta(days=offset)
            span = self.hours_on(day)
            if span is not None:
                opening = datetime.datetime.combine(day, span.opens, tzinfo=self.zone)
                if opening > local:
                    return opening
        raise ClinicError("clinic.yml: opening_hours and holidays leave no opening day within a year")

    def opening_in_words(self, moment: datetime.datetime) -> str:
        """Return whether the clinic is open at `moment`, and until when or from when, as one sentence."""
        local = moment.astimezone(self.zone)
        span = self.hours_on(local.date())
        if span and span.opens <= local.time() < span.closes:
            return f"It is open today until {clock(span.closes)}."
        opening = self.next_opening(local)
        days = (opening.date() - local.date()).days
        if days == 0:
            return f"It opens today at {clock(opening.time())}."
        day = f"{opening:%A}" if days < 7 else f"{opening:%A, %B} {opening.day}"
        when = f"{'tomorrow, ' if days == 1 else ''}{day}{',' if days == 1 else ''} at {clock(opening.time())}"
        if span:
            return f"It is closed now and opens {when}."
        return f"Today, {local:%A}, it is closed; it opens {when}."

    def hours_in_words(self) -> str:
        """Return the opening hours as one sentence, days of equal hours together."""
        groups: list[tuple[list[str], Span]] = []
        for day in WEEKDAYS:
            span = self.opening_hours.get(day)
            if span is None:
                continue
            if groups and groups[-1][1] == span and WEEKDAYS.index(groups[-1][0][-1]) == WEEKDAYS.index(day) - 1:
                groups[-1][0].append(day)
            else:
                groups.append(([day], span))
        parts = [f"{_days_in_words(days)} {span}" for days, span in groups]
        return f"Open {', '.join(parts)}."

    def placeholders(self) -> dict[str, str]:
        """Return the values that responses may name in braces."""
        return {
            "clinic_name": self.name,
            "clinic_phone": self.phone,
            "clinic_booking_page": str(self.booking_page),
            "clinic_opening_hours": self.hours_in_words(),
            "emergency_number": self.emergency_number,
            "crisis_line": self.crisis_line,
            "retention_days": str(self.retention_days),
        }


def clock(time: datetime.time) -> str:
    """Return a time of day as people say it: 7 am, 2:30 pm."""
    minutes = f":{time.minute:02d}" if time.minute else ""
    return f"{time.hour % 12 or 12}{minutes} {'am' if time.hour < 12 else 'pm'}"


def _days_in_words(days: list[str]) -> str:
    first, last = days[0].capitalize(), days[-1].capitalize()
    return first if len(days) == 1 else f"{first} {'and' if len(days) == 2 else 'to'} {last}"


def load(path: Path) -> Clinic:
    """Read a clinic file.

    Raises:
        ClinicError: the file is missing, is no YAML mapping, or a value is missing or malformed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ClinicError(f"{path} is missing.") from error
    except yaml.YAMLError as error:
        raise ClinicError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ClinicError(f"{path} must hold names and values such as `name: My Clinic`.")
    try:
        return Clinic.model_validate(content)
    except ValidationError as error:
        faults = [
            f"  {'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        ]
        raise ClinicError("\n".join([f"{path.name} has values that cannot be used:", *faults])) from error


@lru_cache
def the_clinic() -> Clinic:
    """Return the clinic of `clinic.yml`, or of the file that the variable CLINIC_FILE names."""
    return load(Path(os.environ.get("CLINIC_FILE", ROOT / "clinic.yml")))
