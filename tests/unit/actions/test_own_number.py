"""The number someone writes from, offered as contact and kept sealed until the request is handed off."""

from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.ask import AskBookingContact
from actions.form import ValidateBookingForm
from actions.handoff import HandOffBooking
from booking.reading.contacts import in_clear, own_number, parse_contact
from booking.reading.corrections import correct
from booking.reading.details import Details
from booking.reading.text import InvalidAnswer
from booking.store import Bookings
from booking.when.preference import parse_time
from service import sealing as identity
from service.sealing import CONTACT, INBOX, Unreadable, conversation_id, seal, unseal
from tests.support.samples import CLINIC, NOW

NUMBER = "+19495550133"
SHOWN = "the number you are writing from, ending in 33"


def tracker(text: str = "", intent: str = "inform", sealed: str | None = None, **slots: Any) -> Tracker:
    message = {
        "text": text,
        "intent": {"name": intent, "confidence": 0.9},
        "metadata": {"contact": sealed or seal(NUMBER, CONTACT)},
    }
    requested = {"requested_slot": "booking_contact"}
    return Tracker("sms:1", {**requested, **slots}, message, [], False, None, {"name": "booking_form"}, None)


async def slots_after(tracker: Tracker) -> dict[str, Any]:
    events = await ValidateBookingForm(CLINIC, lambda: NOW).get_validation_events(CollectingDispatcher(), tracker, {})
    return {event["name"]: event["value"] for event in events}


async def question(tracker: Tracker) -> dict[str, Any]:
    dispatcher = CollectingDispatcher()
    await AskBookingContact().run(dispatcher, tracker, {})
    (said,) = dispatcher.messages
    return said


async def test_the_number_is_offered_by_its_end() -> None:
    said = await question(tracker())
    assert (said["response"], said["ending"]) == ("utter_booking_own_number", "33")


@pytest.mark.parametrize("sealed", ["x", seal(NUMBER, INBOX), ""], ids=["nonsense", "for another use", "nothing"])
async def test_a_number_that_cannot_be_read_is_not_offered(sealed: str) -> None:
    told = tracker(sealed=sealed or "0")
    assert (await question(told))["response"] == "utter_ask_booking_contact"
    assert "booking_contact" not in await slots_after(tracker("yes", "affirm", sealed=sealed or "0"))


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("/affirm", "affirm"),
        ("yes please", "affirm"),
        ("use this number", "inform"),
        ("the one I'm texting from", "inform"),
    ],
)
async def test_a_yes_takes_it_sealed(text: str, intent: str) -> None:
    contact = (await slots_after(tracker(text, intent)))["booking_contact"]
    assert contact["shown"] == SHOWN
    assert "9495550133" not in str(contact)


async def test_a_no_asks_for_another_and_the_form_stays_open() -> None:
    slots = await slots_after(tracker("/deny", "deny"))
    assert slots == {"booking_own_number": "declined", "booking_failures": 0}
    assert (await question(tracker(**slots)))["response"] == "utter_ask_booking_contact"
    # From then on a no is a refusal, which never ends the form.
    assert await slots_after(tracker("no", "deny", **slots)) == {"booking_failures": 0}


@pytest.mark.parametrize(("text", "intent"), [("no, 949-555-0177", "deny"), ("yes but call 949 555 0177", "affirm")])
async def test_another_number_in_the_answer_is_taken(text: str, intent: str) -> None:
    assert (await slots_after(tracker(text, intent)))["booking_contact"]["value"] == "+19495550177"


async def test_the_request_holds_the_number_in_clear(bookings: Bookings) -> None:
    ready = tracker(
        booking_name="Ana Ruiz",
        booking_contact=(await slots_after(tracker("yes", "affirm")))["booking_contact"],
        booking_time={**parse_time("tuesday morning", CLINIC, NOW).model_dump(), "words": "tuesday morning"},
        booking_intention="1",
        booking_status="ready",
    )
    await HandOffBooking(CLINIC, bookings, lambda: NOW).run(CollectingDispatcher(), ready, {})
    (booking,) = bookings.list()
    assert booking.request.contact == parse_contact(NUMBER, CLINIC)


async def test_a_number_that_cannot_be_read_any_more_is_asked_again(bookings: Bookings) -> None:
    sealed = own_number(seal(NUMBER, CONTACT)).model_copy(update={"value": "gAAAA"})
    lost = tracker(
        booking_name="Ana Ruiz",
        booking_contact=sealed.model_dump(),
        booking_time={**parse_time("tuesday morning", CLINIC, NOW).model_dump(), "words": "tuesday morning"},
        booking_intention="1",
        booking_status="ready",
    )
    events = await HandOffBooking(CLINIC, bookings, lambda: NOW).run(CollectingDispatcher(), lost, {})
    assert {"event": "slot", "name": "booking_contact", "value": None, "timestamp": None} in events
    assert bookings.list() == []
    with pytest.raises(InvalidAnswer):
        in_clear(sealed, CLINIC)


def test_it_is_corrected_like_any_other() -> None:
    known = Details(contact=own_number(seal(NUMBER, CONTACT)))
    corrected = correct("my number ends in 34", known, CLINIC, NOW).details.contact
    assert corrected
    assert corrected.value == "+19495550134"


def test_a_conversation_holds_no_number_and_no_foreign_mark() -> None:
    ids = {conversation_id(channel, NUMBER, is_phone=True) for channel in ("sms", "whatsapp")}
    assert len(ids) == 2
    assert not any("5550133" in identifier for identifier in ids)
    assert conversation_id("telegram", "610000001") == "telegram:610000001"
    assert conversation_id("telegram", "-100200.300") == "telegram:-100200.300"
    for strange in ("a b", "x" * 101, "\u0000", "é", ""):
        assert len(conversation_id("slack", strange)) == len("slack:") + 32


def test_another_secret_makes_another_hash_and_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed, before = seal("words", INBOX), conversation_id("sms", NUMBER, is_phone=True)
    monkeypatch.setenv("MESSAGING_SECRET", "another")
    identity._key.cache_clear()
    identity._fernet.cache_clear()
    try:
        assert conversation_id("sms", NUMBER, is_phone=True) != before
        with pytest.raises(Unreadable):
            unseal(sealed, INBOX)
    finally:
        identity._key.cache_clear()
        identity._fernet.cache_clear()
    for broken in ("", "x", "é", sealed[:-5]):
        with pytest.raises(Unreadable):
            unseal(broken, INBOX)
