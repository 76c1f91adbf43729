"""EventBroker come to a real RabbitMQ, also those of a time when it was away."""

import asyncio
from collections.abc import Iterator

import pytest
from rasa.core.brokers.broker import EventBroker
from rasa.shared.core.events import SlotSet
from rasa.utils.endpoints import EndpointConfig

from assistant.rasa import event_broker as broker
from tests.scale.rabbitmq import RabbitMQ
from tests.support.packages import PackageUnavailable, do_without


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    try:
        server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    except PackageUnavailable as error:
        do_without(error)
    server.start()
    yield server
    server.kill()


async def test_events_are_published_once_and_in_order_also_after_it_was_away(
    rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "_SECONDS_BETWEEN_TRIES", 0.2)
    monkeypatch.setenv("EVENT_BROKER_URL", rabbitmq.amqp_url)
    await asyncio.to_thread(rabbitmq.kill)
    events = await EventBroker.create(EndpointConfig(type="assistant.rasa.event_broker.EventBroker"))
    assert isinstance(events, broker.EventBroker)

    def publish(number: int) -> None:
        events.publish({"sender_id": "website:ana", **SlotSet(f"slot-{number}", "Ana Ruiz").as_dict()})

    for number in range(5):
        publish(number)
    await asyncio.to_thread(rabbitmq.start)
    taken = await rabbitmq.take("conversation_events", 5)
    for number in range(5, 8):
        publish(number)
    taken += await rabbitmq.take("conversation_events", 3)
    assert [event["name"] for event in taken] == [f"slot-{number}" for number in range(8)]
    assert not [event for event in taken if "Ruiz" in str(event)]
    await events.close()
