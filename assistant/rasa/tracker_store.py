"""The tracker store: one row a conversation, holding its slots and its last turns."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

import sqlalchemy as sa
import ujson
from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    BotUttered,
    Event,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import RasaException
from rasa.shared.utils.common import all_subclasses

from assistant.rasa.conversation import Conversation, shared_prefix_length
from service.database import Database, StoreUnavailable, database_url

logger = logging.getLogger(__name__)

TURNS_KEPT = 8
_MOST_TURNS = 2 * TURNS_KEPT
# Of a conversation that nobody goes on with; the website ends its own sooner.
DAYS_KEPT = 30
_SECONDS_BETWEEN_SWEEPS = 3600
_CONVERSATIONS_CACHED = 64
_metadata = sa.MetaData()
conversations = sa.Table(
    "conversations",
    _metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("events", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False, index=True),
)
# What was said to the latest message of a conversation: a list for each of its turns.
_answers = sa.Table(
    "conversation_answers",
    _metadata,
    sa.Column("conversation", sa.String(128), primary_key=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
)
# Made once, as SQLAlchemy takes longer to put a statement together than SQLite to do it.
_SELECT_CONVERSATION = (
    sa.select(conversations.c.events, conversations.c.updated_at, _answers.c.message, _answers.c.said)
    .select_from(conversations.outerjoin(_answers, _answers.c.conversation == conversations.c.id))
    .where(conversations.c.id == sa.bindparam("of"))
)
_INSERT_CONVERSATION = sa.insert(conversations)
_UPDATE_CONVERSATION = (
    sa.update(conversations)
    .where(conversations.c.id == sa.bindparam("of"), conversations.c.updated_at == sa.bindparam("known"))
    .values(events=sa.bindparam("events"), updated_at=sa.bindparam("updated_at"))
)
_INSERT_ANSWER = sa.insert(_answers)
_UPDATE_ANSWER = (
    sa.update(_answers)
    .where(_answers.c.conversation == sa.bindparam("of"))
    .values(message=sa.bindparam("message"), said=sa.bindparam("said"))
)

Message = dict[str, Any]


class Snapshot(NamedTuple):
    """What the running task has read or written last of a conversation; `updated_at` is None when nothing is stored.

    Attributes:
        events: how many events the tracker had then.
        texts: what was written of it, each event with its JSON.
        message: the id of the latest message.
        said: what each of its turns said.
    """

    conversation: str
    updated_at: float | None
    tracker: DialogueStateTracker | None
    events: int
    texts: list[tuple[Event, str]]
    message: str | None
    said: list[list[Message]]

    def is_current(self) -> bool:
        return self.tracker is None or len(self.tracker.events) == self.events


_read: ContextVar[Snapshot | None] = ContextVar("_read", default=None)
_reads_once: ContextVar[bool] = ContextVar("_reads_once", default=False)
# Rasa's `Event.from_parameters` goes through all classes of events for each event.
_EVENT_TYPES: dict[str, type[Event]] = {kind.type_name: kind for kind in all_subclasses(Event)}


class ConversationStore(TrackerStore):
    """Keeps each conversation in one row of SQLite or PostgreSQL (`DATABASE_URL`).

    A conversation is cut to its slots, its active form and its last `TURNS_KEPT` turns each time it has grown to twice
    as many, so that a turn costs the same however long people talk. What was saved last is kept at hand, and gone on
    with as long as the database holds the same. What another server has written since a task read a conversation is
    never overwritten: `save` raises StoreUnavailable instead. An event broker learns of events once they are written.
    """

    def __init__(
        self,
        domain: Domain | None = None,
        event_broker: EventBroker | None = None,
        clock: Callable[[], float] = time.time,
        **kwargs: Any,
    ) -> None:
        super().__init__(domain, event_broker)
        self._clock = clock
        # Those that were left longest ago come first.
        self._cache: dict[str, Snapshot] = {}
        self._swept_at = 0.0
        self._database = Database(kwargs.get("url") or database_url("conversations"))
        try:
            self._database.create_all(_metadata)
        except StoreUnavailable as error:
            raise RasaException(f"The conversation store cannot be reached at start: {error}.") from error

    def init_tracker(self, sender_id: str) -> DialogueStateTracker:
        """Return the tracker that a conversation begins with."""
        return Conversation(sender_id, self.domain.slots, self.max_event_history)

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        return (await self._load(sender_id)).tracker

    async def save(self, tracker: DialogueStateTracker) -> None:
        if not tracker.events:
            # Rasa saves what has not begun, too.
            return
        read = _read.get()
        if read is None or read.conversation != tracker.sender_id:
            read = await self._load(tracker.sender_id)
        updated_at = self._clock()
        texts = _texts(shortened(tracker), read.texts)
        row = {"events": f"[{','.join(text for _, text in texts)}]", "updated_at": updated_at}
        message, words = _latest_turn(tracker)
        said = [*(read.said if read.message == message else []), words]
        answer = {"message": message, "said": ujson.dumps(said)}

        def write(connection: sa.engine.Connection) -> None:
            of = {"of": tracker.sender_id}
            if read.updated_at is None:
                connection.execute(_INSERT_CONVERSATION, {"id": tracker.sender_id, **row})
            elif not connection.execute(_UPDATE_CONVERSATION, {**of, "known": read.updated_at, **row}).rowcount:
                raise StoreUnavailable("another server has gone on with the conversation")
            if message and not connection.execute(_UPDATE_ANSWER, {**of, **answer}).rowcount:
                connection.execute(_INSERT_ANSWER, {"conversation": tracker.sender_id, **answer})

        await self._database.transact(write)
        await self._sweep()
        written = Snapshot(tracker.sender_id, updated_at, tracker, len(tracker.events), texts, message, said)
        _read.set(written)
        if isinstance(tracker, Conversation) and len(texts) == written.events:
            self._cache_snapshot(written)
        if self.event_broker:
            new = list(tracker.events)[read.events :]
            await self._stream_new_events(self.event_broker, new, tracker.sender_id)

    async def _sweep(self) -> None:
        """Delete conversations that were left `DAYS_KEPT` days ago, at most once an hour."""
        now = self._clock()
        if now - self._swept_at < _SECONDS_BETWEEN_SWEEPS:
            return
        self._swept_at = now
        is_old = conversations.c.updated_at < now - DAYS_KEPT * 86_400
        old = sa.select(conversations.c.id).where(is_old)

        def erase(connection: sa.engine.Connection) -> None:
            connection.execute(sa.delete(_answers).where(_answers.c.conversation.in_(old)))
            connection.execute(sa.delete(conversations).where(is_old))

        # The turn is written by now, and the next sweep is in an hour.
        with suppress(StoreUnavailable):
            await self._database.transact(erase)

    async def said(self, sender_id: str, message: str) -> list[list[Message]]:
        """Return each turn's answer to a message, when it is the latest of the conversation; else nothing."""
        read = await self._load(sender_id)
        return read.said if read.message == message else []

    async def delete(self, sender_id: str) -> None:
        """Forget a conversation altogether."""

        def erase(connection: sa.engine.Connection) -> None:
            connection.execute(sa.delete(conversations).where(conversations.c.id == sender_id))
            connection.execute(sa.delete(_answers).where(_answers.c.conversation == sender_id))

        self._cache.pop(sender_id, None)
        await self._database.transact(erase)
        _read.set(None)

    async def keys(self) -> Iterable[str]:
        return await self._database.read(
            lambda connection: connection.execute(sa.select(conversations.c.id)).scalars().all()
        )

    async def _load(self, sender_id: str) -> Snapshot:
        read = _read.get()
        if read and _reads_once.get() and read.conversation == sender_id and read.is_current():
            return read
        of = {"of": sender_id}
        stored = await self._database.read(lambda connection: connection.execute(_SELECT_CONVERSATION, of).first())
        cached = self._cache.pop(sender_id, None)
        if stored is None or self.domain is None:
            read = Snapshot(sender_id, None, None, 0, [], None, [])
        elif cached and cached.updated_at == stored.updated_at and cached.is_current():
            read = cached
        else:
            events = [_event(event) for event in ujson.loads(stored.events)]
            tracker = Conversation.from_events(sender_id, events, self.domain.slots)
            said = ujson.loads(stored.said) if stored.said else []
            read = Snapshot(sender_id, stored.updated_at, tracker, len(events), [], stored.message, said)
        _read.set(read)
        return read

    def _cache_snapshot(self, written: Snapshot) -> None:
        self._cache.pop(written.conversation, None)
        self._cache[written.conversation] = written
        if len(self._cache) > _CONVERSATIONS_CACHED:
            del self._cache[next(iter(self._cache))]


