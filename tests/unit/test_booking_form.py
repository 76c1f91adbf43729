"""What each message means while the booking form is open, and what is said to it."""

import datetime
from typing import Any

import pytest
import yaml
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.booking import SLOTS, ValidateBookingForm
from assistant.clinic import ROOT
from tests.samples import CLINIC, NOW

DOMAIN = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
ANA = {
    "booking_name": "Ana Ruiz",
    "booking_contact": {"kind": "phone", "value": "+19495550133", "shown": "(949) 555-0133"},
    "booking_time": {"words": "friday morning", "day": "2026-11-27", "start": None},
    "booking_patient": "new",
    "booking_reason": "",
}


async def turn(
    text: str,
    requested: str | None,
    intent: str = "inform",
    said: tuple[str, ...] = (),
    now: datetime.datetime = NOW,
    confidence: float = 0.9,
    **slots: Any,
) -> tuple[dict[str, Any], list[str]]:
    """The slots that a message sets while `requested` is asked for, and the responses that are said.

    What was asked for before is known; `said` is what the assistant said last.
    """
    place = SLOTS.index(requested) if requested else 0
    known = {name: ANA[name] for name in SLOTS[:place]}
    message = {"text": text, "intent": {"name": intent, "confidence": confidence}}
    events = [{"event": "bot", "metadata": {"utter_action": response}} for response in said]
    form = {"name": "booking_form"} if requested else {}
    tracker = Tracker(
        "rest:1", {"requested_slot": requested, **known, **slots}, message, events, False, None, form, None
    )
    dispatcher = CollectingDispatcher()
    set_events = await ValidateBookingForm(CLINIC, lambda: now).get_validation_events(dispatcher, tracker, DOMAIN)
    spoken = [message["response"] for message in dispatcher.messages]
    return {event["name"]: event["value"] for event in set_events}, spoken


@pytest.mark.parametrize(
    ("text", "requested", "slot", "shown"),
    [
        ("also my email is ann2@lee.com", "booking_patient", "booking_contact", "ann2@lee.com"),
        ("also my email is ann2@lee.com", "booking_reason", "booking_contact", "ann2@lee.com"),
        ("my phone is better: 949 555 0101", "booking_patient", "booking_contact", "(949) 555-0101"),
        ("next week sometime", "booking_patient", "booking_time", "next week"),
        ("evening", "booking_patient", "booking_time", "evening"),
        ("ann@lee.com", "booking_name", "booking_contact", "ann@lee.com"),
        ("Yes: bob@x.com", "booking_name", "booking_contact", "bob@x.com"),
        ("oh wait my name is Anna Leigh", "booking_time", "booking_name", "Anna Leigh"),
        ("oh wait my name is Anna Leigh", "booking_contact", "booking_name", "Anna Leigh"),
    ],
)
async def test_what_is_told_beside_the_answer_is_kept_and_acknowledged(
    text: str, requested: str, slot: str, shown: str
) -> None:
    slots, spoken = await turn(text, requested, booking_failures=1)
    value = slots.pop(slot)
    assert shown == value if isinstance(value, str) else shown in value.values()
    assert slots == {"booking_failures": 0}, "the question stays open, and no failure is counted"
    assert spoken == ["utter_booking_noted"]


async def test_an_aside_beside_what_is_told_is_answered_and_both_are_kept() -> None:
    slots, spoken = await turn("949-555-0101, how much does it cost?", "booking_name", "ask_clinic_admin")
    assert slots["booking_contact"]["value"] == "+19495550101"
    assert spoken == ["utter_ask_clinic_admin", "utter_booking_noted"]


async def test_an_answer_is_not_acknowledged_by_itself() -> None:
    slots, spoken = await turn("949-555-0101, friday morning", "booking_contact")
    assert {"booking_contact", "booking_time"} <= slots.keys()
    assert spoken == []


@pytest.mark.parametrize("intent", ["stop", "inform", "affirm"])
async def test_new_answers_whether_one_is_a_patient_whatever_it_is_taken_for(intent: str) -> None:
    slots, spoken = await turn("new", "booking_patient", intent)
    assert slots == {"booking_patient": "new", "booking_failures": 0} or slots == {"booking_patient": "new"}
    assert spoken == []
