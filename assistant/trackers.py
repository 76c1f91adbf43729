"""The tracker store: one row a conversation, holding its slots and its last turns."""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar, cast

import sqlalchemy as sa
from rasa.core.agent import Agent
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

from assistant.clinic import ROOT

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

TURNS_KEPT = 12
_LOCK_SECONDS = 2
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
# Any number will do, as long as nothing else in the database takes the same one.
_CREATION_LOCK = 7_360_312

Message = dict[str, Any]


class _Read(NamedTuple):
    """What the running task has read or written last: of which conversation, from when, and how many events."""

    conversation: str
    updated_at: float | None
    events: int


_read: ContextVar[_Read | None] = ContextVar("_read", default=None)


class StoreUnavailable(BaseException):
    """The tracker store cannot be read or written now.

    No `Exception`, since Rasa's FailSafeTrackerStore takes one for an empty conversation and goes on without it.
    """


class ConversationStore(TrackerStore):
    """Keeps each conversation in one row of SQLite or PostgreSQL (`DATABASE_URL`).

    A conversation is cut to its slots, its active form and its last `TURNS_KEPT` turns, so that a turn costs the same
    however long people talk. What another server has written since a task read a conversation is never overwritten:
    `save` raises StoreUnavailable instead. An event broker learns of events once they are written.
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
        self._engine = create_engine(kwargs.get("url") or database_url())
        try:
            with self._engine.begin() as connection:
                create_all(_metadata, connection)
        except sa.exc.SQLAlchemyError as error:
            raise RasaException(
                f"The conversation store cannot be reached at start: {error.__class__.__name__}."
            ) from error

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        query = sa.select(conversations.c.events, conversations.c.updated_at).where(conversations.c.id == sender_id)
        stored = await self._in_thread(lambda connection: connection.execute(query).first())
        if stored is None or self.domain is None:
            _read.set(_Read(sender_id, None, 0))
            return None
        tracker = DialogueStateTracker.from_dict(sender_id, json.loads(stored.events), self.domain.slots)
        _read.set(_Read(sender_id, stored.updated_at, len(tracker.events)))
        return tracker

    async def save(self, tracker: DialogueStateTracker) -> None:
        read = _read.get()
        if read is None or read.conversation != tracker.sender_id:
            await self.retrieve(tracker.sender_id)
            read = cast(_Read, _read.get())
        row = {
            "events": json.dumps([event.as_dict() for event in shortened(tracker)]),
            "updated_at": self._clock(),
        }
        message, said = _latest_turn(tracker)

        def write(connection: sa.engine.Connection) -> None:
            if read.updated_at is None:
                connection.execute(sa.insert(conversations).values(id=tracker.sender_id, **row))
            elif not connection.execute(
                sa.update(conversations)
                .where(conversations.c.id == tracker.sender_id, conversations.c.updated_at == read.updated_at)
                .values(**row)
            ).rowcount:
                raise StoreUnavailable("another server has gone on with the conversation")
            if message:
                turns = _said(connection, tracker.sender_id, message)
                connection.execute(sa.delete(_answers).where(_answers.c.conversation == tracker.sender_id))
                connection.execute(
                    sa.insert(_answers).values(
                        conversation=tracker.sender_id, message=message, said=json.dumps([*turns, said])
                    )
                )

        await self._in_thread(write)
        _read.set(_Read(tracker.sender_id, row["updated_at"], len(tracker.events)))
        if self.event_broker:
            new = list(tracker.events)[read.events :]
            await self._stream_new_events(self.event_broker, new, tracker.sender_id)

    async def said(self, sender_id: str, message: str) -> list[list[Message]]:
        """Return what each turn said to a message, when it is the latest that the conversation has gone through."""
        return await self._in_thread(lambda connection: _said(connection, sender_id, message))

    async def delete(self, sender_id: str) -> None:
        """Forget a conversation altogether."""

        def erase(connection: sa.engine.Connection) -> None:
            connection.execute(sa.delete(conversations).where(conversations.c.id == sender_id))
            connection.execute(sa.delete(_answers).where(_answers.c.conversation == sender_id))

        await self._in_thread(erase)

    async def keys(self) -> Iterable[str]:
        return await self._in_thread(
            lambda connection: connection.execute(sa.select(conversations.c.id)).scalars().all()
        )

    async def _in_thread(self, work: Callable[[sa.engine.Connection], Result]) -> Result:
        return await in_thread(self._engine, work)


def conversation_store(agent: Agent) -> ConversationStore:
    """Return the tracker store that Rasa's agent wraps."""
    store: ConversationStore = getattr(agent.tracker_store, "_tracker_store", agent.tracker_store)
    return store


def create_all(metadata: sa.MetaData, connection: sa.engine.Connection) -> None:
    """Make the tables that are missing; several servers may do so at once."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION_LOCK)))
    metadata.create_all(connection)


def database_url() -> str:
    """Return `DATABASE_URL`, or the URL of the SQLite file of this checkout."""
    default = ROOT / "var" / "conversations.db"
    url = os.environ.get("DATABASE_URL")
    if url is None:
        default.parent.mkdir(exist_ok=True)
    return url or f"sqlite:///{default}"


def create_engine(url: str) -> sa.engine.Engine:
    """Return an engine with a small pool and short time-outs, which keeps parameters out of its errors."""
    if not url.startswith("sqlite"):
        connect = {"connect_timeout": _LOCK_SECONDS}
        return sa.create_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=2, max_overflow=4, connect_args=connect
        )
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": _LOCK_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def _write_ahead_log(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


async def in_thread(engine: sa.engine.Engine, work: Callable[[sa.engine.Connection], Result]) -> Result:
    """Do `work` in one transaction, beside the event loop.

    Raises:
        StoreUnavailable: the database cannot be read or written now.
    """

    def run() -> Result:
        with engine.begin() as connection:
            return work(connection)

    try:
        return await asyncio.to_thread(run)
    except sa.exc.SQLAlchemyError as error:
        raise StoreUnavailable(error.__class__.__name__) from error


def _said(connection: sa.engine.Connection, conversation: str, message: str) -> list[list[Message]]:
    query = sa.select(_answers.c.said).where(_answers.c.conversation == conversation, _answers.c.message == message)
    said = connection.execute(query).scalar()
    return json.loads(said) if said else []


def _latest_turn(tracker: DialogueStateTracker) -> tuple[str | None, list[Message]]:
    """Return the id of the latest message, or None, and what was said since."""
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
    starts = [index for index, event in enumerate(events) if isinstance(event, SessionStarted)]
    return events[max(starts[-1] - 1, 0) :] if starts else events


def _said_at_restart(tracker: DialogueStateTracker) -> list[Event]:
    """Return what the assistant said last when a restart followed it, so that its buttons can be pressed."""
    said: list[Event] = []
    for event in reversed(tracker.events):
        if isinstance(event, UserUttered):
            break
        said.insert(0, event)
    restarts = [index for index, event in enumerate(said) if isinstance(event, Restarted)]
    return [event for event in said[: restarts[-1]] if isinstance(event, BotUttered)] if restarts else []


def shortened(tracker: DialogueStateTracker) -> list[Event]:
    """Return events that leave the tracker as it is, with no more than its last `TURNS_KEPT` turns told in full."""
    events = [*_said_at_restart(tracker), *_session(tracker)]
    turns = [index for index, event in enumerate(events) if isinstance(event, UserUttered)]
    if len(turns) <= TURNS_KEPT:
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
