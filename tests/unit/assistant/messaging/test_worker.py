"""Every message is kept, and answered once and in order, whatever happens to servers, platforms and databases."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rasa.core.channels.channel import UserMessage

from assistant.messaging import worker
from assistant.messaging.api import Refused, TryAgain, Unwanted
from assistant.messaging.inbox import DAYS_KEPT, LEASE, Inbox
from assistant.messaging.incoming import Incoming
from assistant.messaging.rendering import Capabilities, Outgoing
from assistant.messaging.worker import RETRIES, Worker
from service.database import Database, StoreUnavailable
from service.queue import RetryPolicy

ANA, BEN = "test:ana", "test:ben"
BUTTON = {"title": "Yes", "payload": "/affirm"}


class Clock:
    """A clock that runs, and can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Platform:
    """A connector that keeps what it sends.

    Attributes:
        faults: what is raised at the next sends instead.
        sending: called before each send.
    """

    def __init__(self, longest: int = 1000) -> None:
        self.sent: list[tuple[str, str]] = []
        self.faults: list[Exception] = []
        self.sending: Callable[[], Awaitable[Any]] | None = None
        self.longest = longest

    def capabilities(self, channel: str) -> Capabilities:
        return Capabilities(longest=self.longest)

    async def begin(self, message: Incoming) -> None:
        raise RuntimeError("typing cannot be shown")

    async def send(self, message: Incoming, part: Outgoing) -> None:
        if self.sending:
            await self.sending()
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append((message.conversation, part.text))

    async def close(self) -> None:
        pass

    def to(self, conversation: str) -> list[str]:
        return [text for to, text in self.sent if to == conversation]