@asynccontextmanager
async def reading_once() -> AsyncIterator[None]:
    """Let this task read a conversation once, and go on with its own copy.

    What another server writes in the meantime is noticed when the conversation is saved.
    """
    token = _reads_once.set(True)
    try:
        yield
    finally:
        _reads_once.reset(token)


def _event(parameters: dict[str, Any]) -> Event:
    event: Event = _EVENT_TYPES[parameters["event"]]._from_parameters(parameters)
    return event


def _texts(events: list[Event], written: list[tuple[Event, str]]) -> list[tuple[Event, str]]:
    """Return each event with its JSON, which is known of those that were written before."""
    known = written[: shared_prefix_length(events, [event for event, _ in written])]
    return known + [(event, ujson.dumps(event.as_dict())) for event in events[len(known) :]]


def _latest_turn(tracker: DialogueStateTracker) -> tuple[str | None, list[Message]]:
    """Return the id of the latest message, or None, and the answers since."""
    said: list[Message] = []
    for event in reversed(tracker.events):
        if isinstance(event, UserUttered):
            return event.message_id, said
        if isinstance(event, BotUttered):
            said.insert(0, event.message())
    return None, said


def _session(tracker: DialogueStateTracker) -> list[Event]:
    """Return the events since the latest restart or start of a session.

    Rasa's own `applied_events` would leave out what was said while a form was open.
    """
    events = list(tracker.events_after_latest_restart())
    starts = [index for index, event in enumerate(events) if type(event) is SessionStarted]
    return events[max(starts[-1] - 1, 0) :] if starts else events


