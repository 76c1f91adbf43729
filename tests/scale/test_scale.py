"""Several servers behind the balancer while any of them fails: one reply to each message, in order, nothing lost.

Where PostgreSQL, Redis or nginx is missing it is installed; where that cannot be done, these tests are skipped with the
reason, and CI fails.
"""

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import sqlalchemy as sa

from tests.scale.cluster import Cluster, cluster
from tests.scale.killed_server import STEPS, killed_server
from tests.scale.people import Chat, Person
from tests.support.packages import PackageUnavailable, do_without
from tests.support.postgres import PostgresUnavailable
from tests.support.servers import Server

PEOPLE = 64
_NUMBERS = itertools.count(100)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        with cluster(tmp_path_factory.mktemp("scale"), chat=killed_server) as running:
            yield running
    except (PackageUnavailable, PostgresUnavailable) as error:
        do_without(error)


def rows(servers: Cluster, query: str) -> list[sa.engine.Row]:
    engine = sa.create_engine(servers.database.url)
    with engine.connect() as connection:
        found = connection.execute(sa.text(query)).all()
    engine.dispose()
    return found


def taken(servers: Cluster, chat: Chat) -> list[str]:
    """Return the ids of the messages of a conversation's turns, as the tracker store has them."""
    query = f"""SELECT event ->> 'message_id' FROM conversations,
        json_array_elements(events::json) AS event
        WHERE id = 'website:{chat.session}' AND event ->> 'event' = 'user'"""
    return [row[0] for row in rows(servers, query)]


def faults(servers: Cluster) -> None:
    """Let every kind of fault happen, one after another and some at once."""

    def restart(*down: Server, seconds: float = 1) -> None:
        for server in down:
            server.kill()
        time.sleep(seconds)
        for server in down:
            server.start()

    def hang(*hung: Server, seconds: float) -> None:
        for server in hung:
            server.pause()
        time.sleep(seconds)
        for server in hung:
            server.resume()

    def end_well(server: Server) -> None:
        server.stop()
        server.start()

    def restart_database() -> None:
        servers.database.stop()
        time.sleep(2)
        servers.database.start()

    first, second = servers.chats
    one, other = servers.helpers
    for fault in (
        lambda: restart(first),
        lambda: hang(one, seconds=5),
        lambda: restart(servers.redis, seconds=2),
        lambda: end_well(second),
        restart_database,
        lambda: restart(other, second),
        lambda: hang(servers.redis, seconds=2),
        lambda: hang(one, other, seconds=3),
    ):
        time.sleep(4)
        fault()
    time.sleep(4)


def test_people_are_answered_and_visits_requested_once_while_servers_fail(servers: Cluster) -> None:
    people = [Person(number, servers.url, pause=3) for number in range(PEOPLE)]
    are_over = threading.Event()
    with ThreadPoolExecutor(PEOPLE) as talking:
        talks = [talking.submit(person.talk, are_over) for person in people]
        try:
            faults(servers)
        finally:
            are_over.set()
        for talk in talks:
            talk.result()
    chats = [chat for person in people for chat in person.chats]
    assert len(chats) >= PEOPLE

    # Every message has one reply, for good.
    for person in people:
        person.ask_again(person.chats[-1])
    # Each was gone through at most once, and in the order in which it was sent.
    for chat in chats:
        order = taken(servers, chat)
        assert order
        sent = [message for message in chat.sent if message in order]
        assert [message for message in order if message != "opening-message"] == sent
    # No request for a visit is lost or doubled.
    requests_of = defaultdict(list)
    for conversation, reference in rows(servers, "SELECT conversation, reference FROM requests"):
        requests_of[conversation].append(reference)
    for chat in chats:
        references = requests_of.pop(f"website:{chat.session}", [])
        assert len(references) == 1, chat.transcript()
        assert chat.reference in {None, f"{references[0][:3]}-{references[0][3:]}"}, chat.transcript()
    assert not requests_of


def restarted(servers: Cluster) -> int:
    """Start the assistant's servers that have ended; return how many."""
    ended = [server for server in servers.chats if server.has_ended]
    for server in ended:
        server.start()
    return len(ended)


@pytest.mark.parametrize("step", STEPS)
def test_a_message_is_gone_through_once_when_its_server_is_killed(servers: Cluster, step: str) -> None:
    person = Person(next(_NUMBERS), servers.url, pause=0)
    chat = person.open()
    text = "what causes it, and how is it treated?"
    expected = person.say(person.open(), text)
    chat = person.open()
    assert person.say(chat, text, f"{step}-{chat.session[:20].replace('_', '-')}") == expected
    assert restarted(servers) == 1
    person.ask_again(chat)
    assert [message for message, _ in itertools.groupby(taken(servers, chat))] == ["opening-message", *chat.sent]
    assert taken(servers, chat).count(chat.sent[0]) == 2


def test_a_visit_is_requested_once_when_its_server_is_killed_after_the_request_was_written(servers: Cluster) -> None:
    person = Person(next(_NUMBERS), servers.url, pause=0)
    chat = person.open()
    for text in ("book me a visit, Ana Ruiz, 949-555-0133, any weekday morning", "skip", "skip"):
        said = person.say(chat, text)
    assert "Shall I send it" in said
    said = person.say(chat, "yes", "saving-the-yes")
    assert restarted(servers) == 1
    references = rows(servers, f"SELECT reference FROM requests WHERE conversation = 'website:{chat.session}'")
    assert len(references) == 1
    assert f"Your reference is {references[0][0][:3]}-{references[0][0][3:]}" in said


@pytest.mark.parametrize("is_balanced", [True, False])
def test_messages_sent_without_waiting_are_answered_in_their_order(servers: Cluster, is_balanced: bool) -> None:
    """Also when they come to different servers, as when the balancer changes its mind about a conversation."""
    ways = [servers.url] * 2 if is_balanced else [server.url for server in servers.chats]
    person = Person(next(_NUMBERS), servers.url, pause=0)
    with redis.Redis.from_url(servers.redis.redis_url) as shared, ThreadPoolExecutor() as senders:
        for _ in range(3):
            chat = person.open()
            shared.set(f"lock:website:{chat.session}", "held by the test", px=10_000)
            waiting = []
            for way, text in zip(ways, ("what causes it?", "how is it treated?"), strict=True):
                waiting.append(senders.submit(person.say, chat, text, server=way))
                while shared.llen(f"line:website:{chat.session}:") < len(waiting):
                    time.sleep(0.005)
            shared.delete(f"lock:website:{chat.session}")
            for reply in waiting:
                assert "Source: " in reply.result()
            assert taken(servers, chat) == ["opening-message", *chat.sent]