class Servers:
    """Servers with one database and one platform.

    Attributes:
        asked: what the assistant was asked, in order: message id and text.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = Clock()
        self.platform = Platform()
        self.asked: list[tuple[str, str]] = []
        self.messages: list[UserMessage] = []
        self.thinking: Callable[[], Awaitable[Any]] | None = None

    async def gate(self, message: UserMessage) -> None:
        self.asked.append((message.message_id, message.text))
        self.messages.append(message)
        if self.thinking:
            await self.thinking()
        await message.output_channel.send_response(message.sender_id, {"text": f"you said {message.text}"})

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Worker]:
        server = Worker(Inbox(Database(self.url), self.clock), self.gate, lambda: True, self.clock)
        await server.start(["test"], self.platform)
        try:
            yield server
        finally:
            await server.stop()

    def rows(self, query: str) -> list[Any]:
        with sa.create_engine(self.url).connect() as connection:
            return list(connection.execute(sa.text(query)).fetchall())

    async def settle(self) -> None:
        for _ in range(600):
            if self.rows("SELECT count(*) FROM messaging_inbox WHERE done_at IS NULL") == [(0,)]:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"still waiting; sent: {self.platform.sent}")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RETRIES", RetryPolicy((0.05,) * len(RETRIES.delays)))
    monkeypatch.setattr(worker, "_LOOKS_EVERY", 0.05)


@pytest.fixture
def servers(url: str, tmp_path: Path) -> Servers:
    """Servers on each kind of database in turn."""
    (tmp_path / "new").mkdir()
    return Servers(url)


@pytest.fixture
def alone(tmp_path: Path) -> Servers:
    """Servers on SQLite, for what does not depend on the database."""
    return Servers(f"sqlite:///{tmp_path / 'inbox.db'}")


def written(identifier: str, text: str | None = None, conversation: str = ANA, **more: Any) -> Incoming:
    return Incoming(identifier, conversation, text if text is not None else f"text {identifier}", **more)


async def test_each_message_is_answered_once_however_often_it_comes(servers: Servers) -> None:
    async with servers.server() as one, servers.server() as two:
        await asyncio.gather(*(server.take([written("1"), written("2")]) for server in (one, two, one, two)))
        await servers.settle()
        await two.take([written("1")])
        await servers.settle()
    assert servers.platform.sent == [(ANA, "you said text 1"), (ANA, "you said text 2")]
    assert servers.asked == [("1", "text 1"), ("2", "text 2")]


async def test_two_servers_keep_the_order_of_each_conversation(servers: Servers) -> None:
    async with servers.server() as one, servers.server() as two:
        for number in range(12):
            server = (one, two)[number % 2]
            await server.take([written(f"a{number}", sent_at=1.0 + number), written(f"b{number}", conversation=BEN)])
        await servers.settle()
    assert servers.platform.to(ANA) == [f"you said text a{number}" for number in range(12)]
    assert servers.platform.to(BEN) == [f"you said text b{number}" for number in range(12)]


async def test_what_comes_out_of_order_is_answered_by_the_platforms_own_time_and_sequence(alone: Servers) -> None:
    async with alone.server() as server:
        for message in (
            written("4", sent_at=9.0),
            written("3", sent_at=8.0, sequence=2),
            written("1", sent_at=7.0),
            written("2", sent_at=8.0, sequence=1),
        ):
            await server.take([message])
        await alone.settle()
    assert [identifier for identifier, _ in alone.asked] == ["1", "2", "3", "4"]


async def test_one_slow_conversation_holds_up_no_other(alone: Servers) -> None:
    released = asyncio.Event()
    first = True

    async def only_the_first_waits() -> None:
        nonlocal first
        if first:
            first = False
            await released.wait()

    alone.platform.sending = only_the_first_waits
    async with alone.server() as server:
        await server.take([written("1")])
        await asyncio.sleep(0.3)
        await server.take([written("2", conversation=BEN)])
        while not alone.platform.sent:
            await asyncio.sleep(0.01)
        assert alone.platform.sent == [(BEN, "you said text 2")]
        released.set()
        await alone.settle()


async def test_what_a_dead_server_had_taken_is_answered_by_another(servers: Servers) -> None:
    hung = asyncio.Event()
    servers.thinking = hung.wait
    dead = Worker(Inbox(Database(servers.url), servers.clock), servers.gate, lambda: True, servers.clock)
    await dead.start(["test"], servers.platform)
    await dead.take([written("1"), written("2")])
    while not servers.asked:
        await asyncio.sleep(0.01)
    kill(dead)
    servers.thinking = None
    async with servers.server():
        await asyncio.sleep(0.3)
        assert servers.platform.sent == [], "the lease still runs"
        servers.clock.ahead += LEASE + 1
        await servers.settle()
    assert servers.platform.to(ANA) == ["you said text 1", "you said text 2"]


async def test_what_a_dead_server_may_have_sent_is_not_sent_again(servers: Servers) -> None:
    hung = asyncio.Event()
    dead = Worker(Inbox(Database(servers.url), servers.clock), servers.gate, lambda: True, servers.clock)
    await dead.start(["test"], servers.platform)
    servers.platform.sending = hung.wait
    await dead.take([written("1"), written("2")])
    while not servers.rows("SELECT 1 FROM messaging_inbox WHERE is_on_its_way"):
        await asyncio.sleep(0.01)
    kill(dead)
    servers.platform.sending = None
    servers.clock.ahead += LEASE + 1
    async with servers.server():
        await servers.settle()
    assert servers.platform.to(ANA) == ["you said text 2"]
    assert [identifier for identifier, _ in servers.asked] == ["1", "2"]


async def test_an_answer_that_is_waiting_to_be_sent_again_outlives_its_server(servers: Servers) -> None:
    servers.platform.faults = [TryAgain("HTTP 503", wait=3600)]
    async with servers.server() as first:
        await first.take([written("1")])
        while servers.platform.faults:
            await asyncio.sleep(0.01)
    servers.clock.ahead += 3600
    async with servers.server():
        await servers.settle()
    assert servers.platform.sent == [(ANA, "you said text 1")]
    assert servers.asked == [("1", "text 1")]


async def test_a_conversation_left_by_a_fault_is_taken_up_again_however_busy_its_server(alone: Servers) -> None:
    released = asyncio.Event()
    faults: list[BaseException] = [StoreUnavailable("the database went away while an answer was sent")]

    async def sending() -> None:
        if faults:
            raise faults.pop()
        if not alone.platform.sent and "text b" in str(alone.asked[-1]):
            await released.wait()

    alone.platform.sending = sending
    async with alone.server() as server:
        await server.take([written("1"), written("2")])
        while faults:
            await asyncio.sleep(0.01)
        await server.take([written("b", conversation=BEN)])
        while ("b", "text b") not in alone.asked:
            await asyncio.sleep(0.01)
        alone.clock.ahead += LEASE + 1
        for _ in range(200):
            await asyncio.sleep(0.02)
            if alone.platform.to(ANA):
                break
        assert alone.platform.sent == [(ANA, "you said text 2")]
        released.set()
        await alone.settle()


async def test_a_server_that_stops_finishes_what_it_is_answering(alone: Servers) -> None:
    async def slowly() -> None:
        await asyncio.sleep(0.3)

    alone.thinking = slowly
    async with alone.server() as server:
        await server.take([written("1"), written("2")])
        while not alone.asked:
            await asyncio.sleep(0.01)
    assert alone.platform.sent == [(ANA, "you said text 1")]
    alone.thinking = None
    async with alone.server():
        await alone.settle()
    assert alone.platform.to(ANA) == ["you said text 1", "you said text 2"]


async def test_a_busy_platform_is_tried_again_and_what_follows_waits(alone: Servers) -> None:
    alone.platform.faults = [TryAgain("HTTP 429", wait=0.4), TryAgain("TimeoutError"), TryAgain("HTTP 500")]
    async with alone.server() as server:
        await server.take([written("1"), written("2")])
        await alone.settle()
    assert alone.platform.to(ANA) == ["you said text 1", "you said text 2"]
    assert len(alone.asked) == 2


async def test_after_the_last_try_the_failure_is_logged_without_words(
    alone: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    alone.platform.faults = [TryAgain("HTTP 503")] * (len(RETRIES.delays) + 1)
    async with alone.server() as server:
        await server.take([written("1", "my secret"), written("2")])
        await alone.settle()
    assert alone.platform.to(ANA) == ["you said text 2"]
    assert "An answer on test was not delivered: HTTP 503." in caplog.text
    assert "secret" not in caplog.text
    assert "ana" not in caplog.text


@pytest.mark.parametrize("fault", [Refused("HTTP 403"), RuntimeError("a fault of ours")])
async def test_a_refusal_is_final(alone: Servers, fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    alone.platform.faults = [fault]
    async with alone.server() as server:
        await server.take([written("1"), written("2")])
        await alone.settle()
    assert alone.platform.to(ANA) == ["you said text 2"]
    assert caplog.text.count("was not delivered") == 1
    assert "a fault of ours" not in caplog.text


async def test_only_what_is_left_of_a_long_answer_is_tried_again(alone: Servers) -> None:
    alone.platform.longest = 12
    async with alone.server() as server:
        alone.platform.sending = fail_at(alone.platform, 3)
        await server.take([written("1", "one two three four five six")])
        await alone.settle()
    assert "".join(alone.platform.to(ANA)).replace(" ", "") == "yousaidonetwothreefourfivesix"


async def test_who_wants_silence_gets_it_until_they_want_speech(servers: Servers) -> None:
    async with servers.server() as server:
        await server.take([written("1")])
        await servers.settle()
        await server.take([written("stop", consent="opt_out"), written("2")])
        await server.take([written("stop", consent="opt_out"), written("3")])
        await servers.settle()
        assert servers.platform.to(ANA) == ["you said text 1"]
        await server.take([written("start", consent="opt_in"), written("stop", consent="opt_out"), written("4")])
        await servers.settle()
    assert servers.platform.to(ANA) == ["you said text 1", "you said text 4"]
    assert [identifier for identifier, _ in servers.asked] == ["1", "4"]


async def test_a_yes_ends_a_silence_and_is_an_answer_otherwise(alone: Servers) -> None:
    async with alone.server() as server:
        await server.take([written("1", "yes", consent="opt_in_if_opted_out")])
        await server.take(
            [written("2", consent="opt_out"), written("3", "yes", consent="opt_in_if_opted_out"), written("4")]
        )
        await alone.settle()
    assert alone.asked == [("1", "yes"), ("4", "text 4")]


async def test_silence_holds_for_answers_that_wait_but_what_was_asked_before_is_done(alone: Servers) -> None:
    async with alone.server() as server:
        await server.take([written("1"), written("2", consent="opt_out")])
        await alone.settle()
    assert alone.platform.sent == []
    assert alone.asked == [("1", "text 1")]


async def test_a_platform_may_say_that_someone_wants_silence(alone: Servers) -> None:
    alone.platform.faults = [Unwanted("21610")]
    async with alone.server() as server:
        await server.take([written("1")])
        await alone.settle()
        await server.take([written("2")])
        await alone.settle()
    assert alone.platform.sent == []
    assert [identifier for identifier, _ in alone.asked] == ["1"]


async def test_only_once_in_a_conversation_it_is_said_that_only_text_can_be_read(alone: Servers) -> None:
    def picture(identifier: str) -> Incoming:
        return Incoming(identifier, ANA, None)

    async with alone.server() as server:
        await server.take([picture("1"), picture("2"), written("3"), picture("4")])
        await alone.settle()
        assert [identifier for identifier, _ in alone.asked] == ["1", "3"]
        alone.clock.ahead += 3601
        await server.take([picture("5")])
        await alone.settle()
    assert [identifier for identifier, _ in alone.asked] == ["1", "3", "5"]


async def test_a_reply_of_the_connectors_own_passes_by_the_assistant(alone: Servers) -> None:
    async with alone.server() as server:
        await server.take([written("1", reply="Write to me in private.")])
        await alone.settle()
    assert alone.platform.sent == [(ANA, "Write to me in private.")]
    assert alone.asked == []


async def test_nothing_that_was_written_stands_in_the_database(alone: Servers) -> None:
    alone.platform.faults = [TryAgain("HTTP 500", wait=3600)]
    number = "+19495550133"
    async with alone.server() as server:
        await server.take([written("1", "my secret", contact=number, details={"to": number}), written("2", "hidden")])
        while not alone.rows("SELECT 1 FROM messaging_inbox, messaging_people WHERE tries = 1 AND lease IS NULL"):
            await asyncio.sleep(0.01)
        kept = str(alone.rows("SELECT * FROM messaging_inbox") + alone.rows("SELECT * FROM messaging_people"))
        for personal in ("secret", "hidden", "9495550133", "you said"):
            assert personal not in kept
        alone.clock.ahead += 3601
        await alone.settle()
    assert alone.rows("SELECT count(*) FROM messaging_inbox WHERE content IS NOT NULL OR answer IS NOT NULL") == [(0,)]
    assert number not in str(alone.messages[0].metadata)


async def test_what_another_secret_sealed_is_let_go(alone: Servers) -> None:
    async with alone.server() as server:
        await server.take([written("1"), written("2")])
        with sa.create_engine(alone.url).begin() as connection:
            connection.execute(sa.text("UPDATE messaging_inbox SET content = 'gAAAA' WHERE id = '1'"))
        await alone.settle()
    assert alone.platform.to(ANA) == ["you said text 2"]


async def test_old_ids_and_people_are_forgotten_and_wishes_are_not(alone: Servers) -> None:
    async with alone.server() as server:
        await server.take(
            [written("1"), written("2", conversation=BEN), written("3", conversation=BEN, consent="opt_out")]
        )
        await alone.settle()
    alone.clock.ahead += DAYS_KEPT * 86_400 + 60
    async with alone.server():
        for _ in range(100):
            await asyncio.sleep(0.02)
            if alone.rows("SELECT count(*) FROM messaging_inbox") == [(0,)]:
                break
    assert alone.rows("SELECT count(*) FROM messaging_inbox") == [(0,)]
    assert alone.rows("SELECT conversation FROM messaging_people") == [(BEN,)]


async def test_a_database_that_is_away_is_told_to_the_webhook_and_waited_for(
    alone: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    async with alone.server() as server:
        with sa.create_engine(alone.url).begin() as connection:
            connection.execute(sa.text("ALTER TABLE messaging_inbox RENAME TO away"))
            connection.execute(sa.text("ALTER TABLE messaging_people RENAME TO away_too"))
        with pytest.raises(StoreUnavailable):
            await server.take([written("1")])
        await asyncio.sleep(0.3)
        with sa.create_engine(alone.url).begin() as connection:
            connection.execute(sa.text("ALTER TABLE away RENAME TO messaging_inbox"))
            connection.execute(sa.text("ALTER TABLE away_too RENAME TO messaging_people"))
        await server.take([written("1")])
        await alone.settle()
    assert alone.platform.sent == [(ANA, "you said text 1")]
    assert caplog.text.count("The inbox cannot be read") == 1


def kill(server: Worker) -> None:
    """End a server as a crash does: nothing that it was doing goes on."""
    for task in (server._working, *server._running.values()):
        assert task
        task.cancel()


def fail_at(platform: Platform, number: int) -> Callable[[], Awaitable[None]]:
    """Return what makes one send fail."""
    count = 0

    async def sending() -> None:
        nonlocal count
        count += 1
        if count == number:
            platform.faults.append(TryAgain("HTTP 500"))

    return sending