def _said_at_restart(tracker: DialogueStateTracker) -> list[Event]:
    """Return the last answer when a restart followed it, so that its buttons can be pressed."""
    said: list[Event] = []
    for event in reversed(tracker.events):
        if isinstance(event, UserUttered):
            break
        said.insert(0, event)
    restarts = [index for index, event in enumerate(said) if isinstance(event, Restarted)]
    return [event for event in said[: restarts[-1]] if isinstance(event, BotUttered)] if restarts else []


def shortened(tracker: DialogueStateTracker) -> list[Event]:
    """Return events that leave the tracker as it is: `_MOST_TURNS` turns, or a summary and `TURNS_KEPT` of them."""
    events = [*_said_at_restart(tracker), *_session(tracker)]
    turns = [index for index, event in enumerate(events) if type(event) is UserUttered]
    if len(turns) <= _MOST_TURNS:
        return events
    cut = turns[-TURNS_KEPT]
    before = DialogueStateTracker.from_events(tracker.sender_id, events[:cut], list(tracker.slots.values()))
    moment = events[cut].timestamp
    summary: list[Event] = [ActionExecuted("action_session_start", timestamp=moment), SessionStarted(timestamp=moment)]
    summary += [
        SlotSet(name, slot.value, timestamp=moment)
        for name, slot in before.slots.items()
        if slot.value != slot.initial_value
    ]
    if before.active_loop:
        summary.append(ActiveLoop(before.active_loop.name, timestamp=moment))
        # The requested slot is set again after the loop, as activating a loop may reset it.
        summary.append(SlotSet("requested_slot", before.get_slot("requested_slot"), timestamp=moment))
    summary.append(ActionExecuted("action_listen", timestamp=moment))
    return summary + events[cut:]
