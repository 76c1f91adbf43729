"""The inbox: every message of a messaging channel, kept until it is answered, in the database that all servers share.

A conversation in which a message waits is a job of the queue, which one server at a time works on
(`assistant/messaging/worker.py`). What is about to be sent is noted before it is sent: of a server that is killed while
a platform takes an answer, nobody can tell whether it was taken, and it is not sent again.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from assistant.messaging.incoming import Incoming
from clinic.profile import the_clinic
from service.database import Database, StoreUnavailable
from service.queue import Queue
from service.sealing import INBOX, seal

# Seconds for which a message waits for those that were written before it and come after it.
SETTLING = 0.2
# Seconds after which another server takes over the conversations of one that was killed.
LEASE = 12.0
DAYS_KEPT = 30

_metadata = sa.MetaData()
_people = sa.Table(
    "messaging_people",
    _metadata,
    sa.Column("conversation", sa.String(128), primary_key=True),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("is_silenced", sa.Boolean, key="has_opted_out", nullable=False),
    sa.Column("told_at", sa.Float, key="text_only_notice_at"),
    sa.Column("due_at", sa.Float, index=True),
    sa.Column("lease", sa.String(32), index=True),
    sa.Column("leased_until", sa.Float),
)
_messages = sa.Table(
    "messaging_inbox",
    _metadata,
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("conversation", sa.String(128), nullable=False, index=True),
    sa.Column("sent_at", sa.Float, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("content", sa.Text),
    sa.Column("answer", sa.Text),
    sa.Column("parts_sent", sa.Integer, nullable=False),
    sa.Column("is_on_its_way", sa.Boolean, nullable=False),
    sa.Column("tries", sa.Integer, key="attempts", nullable=False),
    sa.Column("done_at", sa.Float, index=True),
)
_QUEUE = Queue(_people, _people.c.due_at)
_ORDER = (_messages.c.sent_at, _messages.c.sequence, _messages.c.received_at)


class Inbox:
    """The messages that wait, and the people who wrote them, as one server works on them.

    Every method raises StoreUnavailable when the database cannot be read or written now.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Prepare an inbox; nothing is connected yet."""
        self._database = database
        self._clock = clock
        self._me = secrets.token_hex(16)

    async def prepare(self) -> None:
        """Make the tables that are missing."""
        await asyncio.to_thread(self._database.create_all, _metadata)

    async def take(self, messages: Sequence[Incoming]) -> None:
        """Keep messages to be answered; those taken before are left out, and of several either all are kept or none."""

        def put(connection: sa.engine.Connection) -> None:
            for message in messages:
                self._put(connection, message)

        await self._database.transact(put)

    async def renew(self, conversations: Collection[str]) -> None:
        """Keep conversations that are being answered; others become free for anyone, also after a fault."""
        if conversations:
            these = _people.c.conversation.in_(list(conversations))
            until = self._clock() + LEASE
            await self._database.transact(lambda connection: _QUEUE.renew(connection, self._me, until, these))

    async def claim(self, channels: Collection[str], running: Collection[str], most: int) -> list[str]:
        """Take up conversations in which something is due, and return them.

        Args:
            channels: those that this server can answer on.
            running: conversations that it works on already.
        """
        now = self._clock()
        is_ours = _people.c.channel.in_(list(channels))
        is_new = _people.c.conversation.not_in(list(running))
        claimed = await self._database.transact(
            lambda connection: _QUEUE.claim(connection, self._me, now, now + LEASE, is_ours, is_new, limit=most)
        )
        return [job.conversation for job in claimed]

    async def first(self, conversation: str) -> sa.engine.Row | None:
        """Return the first message that waits in a conversation, or None."""
        return await self._database.read(lambda connection: _first(connection, conversation))

    async def leave(self, conversation: str, pause: float) -> None:
        """End the lease of a conversation; a message that still waits in it is due after a pause of so many seconds."""
        now, this = self._clock(), _people.c.conversation == conversation

        def write(connection: sa.engine.Connection) -> None:
            # This locks the row, so that no message comes in between the look and the note that none waits.
            if _QUEUE.renew(connection, self._me, now + LEASE, this):
                due = None if _first(connection, conversation) is None else now + pause
                _QUEUE.release(connection, self._me, this, due_at=due)

        await self._database.transact(write)

    async def note(self, row: sa.engine.Row, **values: Any) -> None:
        """Note how far a message has come.

        Raises:
            StoreUnavailable: it cannot be noted, or the conversation is another server's by now.
        """
        until = self._clock() + LEASE

        def write(connection: sa.engine.Connection) -> bool:
            if not _QUEUE.renew(connection, self._me, until, _people.c.conversation == row.conversation):
                return False
            this = sa.and_(_messages.c.channel == row.channel, _messages.c.id == row.id)
            connection.execute(sa.update(_messages).where(this).values(**values))
            return True

        if not await self._database.transact(write):
            raise StoreUnavailable("another server has taken over")

    async def end(self, row: sa.engine.Row) -> None:
        """Be done with a message and delete its text and its answer; its id is kept."""
        await self.note(row, done_at=self._clock(), is_on_its_way=False, content=None, answer=None)

    async def has_opted_out(self, conversation: str) -> bool:
        """Tell whether a person wants no messages any more."""
        query = sa.select(_people.c.has_opted_out).where(_people.c.conversation == conversation)
        return bool(await self._database.read(lambda connection: connection.execute(query).scalar()))

    async def opt_out(self, conversation: str) -> None:
        """Send a person nothing any more, until they ask for it."""
        statement = sa.update(_people).where(_people.c.conversation == conversation).values(has_opted_out=True)
        await self._database.transact(lambda connection: connection.execute(statement))

    async def take_text_only_notice(self, conversation: str) -> bool:
        """Tell, once in a conversation, that it may be said that only text can be read."""
        now = self._clock()
        long_ago = now - the_clinic().session_minutes * 60
        notice = sa.update(_people).where(
            _people.c.conversation == conversation,
            sa.or_(_people.c.text_only_notice_at.is_(None), _people.c.text_only_notice_at < long_ago),
        )
        return await self._database.transact(
            lambda connection: bool(connection.execute(notice.values(text_only_notice_at=now)).rowcount)
        )

    async def sweep(self) -> None:
        """Forget the ids of messages answered long ago, and people of whom nothing else is kept."""
        then = self._clock() - DAYS_KEPT * 86_400
        has_messages = sa.exists().where(_messages.c.conversation == _people.c.conversation)
        is_over = sa.and_(_people.c.due_at.is_(None), _people.c.has_opted_out.is_(False), ~has_messages)

        def write(connection: sa.engine.Connection) -> None:
            connection.execute(sa.delete(_messages).where(_messages.c.done_at < then))
            connection.execute(sa.delete(_people).where(is_over))

        await self._database.transact(write)

    def _put(self, connection: sa.engine.Connection, message: Incoming) -> None:
        now = self._clock()
        # The update locks the row, so that all about one person is written one after another.
        _insert_new(
            connection, _people, conversation=message.conversation, channel=message.channel, has_opted_out=False
        )
        mine = _people.c.conversation == message.conversation
        connection.execute(sa.update(_people).where(mine).values(channel=message.channel))
        person = connection.execute(sa.select(_people.c.has_opted_out, _people.c.due_at).where(mine)).one()
        consent = None if message.consent == "opt_in_if_opted_out" and not person.has_opted_out else message.consent
        is_done = consent is not None or person.has_opted_out
        is_new = _insert_new(
            connection,
            _messages,
            channel=message.channel,
            id=message.id,
            conversation=message.conversation,
            sent_at=message.sent_at or now,
            sequence=message.sequence,
            received_at=now,
            content=None if is_done else seal(json.dumps(asdict(message)), INBOX),
            parts_sent=0,
            is_on_its_way=False,
            attempts=0,
            done_at=now if is_done else None,
        )
        if is_new and consent:
            connection.execute(sa.update(_people).where(mine).values(has_opted_out=consent == "opt_out"))
        elif is_new and not is_done and person.due_at is None:
            connection.execute(sa.update(_people).where(mine).values(due_at=now + SETTLING))


def _first(connection: sa.engine.Connection, conversation: str) -> sa.engine.Row | None:
    waiting = sa.select(_messages).where(_messages.c.conversation == conversation, _messages.c.done_at.is_(None))
    return connection.execute(waiting.order_by(*_ORDER).limit(1)).first()


def _insert_new(connection: sa.engine.Connection, table: sa.Table, **values: Any) -> bool:
    """Insert a row unless there is one with its key; return whether there was none."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return bool(connection.execute(insert(table).values(**values).on_conflict_do_nothing()).rowcount)
