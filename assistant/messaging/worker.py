"""The worker of the messaging channels: it answers the messages of the inbox, once and in order.

A webhook puts messages in and is done. In the background each server takes up conversations in which something waits,
one server a conversation, and answers their messages in the order in which they were written.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Protocol

import sqlalchemy as sa
from rasa.core.channels.channel import OutputChannel, UserMessage
from sanic import Sanic

from assistant.choices import Button
from assistant.gate import Gate, stated
from assistant.messaging.api import Refused, TryAgain, Unwanted
from assistant.messaging.inbox import SETTLING, Inbox
from assistant.messaging.incoming import Incoming
from assistant.messaging.rendering import Capabilities, Outgoing, outgoing
from assistant.metrics import SEND_FAILURES
from service.database import Database, StoreUnavailable, database_url
from service.queue import RetryPolicy
from service.sealing import CONTACT, INBOX, Unreadable, seal, unseal

logger = logging.getLogger(__name__)

# Of sending a message.
RETRIES = RetryPolicy((1, 2, 4, 8, 16, 32, 60))
_LOOKS_EVERY = 1.0
_SWEEPS_EVERY = 3600.0
_MOST_CONVERSATIONS = 100
_MOST_TURNS = 4
_SECONDS_TO_DRAIN = 15.0


class Connector(Protocol):
    """A platform, as the worker needs it: see `assistant.messaging.base.MessagingChannel`."""

    def capabilities(self, channel: str) -> Capabilities: ...

    async def begin(self, message: Incoming) -> None: ...

    async def send(self, message: Incoming, part: Outgoing) -> None: ...

    async def close(self) -> None: ...


class Worker:
    """What answers the messages that wait on this server's messaging channels."""

    def __init__(
        self,
        inbox: Inbox,
        answer: Callable[[UserMessage], Any],
        is_ready: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare a worker; nothing is connected yet.

        Args:
            answer: takes a message as the gate does, and says what is said through its output channel.
            is_ready: tells whether messages can be answered yet.
        """
        self._inbox = inbox
        self._gate = answer
        self._is_ready = is_ready
        self._clock = clock
        self._connectors: dict[str, Connector] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(_MOST_TURNS)
        self._woken = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._swept_at = 0.0

    @classmethod
    def of(cls, app: Sanic) -> "Worker":
        """Return the one worker of a server, made when it is first asked for."""
        if not hasattr(app.ctx, "messaging"):

            def is_ready() -> bool:
                agent = getattr(app.ctx, "agent", None)
                return agent is not None and agent.is_ready()

            app.ctx.messaging = cls(Inbox(Database(database_url("conversations"))), Gate.of(app), is_ready)
        return app.ctx.messaging

    async def start(self, channels: Sequence[str], connector: Connector) -> None:
        """Answer the messages of these channels through a connector.

        Raises:
            StoreUnavailable: the tables are missing and cannot be made now.
        """
        await self._inbox.prepare()
        self._connectors |= dict.fromkeys(channels, connector)
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Finish the answers that have begun, and leave the rest to other servers or the next start."""
        self._is_stopping = True
        self._woken.set()
        if self._working:
            await self._working
            self._working = None
        if self._running:
            await asyncio.wait(self._running.values(), timeout=_SECONDS_TO_DRAIN)
        for connector in set(self._connectors.values()):
            await connector.close()

    async def take(self, messages: Sequence[Incoming]) -> None:
        """Keep messages to be answered in the background; those taken before are left out.

        Raises:
            StoreUnavailable: the database cannot be written now; none of them is kept.
        """
        if messages:
            await self._inbox.take(messages)
            self._wake_in(SETTLING)

    async def _work(self) -> None:
        is_away = False
        while not self._is_stopping:
            self._woken.clear()
            try:
                await self._look()
                is_away = False
            except Exception as error:
                if not is_away:
                    logger.error("The inbox cannot be read: %s.", type(error).__name__)
                is_away = True
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _LOOKS_EVERY)

    async def _look(self) -> None:
        """Take up conversations in which something is due, as many as there is room for."""
        await self._inbox.renew(self._running)
        if self._is_ready():
            room = _MOST_CONVERSATIONS - len(self._running)
            for conversation in await self._inbox.claim(self._connectors, self._running, room):
                self._running[conversation] = asyncio.create_task(self._hold(conversation))
        if self._clock() - self._swept_at > _SWEEPS_EVERY:
            await self._inbox.sweep()
            self._swept_at = self._clock()

    def _wake_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._woken.set)

    async def _hold(self, conversation: str) -> None:
        """Answer the messages that wait in a conversation, then leave it."""
        pause = 0.0
        try:
            while not (pause or self._is_stopping):
                row = await self._inbox.first(conversation)
                if row is None:
                    break
                try:
                    pause = await self._answer(row)
                except StoreUnavailable:
                    raise
                except Exception as error:
                    # Whatever one message does to the code that answers it, those after it must be answered.
                    self._failed(row.channel, type(error).__name__)
                    await self._inbox.end(row)
            await self._inbox.leave(conversation, pause)
        except StoreUnavailable as error:
            # The lease runs out, and whoever takes the conversation up then goes on.
            logger.error("A conversation on %s was left: %s.", conversation.partition(":")[0], error)
        finally:
            self._running.pop(conversation, None)
            self._wake_in(pause)

    async def _answer(self, row: sa.engine.Row) -> float:
        """Answer one message; return in how many seconds to try again, or 0 when it is done with."""
        try:
            message = Incoming.of(json.loads(unseal(row.content, INBOX)))
        except (Unreadable, TypeError, ValueError):
            logger.error("A message on %s cannot be read any more: was MESSAGING_SECRET changed?", row.channel)
            await self._inbox.end(row)
            return 0
        connector = self._connectors[message.channel]
        if row.answer is None:
            with suppress(Exception):
                await connector.begin(message)
            parts = outgoing(await self._said(message, connector), connector.capabilities(message.channel))
            await self._inbox.note(row, answer=seal(json.dumps([asdict(part) for part in parts]), INBOX))
        else:
            parts = [Outgoing(**part) for part in json.loads(unseal(row.answer, INBOX))]
        first = row.parts_sent
        if row.is_on_its_way:
            self._failed(message.channel, "left in doubt by a server that ended")
            first += 1
        for place, part in enumerate(parts[first:], start=first):
            if await self._inbox.has_opted_out(message.conversation):
                break
            await self._inbox.note(row, is_on_its_way=True)
            try:
                await connector.send(message, part)
            except TryAgain as fault:
                attempts = row.attempts + 1
                delay = RETRIES.delay_after(attempts)
                if delay is not None:
                    await self._inbox.note(row, is_on_its_way=False, attempts=attempts, parts_sent=place)
                    return max(delay, fault.wait)
                self._failed(message.channel, fault.what)
                break
            except Refused as fault:
                self._failed(message.channel, fault.what)
                if isinstance(fault, Unwanted):
                    await self._inbox.opt_out(message.conversation)
                break
            except StoreUnavailable:
                raise
            except Exception as error:
                self._failed(message.channel, type(error).__name__)
                break
            await self._inbox.note(row, is_on_its_way=False, parts_sent=place + 1)
        await self._inbox.end(row)
        return 0

    async def _said(self, message: Incoming, connector: Connector) -> list[dict[str, Any]]:
        """Pass a message through the gate and return its answer."""
        if message.reply is not None:
            return [{"text": message.reply}]
        if (
            message.text is None
            and message.intent is None
            and not (await self._inbox.take_text_only_notice(message.conversation))
        ):
            return []
        output = CollectingOutput(message.channel, connector.capabilities(message.channel))
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

    def _failed(self, channel: str, what: str) -> None:
        SEND_FAILURES.labels(channel).inc()
        logger.error("An answer on %s was not delivered: %s.", channel, what)


class CollectingOutput(OutputChannel):
    """Collects the answer to one message.

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
