"""One message of a conversation at a time, in order, on one server and on several with a real Redis."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from rasa.core.lock import TicketLock
from redis.exceptions import RedisError

from assistant.rasa import lock_store as locks
from assistant.rasa.lock_store import ConversationLocks, RedisLocks
from assistant.startup import check_sharing
from service.settings import Settings
from service.startup import StartError
from tests.support.packages import PackageUnavailable, do_without
from tests.support.redis_server import Redis

SENDER = "website:ana"


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


@pytest.fixture(params=["one server", "several servers"])
def servers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[ConversationLocks]:
    """The locks of each of three servers, or those of the only one three times."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    if request.param == "one server":
        return [ConversationLocks()] * 3
    monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis").redis_url)
    return [ConversationLocks() for _ in range(3)]


def hold(server: ConversationLocks | RedisLocks, sender: str = SENDER) -> AbstractAsyncContextManager[TicketLock]:
    if isinstance(server, RedisLocks):
        return server.lock(sender, 60, 0.01)
    return server.lock(sender)


class Turns:
    """Takes turns of one conversation, and notes in which order and how many at once.

    Attributes:
        taken: the numbers of the turns that began.
        most: how many there were at once.
    """

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.most = self._now = 0

    async def take(self, server: ConversationLocks, number: int) -> None:
        async with hold(server):
            self.taken.append(number)
            self._now += 1
            self.most = max(self.most, self._now)
            await asyncio.sleep(0.005)
            self._now -= 1


async def last_in_line(redis: Redis, but: bytes | None = None) -> bytes:
    """Return the last place in the line of the conversation, once it is another one than `but`."""
    client = locks.redis.from_url(redis.redis_url)
    while (last := await client.lindex(f"line:{SENDER}:", -1)) in (None, but):
        await asyncio.sleep(0.001)
    await client.close()
    return bytes(last)


async def test_messages_of_one_server_take_their_turns_in_order(servers: list[ConversationLocks]) -> None:
    turns = Turns()
    await asyncio.gather(*(turns.take(servers[0], number) for number in range(30)))
    assert turns.taken == list(range(30))
    assert turns.most == 1


async def test_messages_of_several_servers_exclude_each_other(servers: list[ConversationLocks]) -> None:
    turns = Turns()
    await asyncio.gather(*(turns.take(servers[number % 3], number) for number in range(30)))
    assert sorted(turns.taken) == list(range(30))
    assert turns.most == 1


async def test_messages_of_several_servers_take_their_turns_as_they_came(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis.redis_url)
    servers = [ConversationLocks() for _ in range(3)]
    turns = Turns()
    async with hold(servers[0]):
        waiting, last = [], await last_in_line(redis)
        for number in range(9):
            waiting.append(asyncio.create_task(turns.take(servers[number % 3], number)))
            last = await last_in_line(redis, but=last)
    await asyncio.gather(*waiting)
    assert turns.taken == list(range(9))


async def test_other_conversations_do_not_wait(servers: list[ConversationLocks]) -> None:
    async with hold(servers[0], "website:ana"), hold(servers[1], "website:bob"):
        pass


async def test_a_lock_is_given_back_after_a_fault(servers: list[ConversationLocks]) -> None:
    with pytest.raises(KeyError):
        async with hold(servers[0]):
            raise KeyError
    async with hold(servers[1]):
        pass


async def test_who_gives_up_waiting_does_so_at_once_and_holds_nobody_up(servers: list[ConversationLocks]) -> None:
    turns = Turns()
    for moment in range(40):
        async with hold(servers[0]):
            waiting = [asyncio.create_task(turns.take(server, moment)) for server in servers[1:]]
            # Each time at another moment of what a waiting message does.
            await asyncio.sleep(moment / 1000)
            waiting[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting[0]
        await waiting[1]
    assert turns.taken == list(range(40))


async def test_a_lock_is_kept_for_as_long_as_a_turn_takes(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_SECONDS_KEPT", 0.4)
    monkeypatch.setattr(locks, "_SECONDS_BETWEEN_RENEWALS", 0.1)
    ours, theirs = RedisLocks(redis.redis_url), RedisLocks(redis.redis_url)
    async with hold(ours):
        other = asyncio.create_task(hold(theirs).__aenter__())
        await asyncio.wait([other], timeout=1.2)
        assert not other.done()
        other.cancel()


async def test_what_a_killed_server_held_and_waited_for_is_free_after_some_seconds(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_SECONDS_KEPT", 0.5)
    dead, alive = RedisLocks(redis.redis_url), RedisLocks(redis.redis_url)
    # As a killed server leaves them: a lock that nobody renews, and a place in the line that nobody keeps.
    await dead._redis.set(f"lock:{SENDER}", "dead", px=500)
    assert await dead._is_first(f"line:{SENDER}:", "dead")
    async with hold(alive):
        assert await alive._redis.get(f"lock:{SENDER}") != b"dead"


async def test_without_redis_there_is_a_fault_at_once_and_after_its_restart_all_goes_on(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis.redis_url)
    server = ConversationLocks()
    async with hold(server):
        pass
    redis.kill()
    with pytest.raises(RedisError):
        async with hold(server):
            pass
    redis.start()
    async with hold(server):
        pass


async def test_a_redis_that_hangs_is_a_fault_and_not_a_wait(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_SECONDS_FOR_REDIS", 0.2)
    server = RedisLocks(redis.redis_url)
    redis.pause()
    try:
        with pytest.raises(RedisError):
            async with hold(server):
                pass
    finally:
        redis.resume()
    async with hold(server):
        pass


async def test_a_turn_in_which_redis_restarts_ends_well(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", redis.redis_url)
    turns, servers = Turns(), [ConversationLocks() for _ in range(2)]
    async with hold(servers[0]):
        waiting, last = [], await last_in_line(redis)
        for number in (1, 2):
            waiting.append(asyncio.create_task(turns.take(servers[1], number)))
            last = await last_in_line(redis, but=last)
        redis.kill()
        redis.start()
    await asyncio.gather(*waiting, return_exceptions=True)
    await turns.take(servers[0], 3)
    assert turns.taken[-1] == 3


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"SANIC_WORKERS": "2"}, "REDIS_URL"),
        ({"SANIC_WORKERS": "2", "REDIS_URL": ""}, "REDIS_URL"),
    ],
)
def test_what_cannot_be_shared_is_said_before_the_start(environment: dict[str, str], named: str) -> None:
    with pytest.raises(StartError, match=named):
        check_sharing(Settings.of(environment))


def test_what_can_be_shared_is_taken() -> None:
    check_sharing(Settings.of({}))
    check_sharing(Settings.of({"SANIC_WORKERS": "2", "REDIS_URL": "redis://127.0.0.1"}))


def test_endpoints_name_these_locks() -> None:
    endpoints = (Path(locks.__file__).parent.parent.parent / "endpoints.yml").read_text()
    assert f"type: assistant.rasa.lock_store.{ConversationLocks.__name__}\n" in endpoints
