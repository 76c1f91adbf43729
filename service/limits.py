"""Limits on how often, how much at once and how large: token buckets and counts of bounded size, capped bodies."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from sanic import Request
from sanic.http import Http

KEYS_KEPT = 20_000


class TooMany(Exception):
    """A limit was passed; `seconds` (at least 1) tells when to try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = max(1, math.ceil(seconds))


class Rate:
    """Lets each key do `burst` things at once and `per_minute` in the long run.

    Only the `KEYS_KEPT` keys seen last are remembered.
    """

    def __init__(self, burst: float, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> None:
        """Count one thing for a key.

        Raises:
            TooMany: the key has used up what it may do.
        """
        left = self._left(key)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, self._clock())
        self._buckets.move_to_end(key)
        if len(self._buckets) > KEYS_KEPT:
            self._buckets.popitem(last=False)
        if not allowed:
            raise TooMany((1 - left) / self._per_second)

    def check(self, key: str) -> None:
        """Count nothing, and raise TooMany where `take` would."""
        left = self._left(key)
        if left < 1:
            raise TooMany((1 - left) / self._per_second)

    def _left(self, key: str) -> float:
        now = self._clock()
        left, since = self._buckets.get(key, (self._burst, now))
        return min(self._burst, left + (now - since) * self._per_second)


class AtOnce:
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
