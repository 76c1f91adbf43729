"""Limits let through what they say, and no more, also over several servers."""

import time
from collections.abc import Iterator

import pytest

from service import limits
from service.limits import ConcurrencyLimit, Counters, Rate, TooMany
from tests.support.packages import PackageUnavailable, do_without
from tests.support.redis_server import Redis


class Clock:
    def __init__(self) -> None:
        # At the start of a window of the limits below.
        self.now = 4_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "time", made)
    return made


async def taken(rate: Rate, key: str, times: int = 1) -> list[bool]:
    done = []
    for _ in range(times):
        try:
            await rate.take(key)
            done.append(True)
        except TooMany:
            done.append(False)
    return done


async def test_a_rate_allows_a_burst_and_then_what_time_brings(clock: Clock) -> None:
    rate = Rate("test", burst=2, per_minute=30, counters=Counters(None))
    assert await taken(rate, "a", 3) == [True, True, False]
    assert await taken(rate, "b") == [True]
    with pytest.raises(TooMany) as too_many:
        await rate.check("a")
    assert 1 <= too_many.value.seconds <= 8
    clock.now += 8
    assert await taken(rate, "a", 3) == [True, True, False]


async def test_a_look_counts_nothing(clock: Clock) -> None:
    rate = Rate("test", burst=1, per_minute=60, counters=Counters(None))
    for _ in range(5):
        await rate.check("a")
    assert await taken(rate, "a", 2) == [True, False]


async def test_limits_of_different_names_do_not_share_what_they_count(clock: Clock) -> None:
    counters = Counters(None)
    for name in ("one", "other"):
        assert await taken(Rate(name, 1, 60, counters), "a", 2) == [True, False]


async def test_a_server_remembers_a_bounded_number_of_keys(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_KEYS_KEPT", 10)
    counters = Counters(None)
    rate = Rate("test", burst=1, per_minute=1, counters=counters)
    for key in range(100):
        await rate.take(str(key))
    assert len(counters._memory.storage) <= 11


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A real Redis server; where there can be none the tests are skipped, and CI fails."""
    try:
        server = Redis(tmp_path_factory.mktemp("redis"))
    except PackageUnavailable as error:
        do_without(error)
    server.start()
    yield server
    server.kill()


async def test_several_servers_count_together(redis: Redis) -> None:
    one, other = (Rate("together", 3, 1, Counters(redis.redis_url)) for _ in range(2))
    assert await taken(one, "a", 2) == [True, True]
    assert await taken(other, "a", 2) == [True, False]
    assert await taken(one, "b") == [True]


async def test_a_server_counts_by_itself_while_redis_is_away(redis: Redis) -> None:
    rate = Rate("away", 2, 1, Counters(redis.redis_url))
    assert await taken(rate, "a", 3) == [True, True, False]
    redis.pause()
    try:
        begun = time.monotonic()
        assert await taken(rate, "a", 3) == [True, True, False]
        assert time.monotonic() - begun < 2
    finally:
        redis.resume()


def test_places_are_given_back_also_after_a_fault() -> None:
    places = ConcurrencyLimit(1)

    def fail() -> None:
        with places.hold("a"), places.hold("b"):
            raise RuntimeError

    with places.hold("b"), pytest.raises(TooMany):
        fail()
    with pytest.raises(RuntimeError):
        fail()
    with places.hold("a"), places.hold("b"):
        pass
