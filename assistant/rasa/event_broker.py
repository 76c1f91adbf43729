"""The event broker: events of conversations for other systems, without anyone's words."""

import asyncio
import logging
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from aio_pika import RobustConnection
from aio_pika.connection import make_url
from rasa.core.brokers.pika import PikaEventBroker
from rasa.utils.endpoints import EndpointConfig

from service.sealing import pseudonym
from service.settings import settings

logger = logging.getLogger(__name__)
_QUEUE = "conversation_events"
_SECONDS_BETWEEN_TRIES = 5
_MOST_KEPT = 10_000
_KEPT_FIELDS = ("event", "timestamp", "name", "policy", "confidence", "input_channel")


class EventBroker(PikaEventBroker):
    """Rasa's broker for RabbitMQ, which publishes to the queue `conversation_events` at `EVENT_BROKER_URL`.

    Conversations do not wait for it: what cannot be published now is kept, the latest `_MOST_KEPT` events of it, until
    RabbitMQ is back.
    """

    def __init__(self, url: str, **settings: Any) -> None:
        """Begin to connect, beside all else.

        Args:
            url: such as `amqp://user:password@host:5672/vhost`, or `amqps://…` for TLS.
        """
        host = urlsplit(url).hostname or ""
        super().__init__(host, username="", password="", queues=[_QUEUE], **settings)
        self._url = url
        self._unpublished_events: deque[dict[str, Any]] = deque(maxlen=_MOST_KEPT)
        self._connecting = self._loop.create_task(self._connect_at_last())

    @classmethod
    async def from_endpoint_config(
        cls, broker_config: EndpointConfig | None, event_loop: asyncio.AbstractEventLoop | None = None
    ) -> "EventBroker | None":
        """Return the broker of `EVENT_BROKER_URL`, or None when that is not set."""
        url = settings().event_broker_url
        if not url:
            return None
        return cls(url, event_loop=asyncio.get_running_loop())

    def publish(self, event: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        """Publish an event without its words."""
        self._unpublished_events.append(without_words(event))
        if self._exchange:
            self._publish_unpublished_messages()

    async def close(self) -> None:
        self._connecting.cancel()
        await asyncio.wait([self._connecting])
        await super().close()

    async def connect(self) -> None:
        """Connect once; nothing is left behind of a try that fails or is given up."""
        try:
            await super().connect()
        except BaseException:
            # Left alone, aio-pika's connection would try again for ever, beside the next one.
            await super().close()
            raise

    async def _connect(self) -> RobustConnection:
        # Rasa's own forgets a connection that is not made yet, so that nobody could end it.
        self._connection = connection = RobustConnection(make_url(self._url), self._loop)
        await connection.connect()
        return connection

    async def _connect_at_last(self) -> None:
        task = asyncio.current_task()
        # Below, the end of this task may be taken for a fault of the connection.
        while not self._exchange and not (task and task.cancelling()):
            try:
                await self.connect()
            except Exception as error:
                logger.error("Connecting to RabbitMQ at '%s' failed: %s", self.host, error)
                await asyncio.sleep(_SECONDS_BETWEEN_TRIES)
        self._publish_unpublished_messages()

    def _publish_unpublished_messages(self, *_: Any, **__: Any) -> None:
        while self._unpublished_events:
            super().publish(self._unpublished_events.popleft())


def without_words(event: dict[str, Any]) -> dict[str, Any]:
    """Return the kind of an event, its conversation, and the intent, action, response or slot that it names."""
    told = {field: event[field] for field in _KEPT_FIELDS if event.get(field) is not None}
    told["conversation"] = pseudonym(str(event.get("sender_id")), "events")
    intent = (event.get("parse_data") or {}).get("intent") or {}
    if intent:
        told |= {"intent": intent.get("name"), "confidence": intent.get("confidence")}
    response = (event.get("metadata") or {}).get("utter_action")
    if response:
        told["response"] = response
    return told
