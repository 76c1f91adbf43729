"""What other systems learn of conversations, and that conversations do not wait for them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from rasa.core.brokers import broker as rasas
from rasa.shared.core.events import ActionExecuted, ActiveLoop, BotUttered, Event, SlotSet, UserUttered
from rasa.utils.endpoints import EndpointConfig

from assistant.rasa import event_broker as broker
from assistant.rasa.event_broker import EventBroker, without_words
from clinic.profile import ROOT

ENDPOINT = EndpointConfig(type="assistant.rasa.event_broker.EventBroker")
# Long enough not to stand in a time or a digest by chance.
TOLD = ("Ana", "Ruiz", "949-555-0133", "9495550133", "sms:")
CONVERSATION: list[Event] = [
    UserUttered(
        "I am Ana Ruiz, 949-555-0133",
        {"name": "inform", "confidence": 0.9},
        [{"entity": "name", "value": "Ana Ruiz"}],
        input_channel="website",
        metadata={"from": "Ana Ruiz"},
    ),
    ActionExecuted("booking_form", "RulePolicy", 1.0, action_text="Ana Ruiz"),
    ActiveLoop("booking_form"),
    SlotSet("booking_name", "Ana Ruiz"),
    BotUttered(
        "Thank you, Ana Ruiz", {"buttons": [{"title": "Ana Ruiz"}]}, {"utter_action": "utter_thank", "x": "Ruiz"}
    ),
]


def told(event: Event) -> dict[str, Any]:
    return without_words({"sender_id": "sms:+19495550133", **event.as_dict()})


@pytest.mark.parametrize("event", CONVERSATION, ids=lambda event: event.type_name)
def test_no_words_and_nobody_are_told(event: Event) -> None:
    published = json.dumps(told(event))
    assert not [each for each in TOLD if each in published]


def test_what_happened_is_told() -> None:
    user, action, loop, slot, bot = map(told, CONVERSATION)
    assert (user["event"], user["intent"], user["confidence"], user["input_channel"]) == (
        "user",
        "inform",
        0.9,
        "website",
    )
    assert (action["event"], action["name"], action["policy"]) == ("action", "booking_form", "RulePolicy")
    assert (loop["event"], loop["name"]) == ("active_loop", "booking_form")
    assert (slot["event"], slot["name"]) == ("slot", "booking_name")
    assert (bot["event"], bot["response"]) == ("bot", "utter_thank")
    assert all(isinstance(each["timestamp"], float) for each in (user, action, loop, slot, bot))


def test_events_of_one_conversation_can_be_put_together() -> None:
    assert len({told(event)["conversation"] for event in CONVERSATION}) == 1
    other = without_words({"sender_id": "sms:+19495550134", **CONVERSATION[0].as_dict()})
    assert other["conversation"] != told(CONVERSATION[0])["conversation"]


async def test_it_is_off_unless_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENT_BROKER_URL", raising=False)
    assert await rasas.EventBroker.create(ENDPOINT) is None


async def test_a_broker_that_is_away_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(broker, "_SECONDS_BETWEEN_TRIES", 0)
    monkeypatch.setattr(broker, "_MOST_KEPT", 3)
    monkeypatch.setenv("EVENT_BROKER_URL", "amqp://guest:a-password@127.0.0.1:9/")
    events = await rasas.EventBroker.create(ENDPOINT)
    assert isinstance(events, EventBroker)
    for number in range(5):
        events.publish({"sender_id": "website:a", **SlotSet(f"slot-{number}").as_dict()})
    while "Connecting" not in caplog.text:
        await asyncio.sleep(0.01)
    assert [event["name"] for event in events._unpublished_events] == ["slot-2", "slot-3", "slot-4"]
    await events.close()
    assert "a-password" not in caplog.text
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_broker_that_accepts_and_never_answers_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def answer_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("EVENT_BROKER_URL", f"amqp://guest:a-password@127.0.0.1:{port}/")
    before = asyncio.all_tasks()
    events = await rasas.EventBroker.create(ENDPOINT)
    assert isinstance(events, EventBroker)
    await asked.wait()
    await events.close()
    server.close()
    await server.wait_closed()
    assert asyncio.all_tasks() == before


def test_endpoints_name_this_broker() -> None:
    assert (
        "event_broker:\n  type: assistant.rasa.event_broker.EventBroker\n" in (Path(ROOT) / "endpoints.yml").read_text()
    )
