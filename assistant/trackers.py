"""The tracker store: one row a conversation, holding its slots and its last turns."""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import sqlalchemy as sa
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


class StoreUnavailable(BaseException):
    """The tracker store cannot be read or written now.

    No `Exception`, since Rasa's FailSafeTrackerStore takes one for an empty conversation and goes on without it.
    """


class ConversationStore(TrackerStore):
    """Keeps each conversation in one row of SQLite or PostgreSQL (`DATABASE_URL`).

    A conversation is cut to its slots, its active form and its last `TURNS_KEPT` turns, so that a turn costs the same
    however long people talk.
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
            _metadata.create_all(self._engine)
        except sa.exc.SQLAlchemyError as error:
            raise RasaException(
                f"The conversation store cannot be reached at start: {error.__class__.__name__}."
            ) from error

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        query = sa.select(conversations.c.events).where(conversations.c.id == sender_id)
        stored = await self._in_thread(lambda connection: connection.execute(query).scalar())
        if stored is None or self.domain is None:
            return None
        return DialogueStateTracker.from_dict(sender_id, json.loads(stored), self.domain.slots)

    async def save(self, tracker: DialogueStateTracker) -> None:
        await self.stream_events(tracker)
        row = {
            "events": json.dumps([event.as_dict() for event in shortened(tracker)]),
            "updated_at": self._clock(),
        }

        def write(connection: sa.engine.Connection) -> None:
            changed = connection.execute(
                sa.update(conversations).where(conversations.c.id == tracker.sender_id).values(**row)
            )
            if not changed.rowcount:
                connection.execute(sa.insert(conversations).values(id=tracker.sender_id, **row))

        await self._in_thread(write)

    async def delete(self, sender_id: str) -> None:
        """Forget a conversation altogether."""
        statement = sa.delete(conversations).where(conversations.c.id == sender_id)
        await self._in_thread(lambda connection: connection.execute(statement))

    async def keys(self) -> Iterable[str]:
        return await self._in_thread(
            lambda connection: connection.execute(sa.select(conversations.c.id)).scalars().all()
        )

    async def _in_thread(self, work: Callable[[sa.engine.Connection], Result]) -> Result:
        return await in_thread(self._engine, work)


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
