"""The limits on how often, how much at once and how large: rates, counts and capped bodies."""

import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar, cast

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from sanic import Request
from sanic.http import Http

from service.sealing import pseudonym
from service.settings import settings

Result = TypeVar("Result")

_KEYS_KEPT = 20_000
_SECONDS_FOR_REDIS = 0.25
# After a fault of Redis, limits are this server's own for so long.
_SECONDS_WITHOUT_REDIS = 5.0


class TooMany(Exception):
    """A limit was passed; `seconds` (at least 1) tells when to try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = max(1, math.ceil(seconds))


class Counters:
    """The counters of rate limits: those of all servers in the Redis of `REDIS_URL`, or of this server alone.

    When Redis does not answer, this server counts by itself until it does. At most `_KEYS_KEPT` keys are kept here.
    """

    def __init__(self, redis_url: str | None) -> None:
        """Prepare the counters; nothing is connected yet."""
        self._memory = MemoryStorage()
        self._here = SlidingWindowCounterRateLimiter(self._memory)
        self._shared: SlidingWindowCounterRateLimiter | None = None
        self._shared_from = 0.0
        if redis_url:
            waits: dict[str, Any] = {"socket_timeout": _SECONDS_FOR_REDIS, "socket_connect_timeout": _SECONDS_FOR_REDIS}
            redis = RedisStorage(f"async+{redis_url}", wrap_exceptions=True, implementation="redispy", **waits)
            self._shared = SlidingWindowCounterRateLimiter(redis)

    async def ask(self, question: Callable[[SlidingWindowCounterRateLimiter], Awaitable[Result]]) -> Result:
        """Return the answer of the shared limiter, or of this server's own where the shared one is away."""
        if self._shared and time.monotonic() >= self._shared_from:
            try:
                return await question(self._shared)
            except StorageError:
                self._shared_from = time.monotonic() + _SECONDS_WITHOUT_REDIS
        if len(self._memory.storage) > _KEYS_KEPT:
            await self._memory.reset()
        return await question(self._here)


@lru_cache
def the_counters() -> Counters:
    """Return the counters of this process."""
    return Counters(settings().redis_url)


class Rate:
    """Lets each key do `burst` things at once and `per_minute` in the long run, by the counters of all servers.

    This is a sliding window in which `burst` things fit, as long as `per_minute` takes for them.
    """

    def __init__(self, name: str, burst: float, per_minute: float, counters: Counters | None = None) -> None:
        """Describe a limit.

        Args:
            name: tells this limit from others in the same counters.
            counters: `the_counters()` unless given.
        """
        self._name = name
        self._limit = RateLimitItemPerSecond(int(burst), max(1, round(60 * burst / per_minute)))
        self._counters = counters or the_counters()

    async def take(self, key: str) -> None:
        """Count one thing for a key.

        Raises:
            TooMany: the key has used up what it may do.
        """
        await self._ask(key, lambda limiter, hashed: limiter.hit(self._limit, self._name, hashed))

    async def check(self, key: str) -> None:
        """Count nothing, and raise TooMany where `take` would."""
        await self._ask(key, lambda limiter, hashed: limiter.test(self._limit, self._name, hashed))

    async def _ask(self, key: str, may: Callable[[SlidingWindowCounterRateLimiter, str], Awaitable[bool]]) -> None:
        # An address is personal data, and Redis may be anywhere.
        hashed = pseudonym(key, "limits")

        async def seconds_to_wait(limiter: SlidingWindowCounterRateLimiter) -> float | None:
            if await may(limiter, hashed):
                return None
            stats = await limiter.get_window_stats(self._limit, self._name, hashed)
            return stats.reset_time - time.time()

        seconds = await self._counters.ask(seconds_to_wait)
        if seconds is not None:
            raise TooMany(seconds)


class ConcurrencyLimit:
    """Lets each key do at most `most` things at the same time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: Counter[str] = Counter()

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Hold one of the key's places.

        Raises:
            TooMany: all of them are taken.
        """
        if self._running[key] >= self._most:
            raise TooMany(1)
        self._running[key] += 1
        try:
            yield
        finally:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]


class TooLarge(Exception):
    """A request's body is larger than it may be."""


async def body_of(request: Request, most: int) -> bytes:
    """Read the body of a request to a streaming route.

    Raises:
        TooLarge: it has more than `most` bytes; the rest is not read.
    """
    stream, content = cast(Http, request.stream), b""
    while (part := await stream.read()) is not None:
        content += part
        if len(content) > most:
            stream.keep_alive = False
            raise TooLarge
    return content
