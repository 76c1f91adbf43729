"""What each message means while the booking form is open, and what is said to it."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.ask import AskBookingConfirmation, AskBookingReason
from actions.form import ValidateBookingForm
from actions.handoff import HandOffBooking
from actions.slots import SLOTS
from booking.reading.text import InvalidAnswer
from booking.store import Bookings
from booking.when.preference import parse_time
from clinic.articles import the_library
from tests.support.samples import CLINIC, NOW

DOMAIN = the_library().domain()
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
    offer: dict[str, str] | None = None,
    **slots: Any,
) -> tuple[dict[str, Any], list[str]]:
    """The slots that a message sets while `requested` is asked for, and the responses that are said.

    What was asked for before is known; `said` is what the assistant said last.
    """
    place = SLOTS.index(requested) if requested else 0
    known = {name: ANA[name] for name in SLOTS[:place]}
    message = {"text": text, "intent": {"name": intent, "confidence": confidence}}
    events = [
        {"event": "bot", "metadata": {"utter_action": response}, "data": {"buttons": [offer] if offer else []}}
        for response in said
    ]
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
        ("also my email is ann2@lee.com", "booking_patient", "booking_second_contact", "ann2@lee.com"),
        ("also my email is ann2@lee.com", "booking_reason", "booking_second_contact", "ann2@lee.com"),
        ("use my email instead: ann2@lee.com", "booking_reason", "booking_contact", "ann2@lee.com"),
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


READ_BACK = ("utter_booking_read_back",)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("yes", "affirm"),
        ("/affirm", "affirm"),
        ("sounds good", "affirm"),
        ("that's correct", "affirm"),
        ("all good", "affirm"),
        ("perfect thanks", "thank"),
        ("ok great, thank you", "feedback_positive"),
        ("book it", "book_appointment"),
    ],
)
async def test_a_clear_yes_to_the_read_back_sends(text: str, intent: str) -> None:
    slots, _ = await turn(text, "booking_confirmation", intent, READ_BACK)
    assert slots == {"booking_confirmation": "send", "booking_status": "ready", "booking_failures": 0}


@pytest.mark.parametrize(
    ("text", "intent", "said"),
    [
        ("hmm", "affirm", "utter_booking_read_back"),
        ("good but not now", "affirm", "utter_booking_read_back"),
        ("yes", "affirm", "utter_booking_correction_unclear"),
        ("thanks", "thank", "utter_booking_read_back"),
        ("/book_appointment", "book_appointment", "utter_booking_read_back"),
        ("no", "deny", "utter_booking_read_back"),
        ("nothing", "deny", "utter_booking_read_back"),
        ("what do you mean", "nlu_fallback", "utter_booking_read_back"),
    ],
)
async def test_anything_less_sends_nothing(text: str, intent: str, said: str) -> None:
    slots, _ = await turn(text, "booking_confirmation", intent, (said,))
    assert "booking_confirmation" not in slots
    assert "booking_status" not in slots


@pytest.mark.parametrize(
    ("text", "intent"), [("no thanks", "deny"), ("don't send it", "deny"), ("not yet", "deny"), ("never mind", "stop")]
)
async def test_a_refusal_of_the_read_back_leaves_the_form(text: str, intent: str) -> None:
    slots, _ = await turn(text, "booking_confirmation", intent, READ_BACK)
    assert slots["booking_status"] == "stopped"


@pytest.mark.parametrize(
    ("text", "intent", "spoken"),
    [
        ("no", "deny", "utter_booking_undecided"),
        ("/change_answer", "change_answer", "utter_booking_correction_unclear"),
    ],
)
async def test_a_no_and_a_wish_to_change_are_answered_by_one_question(text: str, intent: str, spoken: str) -> None:
    _, said = await turn(text, "booking_confirmation", intent, READ_BACK)
    assert said == [spoken]
    for event, shown in (({"event": "bot", "metadata": {"utter_action": spoken}}, 0), ({"event": "user"}, 1)):
        events = [{"event": "bot", "metadata": {"utter_action": spoken}}, event]
        tracker = Tracker("rest:1", ANA, {}, events, False, None, {}, None)
        dispatcher = CollectingDispatcher()
        await AskBookingConfirmation().run(dispatcher, tracker, DOMAIN)
        assert len(dispatcher.messages) == shown


@pytest.mark.parametrize(
    ("text", "intent", "reason"),
    [
        ("remove the reason", "stop", ""),
        ("no reason please", "deny", ""),
        ("reason: left knee pain", "ask_causes", "left knee pain"),
        ("change the reason to left knee pain", "change_answer", "left knee pain"),
        ("no, it's about my left knee", "change_answer", "my left knee"),
        ("change the reason", "change_answer", None),
    ],
)
async def test_the_reason_can_be_changed_and_left_out(text: str, intent: str, reason: str | None) -> None:
    slots, _ = await turn(text, "booking_confirmation", intent, READ_BACK, booking_reason="Runner's knee")
    marked = {} if reason is None else {"booking_changed": ["reason"]}
    assert slots == {"booking_reason": reason, "booking_failures": 0} | marked


async def test_a_reason_that_cannot_be_taken_is_said() -> None:
    for intent in ("stop", "change_answer"):
        _, spoken = await turn("change the reason to <b>", "booking_confirmation", intent, READ_BACK)
        assert spoken == ["utter_booking_reason_unclear"]


@pytest.mark.parametrize("text", ["make it mornings but not mondays", "mornings, but not mondays"])
async def test_a_day_that_is_left_out_is_kept_in_the_words(text: str) -> None:
    slots, _ = await turn(text, "booking_confirmation", "change_answer", READ_BACK)
    assert slots["booking_time"]["words"].endswith("but not mondays")


@pytest.mark.parametrize(
    ("text", "intent", "name"),
    [
        ("Bill", "ask_clinic_admin", "Bill"),
        ("de la Cruz, Maria", "speak_other_language", "de la Cruz, Maria"),
        ("me llamo Juan Pérez", "speak_other_language", "Juan Pérez"),
        ("Sure, Bob", "affirm", "Bob"),
        ("that's wrong, name should be Timothy Dalton", "change_answer", "Timothy Dalton"),
    ],
)
async def test_a_name_is_taken_before_anything_else_it_may_be(text: str, intent: str, name: str) -> None:
    slots, spoken = await turn(text, "booking_name", intent, confidence=0.95)
    assert (slots["booking_name"], spoken) == (name, [])


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Absolutely", "affirm"),
        ("hours", "ask_clinic_admin"),
        ("Hours", "ask_clinic_admin"),
        ("what is it", "ask_help"),
    ],
)
async def test_what_only_looks_like_a_name_is_none(text: str, intent: str) -> None:
    slots, _ = await turn(text, "booking_name", intent, confidence=0.95)
    assert "booking_name" not in slots


async def test_the_first_message_may_name_the_day_and_it_is_said_back() -> None:
    slots, spoken = await turn("book a visit for friday at 10am for my knee", None, "book_appointment")
    assert slots["booking_time"]["words"] == "friday at 10am"
    assert spoken == ["utter_booking_intro", "utter_booking_noted"]


async def test_a_day_of_the_first_message_that_will_not_do_is_said_at_once() -> None:
    slots, spoken = await turn("can I come in on sunday?", None, "book_appointment")
    assert "booking_time" not in slots
    assert spoken == ["utter_booking_intro", "utter_booking_time_closed"]


async def test_no_reason_is_offered_after_an_emergency() -> None:
    for urgent, titles in ((True, ["Skip"]), (False, ["Runner's knee", "Skip"])):
        tracker = Tracker("rest:1", {"urgent": urgent}, {}, [], False, None, {}, None)
        dispatcher = CollectingDispatcher()
        await AskBookingReason().run(dispatcher, tracker, DOMAIN)
        assert [button["title"] for button in dispatcher.messages[0]["buttons"]] == titles
    slots, spoken = await turn("yes", "booking_reason", "affirm", urgent=True)
    assert (slots, spoken) == ({"booking_failures": 1}, ["utter_booking_reason_unclear"])


@pytest.mark.parametrize(
    ("text", "intent", "patient"),
    [
        ("yes", "affirm", "returning"),
        ("I think so", "affirm", "returning"),
        ("ok", "affirm", None),
        ("sure", "affirm", None),
        ("no", "deny", "new"),
        ("yeah a long time ago", "inform", "returning"),
    ],
)
async def test_only_a_yes_or_no_says_whether_one_has_been_there(text: str, intent: str, patient: str | None) -> None:
    slots, _ = await turn(text, "booking_patient", intent)
    assert slots.get("booking_patient") == patient


@pytest.mark.parametrize("requested", SLOTS)
@pytest.mark.parametrize("text", ["/book_appointment", "Book a visit"])
async def test_a_wish_for_a_visit_is_no_fault_while_one_is_booked(requested: str, text: str) -> None:
    if requested == "booking_reason" and not text.startswith("/"):
        return
    slots, spoken = await turn(text, requested, "book_appointment", READ_BACK, booking_failures=1)
    assert (slots, spoken) == ({"booking_failures": 0}, [])


@pytest.mark.parametrize("requested", ["booking_name", "booking_contact", "booking_confirmation"])
async def test_a_goodbye_leaves_the_form(requested: str) -> None:
    slots, spoken = await turn("bye", requested, "goodbye")
    assert (slots, spoken) == ({"booking_status": "stopped", "requested_slot": None}, [])


async def test_the_form_gives_up_after_the_sixth_failure_and_says_so() -> None:
    said = []
    for failures in range(6):
        slots, spoken = await turn("555-01", "booking_contact", booking_failures=failures)
        said.append(spoken)
    assert said == [
        ["utter_booking_contact_unclear"],
        ["utter_booking_contact_unclear", "utter_booking_help"],
        ["utter_booking_contact_unclear", "utter_booking_call"],
        ["utter_booking_contact_unclear"],
        ["utter_booking_contact_unclear"],
        ["utter_booking_stuck"],
    ]
    assert slots == {"booking_status": "stopped", "requested_slot": None}


@pytest.mark.parametrize(("text", "intent", "day"), [("yes", "affirm", "2026-11-27"), ("hmm", "nlu_fallback", None)])
async def test_a_yes_takes_the_day_that_was_offered(text: str, intent: str, day: str | None) -> None:
    with pytest.raises(InvalidAnswer) as refused:
        parse_time("thursday", CLINIC, NOW)
    (button,) = DOMAIN["responses"]["utter_booking_time_holiday"][0]["buttons"]
    offer = {"payload": button["payload"].format(**refused.value.values)}
    slots, _ = await turn(text, "booking_time", intent, ("utter_booking_time_holiday",), offer=offer)
    assert (slots.get("booking_time") or {}).get("day") == day


async def test_a_yes_to_the_question_itself_is_no_time() -> None:
    slots, spoken = await turn("yes", "booking_time", "affirm", ("utter_ask_booking_time",))
    assert (slots, spoken) == ({"booking_failures": 1}, ["utter_booking_time_unclear"])


async def test_what_was_not_asked_for_and_will_not_do_is_said() -> None:
    _, spoken = await turn("sunday at 3", "booking_name")
    assert spoken == ["utter_booking_time_closed"]


@pytest.mark.parametrize("text", ["nothing", "not sure", "I don't know"])
async def test_nothing_to_say_is_an_answer_where_it_can_be_left_out(text: str) -> None:
    for requested in ("booking_patient", "booking_reason"):
        assert await turn(text, requested, "stop") == ({requested: "", "booking_failures": 0}, [])


@pytest.mark.parametrize("text", ["skip", "skip it", "I'd rather not say"])
@pytest.mark.parametrize("intent", ["stop", "deny", "ask_activity_modification"])
async def test_skip_leaves_out_what_can_be_left_out_and_says_so_elsewhere(text: str, intent: str) -> None:
    for requested in ("booking_patient", "booking_reason"):
        assert await turn(text, requested, intent) == ({requested: "", "booking_failures": 0}, [])
    for requested in ("booking_name", "booking_contact", "booking_time"):
        assert await turn(text, requested, intent) == ({"booking_failures": 0}, ["utter_booking_needed"])
    slots, spoken = await turn(text, "booking_confirmation", intent, READ_BACK)
    assert (slots, spoken) == ({"booking_failures": 0}, ["utter_booking_undecided"])


@pytest.mark.parametrize(
    ("hour", "day", "words"),
    [
        (3, 24, "today, after 7 am"),
        (10, 24, "today"),
        (20, 24, "on Wednesday, November 25"),
        (3, 26, "on Friday, November 27"),
    ],
)
async def test_the_hand_off_says_when_the_front_desk_answers(tmp_path: Path, hour: int, day: int, words: str) -> None:
    store = Bookings(f"sqlite:///{tmp_path / 'bookings.db'}", [], "clinic.example")
    slots = {**ANA, "booking_intention": "one", "booking_status": "ready"}
    tracker = Tracker("rest:1", slots, {}, [], False, None, {}, None)
    dispatcher = CollectingDispatcher()
    await HandOffBooking(CLINIC, store, lambda: NOW.replace(day=day, hour=hour)).run(dispatcher, tracker, DOMAIN)
    store.close()
    assert [said["when_answered"] for said in dispatcher.messages] == [words]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("friday morning", "friday morning (Friday, November 27)"),
        ("Friday, November 27 at 4", "Friday, November 27 at 4"),
    ],
)
async def test_the_read_back_names_the_date_once(words: str, shown: str) -> None:
    slots = {**ANA, "booking_time": {"words": words, "day": "2026-11-27", "start": None}}
    dispatcher = CollectingDispatcher()
    await AskBookingConfirmation().run(dispatcher, Tracker("rest:1", slots, {}, [], False, None, {}, None), DOMAIN)
    assert dict(dispatcher.messages[0]["card"])["Would suit"] == shown


@pytest.mark.parametrize("requested", SLOTS)
@pytest.mark.parametrize("text", ["why", "why?", "why do you need that?"])
async def test_why_is_asked_of_the_question(requested: str, text: str) -> None:
    assert await turn(text, requested, "ask_causes") == ({"booking_failures": 0}, ["utter_ask_privacy"])


@pytest.mark.parametrize(
    ("text", "intent", "spoken"),
    [("thanks", "thank", ["utter_thank"]), ("hello", "greet", []), ("bye", "goodbye", [])],
)
async def test_small_talk_is_no_reason(text: str, intent: str, spoken: list[str]) -> None:
    slots, said = await turn(text, "booking_reason", intent)
    assert "booking_reason" not in slots
    assert said == spoken


async def test_a_plain_time_is_one_whatever_it_is_taken_for() -> None:
    slots, spoken = await turn("8-10 or after 4", "booking_time", "report_red_flag")
    assert slots["booking_time"]["meaning"] == "after 8 am and before 10 am; after 4 pm"
    assert spoken == []


@pytest.mark.parametrize("text", ["how soon will that be?", "can I pick the day myself?", "when do they call back?"])
async def test_a_question_about_the_request_is_for_the_front_desk_and_no_failure(text: str) -> None:
    slots, spoken = await turn(text, "booking_name", "ask_clinic_admin", booking_failures=1)
    assert slots == {"booking_failures": 0}
    assert spoken in (["utter_booking_ask_the_desk"], ["utter_ask_clinic_admin"])
