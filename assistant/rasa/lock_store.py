"""The lock store: one message of a conversation at a time, in the order in which they came."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from rasa.core.lock import TicketLock
from rasa.core.lock_store import LOCK_LIFETIME, LockStore
from rasa.utils.endpoints import EndpointConfig
from redis import asyncio as redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from service.settings import settings

Result = TypeVar("Result")

_POLL_SECONDS = 0.02
# How long a lock outlives the server that held it, or a place in the line the server that waited.
_SECONDS_KEPT = 2.0
_SECONDS_BETWEEN_RENEWALS = 0.5
_SECONDS_FOR_REDIS = 1.0
_SECONDS_TO_LEAVE = 0.4
# Keeps a place in the line of a conversation, joining it first where needed, and drops what stands at its head of
# servers that ended. Returns whether the place is now the first.
_STAND_IN_LINE = """
redis.call('SET', KEYS[1] .. ARGV[1], '', 'PX', ARGV[2])
if not redis.call('LPOS', KEYS[1], ARGV[1]) then redis.call('RPUSH', KEYS[1], ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], 2 * ARGV[2])
while redis.call('EXISTS', KEYS[1] .. redis.call('LINDEX', KEYS[1], 0)) == 0 do redis.call('LPOP', KEYS[1]) end
return redis.call('LINDEX', KEYS[1], 0) == ARGV[1]
"""


class ConversationLocks(LockStore):
    """The locks of all servers in the Redis of `REDIS_URL`, or of this server alone when that is not set."""

    def __init__(self, endpoint_config: EndpointConfig | None = None) -> None:
        url = settings().redis_url
        self._locks: RedisLocks | ProcessLocks = RedisLocks(url) if url else ProcessLocks()

    def lock(
        self,
        conversation_id: str,
        lock_lifetime: float = LOCK_LIFETIME,
        wait_time_in_seconds: float = _POLL_SECONDS,
    ) -> AbstractAsyncContextManager[TicketLock]:
        return self._locks.lock(conversation_id, lock_lifetime, wait_time_in_seconds)


class ProcessLocks:
    """asyncio's `Lock` for each conversation of this process, which goes to those who wait in their order."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def lock(
        self, conversation_id: str, lock_lifetime: float = LOCK_LIFETIME, wait_time_in_seconds: float = _POLL_SECONDS
    ) -> AsyncGenerator[TicketLock, None]:
        """Hold the lock of a conversation for as long as that takes."""
        async with self._locks.setdefault(conversation_id, asyncio.Lock()):
            yield TicketLock(conversation_id)


class RedisLocks:
    """redis-py's `Lock` for each conversation, with a line before it, since that lock alone keeps no order.

    Messages of one server take their turns in the order in which they came to it, those of several servers in the order
    in which they came to Redis. What a server held that was killed is free after `_SECONDS_KEPT`. A lock is lost when
    its server stands still for longer than that, or when Redis restarts empty: then two servers may go through turns of
    one conversation at once, and the tracker store lets only the first of them be written.
    """

    def __init__(self, url: str) -> None:
        """Prepare the locks; nothing is connected yet.

        Args:
            url: such as `redis://:password@host:6379/0`, or `rediss://…` for TLS.
        """
        self._redis: redis.Redis = redis.from_url(
            url, socket_timeout=_SECONDS_FOR_REDIS, socket_connect_timeout=_SECONDS_FOR_REDIS
        )
        self._stand_in_line = self._redis.register_script(_STAND_IN_LINE)
        self._joining: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def lock(
        self, conversation_id: str, lock_lifetime: float, wait_time_in_seconds: float
    ) -> AsyncGenerator[TicketLock, None]:
        """Hold the lock of a conversation, which is renewed for as long as that takes.

        Raises:
            RedisError: Redis cannot be reached, or does not answer within `_SECONDS_FOR_REDIS`.
        """
        line, place = f"line:{conversation_id}:", secrets.token_hex(8)
        lock = self._redis.lock(f"lock:{conversation_id}", timeout=_SECONDS_KEPT, thread_local=False)
        try:
            async with self._joining.setdefault(conversation_id, asyncio.Lock()):
                is_first = await _undisturbed(self._is_first(line, place))
            while not is_first or not await _undisturbed(lock.acquire(blocking=False)):
                await asyncio.sleep(wait_time_in_seconds)
                is_first = await _undisturbed(self._is_first(line, place))
            renewing = asyncio.create_task(_renew(lock))
            try:
                yield TicketLock(conversation_id)
            finally:
                renewing.cancel()
        finally:
            # When this fails, the lock and the place end by themselves.
            with suppress(RedisError, asyncio.TimeoutError):
                await asyncio.wait_for(self._leave(line, place, lock), _SECONDS_TO_LEAVE)

    async def _is_first(self, line: str, place: str) -> bool:
        return bool(await self._stand_in_line(keys=[line], args=[place, int(_SECONDS_KEPT * 1000)]))

    async def _leave(self, line: str, place: str, lock: Lock) -> None:
        with suppress(LockError):
            await lock.release()
        async with self._redis.pipeline() as commands:
            commands.lrem(line, 0, place)
            commands.delete(line + place)
            await commands.execute()


async def _undisturbed(command: Coroutine[Any, Any, Result]) -> Result:
    """Await a command of redis-py, which would take a cancellation at the wrong moment for its own time-out."""
    return await asyncio.shield(asyncio.create_task(command))


async def _renew(lock: Lock) -> None:
    """Keep a lock from ending, until it is lost."""
    with suppress(RedisError):
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_RENEWALS)
            await lock.reacquire()
