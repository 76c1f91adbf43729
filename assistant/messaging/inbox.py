"""The inbox: every message of a messaging channel, kept until it is answered, and answered once and in order.

A webhook puts messages in and is done. In the background each server takes up conversations in which something waits,
one server a conversation, and answers their messages in the order in which they were written. What it is about to send
is noted before it is sent: of a server that is killed while a platform takes an answer, nobody can tell whether it was
taken, and it is not sent again.
"""

import asyncio
import json
import logging
import math
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from rasa.core.channels.channel import OutputChannel, UserMessage
from sanic import Sanic
from sqlalchemy.dialects import postgresql, sqlite

from assistant.choices import Button
from assistant.gate import Gate, stated
from assistant.messaging.api import Refused, TryAgain, Unwanted
from assistant.messaging.rendering import Capabilities, Outgoing, outgoing
from assistant.metrics import SEND_FAILURES
from clinic.profile import the_clinic
from service.database import Database, StoreUnavailable, create_all, database_url
from service.queue import Queue, RetryPolicy
from service.sealing import CONTACT, INBOX, Unreadable, seal, unseal

logger = logging.getLogger(__name__)

Wish = Literal["silence", "speech", "speech if silenced"]

# Seconds for which a message waits for those that were written before it and come after it.
SETTLING = 0.2
# Seconds after which another server takes over the conversations of one that was killed.
LEASE = 12.0
# Of sending a message.
RETRIES = RetryPolicy((1, 2, 4, 8, 16, 32, 60))
DAYS_KEPT = 30
_LOOKS_EVERY = 1.0
_SWEEPS_EVERY = 3600.0
_MOST_CONVERSATIONS = 100
_MOST_TURNS = 4
_SECONDS_TO_DRAIN = 15.0
_ID = re.compile(r"[!-~]{1,128}")
_SEQUENCES = 2**63

_metadata = sa.MetaData()
_people = sa.Table(
    "messaging_people",
    _metadata,
    sa.Column("conversation", sa.String(128), primary_key=True),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("is_silenced", sa.Boolean, nullable=False),
    sa.Column("told_at", sa.Float),
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
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("done_at", sa.Float, index=True),
)
_QUEUE = Queue(_people, _people.c.due_at)
_ORDER = (_messages.c.sent_at, _messages.c.sequence, _messages.c.received_at)


@dataclass(frozen=True)
class Incoming:
    """A message of a person, as its connector read it.

    Attributes:
        id: the platform's id of it, at most 128 characters, unique on its channel. The same id again is a duplicate.
        conversation: see `service.sealing.conversation`; what stands before its colon is the channel.
        text: what was typed, or what a button sends back; None for a picture, a voice message and the like.
        intent: what a platform's own button or command means, in place of words: to begin, or to ask for help.
        sent_at: the platform's own time of it, in seconds since 1970; 0 when it tells none.
        sequence: the platform's own order among messages of one time.
        contact: the telephone number it was written from (E.164), which the booking form may offer.
        details: what the connector needs to answer it, such as a chat's id. Encrypted where it is kept, as the text is.
        wish: the person wants nothing sent any more ("silence"), or to be written to again ("speech"). Such a message
            is not answered; one of "speech if silenced" is, as long as no silence was wanted.
        reply: what is said to it instead of the assistant's answer, outside the conversation; plain text.

    Raises:
        ValueError: a database could not keep its id, its time or its place in the order.
    """

    id: str
    conversation: str
    text: str | None
    sent_at: float = 0.0
    sequence: int = 0
    contact: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    wish: Wish | None = None
    reply: str | None = None
    intent: str | None = None

    def __post_init__(self) -> None:
        is_ordered = math.isfinite(self.sent_at) and abs(self.sequence) < _SEQUENCES
        if not _ID.fullmatch(self.id) or not is_ordered:
            raise ValueError("a message has an id, a time or a place in the order that cannot be kept")

    @property
    def channel(self) -> str:
        return self.conversation.partition(":")[0]


class Connector(Protocol):
    """A platform, as the inbox needs it: see `assistant.messaging.base.MessagingChannel`."""

    def capabilities(self, channel: str) -> Capabilities: ...

    async def begin(self, message: Incoming) -> None: ...

    async def send(self, message: Incoming, part: Outgoing) -> None: ...

    async def close(self) -> None: ...


class Inbox:
    """What is waiting on this server's messaging channels, in the database that all servers share."""

    def __init__(
        self,
        database: Database,
        answer: Callable[[UserMessage], Any],
        is_ready: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare an inbox; nothing is connected yet.

        Args:
            answer: takes a message as the gate does, and says what is said through its output channel.
            is_ready: tells whether messages can be answered yet.
        """
        self._database = database
        self._gate = answer
        self._is_ready = is_ready
        self._clock = clock
        self._me = secrets.token_hex(16)
        self._connectors: dict[str, Connector] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(_MOST_TURNS)
        self._woken = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._swept_at = 0.0

    @classmethod
    def of(cls, app: Sanic) -> "Inbox":
        """Return the one inbox of a server, made when it is first asked for."""
        if not hasattr(app.ctx, "inbox"):

            def is_ready() -> bool:
                agent = getattr(app.ctx, "agent", None)
                return agent is not None and agent.is_ready()

            app.ctx.inbox = cls(Database(database_url("conversations")), Gate.of(app), is_ready)
        return app.ctx.inbox

    async def start(self, channels: Sequence[str], connector: Connector) -> None:
        """Answer what comes on these channels through a connector.

        Raises:
            StoreUnavailable: the tables are missing and cannot be made now.
        """
        await self._database.transact(lambda connection: create_all(_metadata, connection))
        self._connectors |= dict.fromkeys(channels, connector)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Finish what is being answered, and leave the rest to other servers or the next start."""
        self._is_stopping = True
        self._woken.set()
        if self._worker:
            await self._worker
            self._worker = None
        if self._running:
            await asyncio.wait(self._running.values(), timeout=_SECONDS_TO_DRAIN)
        for connector in set(self._connectors.values()):
            await connector.close()

    async def take(self, messages: Sequence[Incoming]) -> None:
        """Keep messages to be answered in the background; those taken before are left out.

        Raises:
            StoreUnavailable: the database cannot be written now; none of them is kept.
        """
        if not messages:
            return

        def put(connection: sa.engine.Connection) -> None:
            for message in messages:
                self._put(connection, message)

        await self._database.transact(put)
        self._wake_in(SETTLING)

    def _put(self, connection: sa.engine.Connection, message: Incoming) -> None:
        now = self._clock()
        # The update locks the row, so that all about one person is written one after another.
        _insert_new(connection, _people, conversation=message.conversation, channel=message.channel, is_silenced=False)
        mine = _people.c.conversation == message.conversation
        connection.execute(sa.update(_people).where(mine).values(channel=message.channel))
        person = connection.execute(sa.select(_people.c.is_silenced, _people.c.due_at).where(mine)).one()
        wish = None if message.wish == "speech if silenced" and not person.is_silenced else message.wish
        is_done = wish is not None or person.is_silenced
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
            tries=0,
            done_at=now if is_done else None,
        )
        if is_new and wish:
            connection.execute(sa.update(_people).where(mine).values(is_silenced=wish == "silence"))
        elif is_new and not is_done and person.due_at is None:
            connection.execute(sa.update(_people).where(mine).values(due_at=now + SETTLING))

    async def _work(self) -> None:
        is_away = False
        while not self._is_stopping:
            self._woken.clear()
            try:
                await self._database.transact(self._renew)
                if self._is_ready():
                    for conversation in await self._database.transact(self._claim):
                        self._running[conversation] = asyncio.create_task(self._hold(conversation))
                if self._clock() - self._swept_at > _SWEEPS_EVERY:
                    await self._database.transact(self._sweep)
                    self._swept_at = self._clock()
                is_away = False
            except Exception as error:
                if not is_away:
                    logger.error("The inbox cannot be read: %s.", type(error).__name__)
                is_away = True
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _LOOKS_EVERY)

    def _wake_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._woken.set)

    def _renew(self, connection: sa.engine.Connection) -> None:
        """Keep what is being answered; what was left because of a fault becomes free for anyone."""
        if self._running:
            is_running = _people.c.conversation.in_(list(self._running))
            _QUEUE.renew(connection, self._me, self._clock() + LEASE, is_running)

    def _claim(self, connection: sa.engine.Connection) -> list[str]:
        """Take up conversations in which something is due, as many as there is room for."""
        now = self._clock()
        is_ours = _people.c.channel.in_(self._connectors)
        is_new = _people.c.conversation.not_in(list(self._running))
        room = _MOST_CONVERSATIONS - len(self._running)
        claimed = _QUEUE.claim(connection, self._me, now, now + LEASE, is_ours, is_new, limit=room)
        return [job.conversation for job in claimed]

    async def _hold(self, conversation: str) -> None:
        """Answer what waits in a conversation, then leave it."""
        pause = 0.0
        try:
            while not (pause or self._is_stopping):
                row = await self._database.read(lambda connection: _first(connection, conversation))
                if row is None:
                    break
                try:
                    pause = await self._answer(row)
                except StoreUnavailable:
                    raise
                except Exception as error:
                    # Whatever one message does to the code that answers it, those after it must be answered.
                    self._failed(row.channel, type(error).__name__)
                    await self._end(row)
            await self._database.transact(lambda connection: self._leave(connection, conversation, pause))
        except StoreUnavailable as error:
            # The lease runs out, and whoever takes the conversation up then goes on.
            logger.error("A conversation on %s was left: %s.", conversation.partition(":")[0], error)
        finally:
            self._running.pop(conversation, None)
            self._wake_in(pause)

    def _leave(self, connection: sa.engine.Connection, conversation: str, pause: float) -> None:
        now, this = self._clock(), _people.c.conversation == conversation
        # This locks the row, so that no message comes in between the look and the note that none waits.
        if _QUEUE.renew(connection, self._me, now + LEASE, this):
            due = None if _first(connection, conversation) is None else now + pause
            _QUEUE.release(connection, self._me, this, due_at=due)

    async def _answer(self, row: sa.engine.Row) -> float:
        """Answer one message; return in how many seconds to try again, or 0 when it is done with."""
        try:
            message = Incoming(**json.loads(unseal(row.content, INBOX)))
        except (Unreadable, TypeError, ValueError):
            logger.error("A message on %s cannot be read any more: was MESSAGING_SECRET changed?", row.channel)
            await self._end(row)
            return 0
        connector = self._connectors[message.channel]
        if row.answer is None:
            with suppress(Exception):
                await connector.begin(message)
            parts = outgoing(await self._said(message, connector), connector.capabilities(message.channel))
            await self._note(row, answer=seal(json.dumps([asdict(part) for part in parts]), INBOX))
        else:
            parts = [Outgoing(**part) for part in json.loads(unseal(row.answer, INBOX))]
        first = row.parts_sent
        if row.is_on_its_way:
            self._failed(message.channel, "left in doubt by a server that ended")
            first += 1
        for place, part in enumerate(parts[first:], start=first):
            if await self._is_silenced(message.conversation):
                break
            await self._note(row, is_on_its_way=True)
            try:
                await connector.send(message, part)
            except TryAgain as fault:
                attempts = row.tries + 1
                delay = RETRIES.delay_after(attempts)
                if delay is not None:
                    await self._note(row, is_on_its_way=False, tries=attempts, parts_sent=place)
                    return max(delay, fault.wait)
                self._failed(message.channel, fault.what)
                break
            except Refused as fault:
                self._failed(message.channel, fault.what)
                if isinstance(fault, Unwanted):
                    await self._silence(message.conversation)
                break
            except StoreUnavailable:
                raise
            except Exception as error:
                self._failed(message.channel, type(error).__name__)
                break
            await self._note(row, is_on_its_way=False, parts_sent=place + 1)
        await self._end(row)
        return 0

    async def _said(self, message: Incoming, connector: Connector) -> list[dict[str, Any]]:
        """Pass a message through the gate and return what is said to it."""
        if message.reply is not None:
            return [{"text": message.reply}]
        if (
            message.text is None
            and message.intent is None
            and not await self._database.transact(lambda connection: self._may_tell(connection, message.conversation))
        ):
            return []
        output = _Collected(message.channel, connector.capabilities(message.channel))
        metadata = {"contact": seal(message.contact, CONTACT)} if message.contact else None
        async with self._turns:
            await self._gate(
                UserMessage(
                    message.text or "",
                    output,
                    message.conversation,
                    parse_data=stated(message.intent) if message.intent else None,
                    input_channel=message.channel,
                    message_id=message.id,
                    metadata=metadata,
                )
            )
        return output.said

    def _may_tell(self, connection: sa.engine.Connection, conversation: str) -> bool:
        """Tell, once in a conversation, that it may be said that only text can be read."""
        now = self._clock()
        long_ago = now - the_clinic().session_minutes * 60
        told = sa.update(_people).where(
            _people.c.conversation == conversation,
            sa.or_(_people.c.told_at.is_(None), _people.c.told_at < long_ago),
        )
        return bool(connection.execute(told.values(told_at=now)).rowcount)

    async def _is_silenced(self, conversation: str) -> bool:
        query = sa.select(_people.c.is_silenced).where(_people.c.conversation == conversation)
        return bool(await self._database.read(lambda connection: connection.execute(query).scalar()))

    async def _silence(self, conversation: str) -> None:
        statement = sa.update(_people).where(_people.c.conversation == conversation).values(is_silenced=True)
        await self._database.transact(lambda connection: connection.execute(statement))

    async def _end(self, row: sa.engine.Row) -> None:
        """Be done with a message and forget what stood in it and in its answer; its id is kept."""
        await self._note(row, done_at=self._clock(), is_on_its_way=False, content=None, answer=None)

    async def _note(self, row: sa.engine.Row, **values: Any) -> None:
        """Note how far a message has come.

        Raises:
            StoreUnavailable: it cannot be noted, or the conversation is another server's by now.
        """

        def write(connection: sa.engine.Connection) -> bool:
            until = self._clock() + LEASE
            if not _QUEUE.renew(connection, self._me, until, _people.c.conversation == row.conversation):
                return False
            this = sa.and_(_messages.c.channel == row.channel, _messages.c.id == row.id)
            connection.execute(sa.update(_messages).where(this).values(**values))
            return True

        if not await self._database.transact(write):
            raise StoreUnavailable("another server has taken over")

    def _failed(self, channel: str, what: str) -> None:
        SEND_FAILURES.labels(channel).inc()
        logger.error("An answer on %s was not delivered: %s.", channel, what)

    def _sweep(self, connection: sa.engine.Connection) -> None:
        """Forget the ids of messages answered long ago, and people of whom nothing else is kept."""
        then = self._clock() - DAYS_KEPT * 86_400
        connection.execute(sa.delete(_messages).where(_messages.c.done_at < then))
        has_messages = sa.exists().where(_messages.c.conversation == _people.c.conversation)
        connection.execute(
            sa.delete(_people).where(_people.c.due_at.is_(None), _people.c.is_silenced.is_(False), ~has_messages)
        )


class _Collected(OutputChannel):
    """Collects what is said to one message.

    Attributes:
        said: what Rasa gives to an output channel, in order.
    """

    def __init__(self, channel: str, capabilities: Capabilities) -> None:
        self._channel = channel
        self._capabilities = capabilities
        self.said: list[dict[str, Any]] = []

    def name(self) -> str:
        return self._channel

    def has_numbers(self, buttons: Sequence[Button]) -> bool:
        """Tell the gate whether an offer is shown with numbers here, so that a number typed back is a choice."""
        return self._capabilities.has_numbers(buttons)

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        self.said.append(message)


def _first(connection: sa.engine.Connection, conversation: str) -> sa.engine.Row | None:
    waiting = sa.select(_messages).where(_messages.c.conversation == conversation, _messages.c.done_at.is_(None))
    return connection.execute(waiting.order_by(*_ORDER).limit(1)).first()


def _insert_new(connection: sa.engine.Connection, table: sa.Table, **values: Any) -> bool:
    """Insert a row unless there is one with its key; return whether there was none."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return bool(connection.execute(insert(table).values(**values).on_conflict_do_nothing()).rowcount)
