"""The tracker store on SQLite, and what it keeps of a long conversation."""

import asyncio
import itertools
import json
import logging
import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from rasa.core.agent import Agent
from rasa.core.brokers.broker import EventBroker
from rasa.core.processor import MessageProcessor
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    BotUttered,
    Event,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import RasaException

from assistant.choices import offer
from assistant.gate import latest_answer
from assistant.rasa import tracker_store as trackers
from assistant.rasa.conversation import Conversation
from assistant.rasa.tracker_store import (
    DAYS_KEPT,
    TURNS_KEPT,
    ConversationStore,
    conversations,
    reading_once,
    shortened,
)
from assistant.rasa.tuning import tune
from clinic.articles import the_library
from clinic.profile import ROOT
from service import database
from service.database import StoreUnavailable, create_engine

SENDER = "rest:ana"
START: list[Event] = [ActionExecuted("action_session_start"), SessionStarted(), ActionExecuted("action_listen")]
_NUMBERS = itertools.count()
DOMAIN = Domain.from_dict(the_library().domain())


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'conversations.db'}"


@pytest.fixture
def store(url: str) -> ConversationStore:
    return ConversationStore(DOMAIN, url=url, clock=lambda: 1000.0)


@pytest.fixture
def locked(url: str, store: ConversationStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConversationStore]:
    """A store that waits for nobody, while another process holds its database."""
    monkeypatch.setattr(database, "_SECONDS_TO_WAIT", 0)
    impatient = ConversationStore(DOMAIN, url=url)
    other = sqlite3.connect(url.removeprefix("sqlite:///"))
    other.execute("BEGIN EXCLUSIVE")
    yield impatient
    other.close()


@pytest.fixture(scope="module")
def processor() -> MessageProcessor:
    """The dialogue policies of the newest model."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    agent = Agent.load(max((ROOT / "models").glob("*.tar.gz"), key=lambda path: path.stat().st_mtime))
    assert agent.processor
    return agent.processor


def said(intent: str, text: str = "") -> UserUttered:
    return UserUttered(text or intent, {"name": intent, "confidence": 1.0}, message_id=str(next(_NUMBERS)))


def a_turn(intent: str, action: str) -> list[Event]:
    words = BotUttered(action, {"buttons": [{"title": "More", "payload": f"/{intent}"}]})
    return [said(intent), ActionExecuted(action), words, ActionExecuted("action_listen")]


def turns(count: int) -> list[Event]:
    return [event for _ in range(count) for event in a_turn("ask_causes", "utter_ask_causes")]


def tracker_of(events: list[Event], sender: str = SENDER) -> DialogueStateTracker:
    return DialogueStateTracker.from_events(sender, events, DOMAIN.slots)


def state(tracker: DialogueStateTracker) -> dict[str, object]:
    """Return all that a next action may rest on, but for the turns themselves."""
    return {
        "slots": tracker.current_slot_values(),
        "loop": tracker.active_loop_name,
        "action": tracker.latest_action_name,
        "message": tracker.latest_message.text if tracker.latest_message else None,
    }


async def kept(store: ConversationStore, tracker: DialogueStateTracker) -> DialogueStateTracker:
    """Save a conversation and read it again."""
    await store.save(tracker)
    read = await store.retrieve(tracker.sender_id)
    assert read
    return read


# ---------------------------------------------------------------- kept and read again


async def test_a_conversation_is_read_as_it_was_saved(store: ConversationStore) -> None:
    events = [*START, *a_turn("greet", "utter_greet"), SlotSet("booking_name", "Ana Ruiz 🦵 \ud800 \x00")]
    read = await kept(store, tracker_of(events))
    assert [event.as_dict() for event in read.events] == [event.as_dict() for event in events]
    assert read.get_slot("booking_name") == "Ana Ruiz 🦵 \ud800 \x00"


async def test_another_process_reads_it(store: ConversationStore, url: str) -> None:
    await store.save(tracker_of([*START, *turns(2)]))
    read = await ConversationStore(DOMAIN, url=url).retrieve(SENDER)
    assert read
    assert len(read.events) == len([*START, *turns(2)])


async def test_an_unknown_conversation_is_none(store: ConversationStore) -> None:
    assert await store.retrieve("rest:nobody") is None


async def test_saving_again_replaces_the_one_row(store: ConversationStore, url: str) -> None:
    await store.save(tracker_of([*START, *turns(1)]))
    await store.save(tracker_of([*START, *turns(2)]))
    with create_engine(url).begin() as connection:
        rows = connection.execute(sa.select(conversations.c.id, conversations.c.updated_at)).fetchall()
    assert [tuple(row) for row in rows] == [(SENDER, 1000.0)]


async def test_a_conversation_is_forgotten_altogether(store: ConversationStore) -> None:
    await store.save(tracker_of([*START, *turns(1)]))
    await store.save(tracker_of([*START, *turns(1)], "rest:bob"))
    await store.delete(SENDER)
    assert await store.retrieve(SENDER) is None
    assert list(await store.keys()) == ["rest:bob"]


async def test_conversations_do_not_mix(store: ConversationStore) -> None:
    ids = ["rest:1", "web:1", "rest:01", "rest:1 ", "REST:1", "rest:%", "rest:_"]
    for sender in ids:
        await store.save(tracker_of([*START, SlotSet("booking_name", sender)], sender))
    for sender in ids:
        read = await store.retrieve(sender)
        assert read
        assert read.get_slot("booking_name") == sender
    assert sorted(await store.keys()) == sorted(ids)


@pytest.mark.parametrize("sender", ["", "a\x00b", "' OR 1=1 --", "🦵", "é" * 500, "../../etc/passwd", "a\nb"])
async def test_a_strange_id_is_an_id(store: ConversationStore, sender: str) -> None:
    await kept(store, tracker_of([*START, *turns(1)], sender))
    assert list(await store.keys()) == [sender]


async def test_an_id_that_no_database_takes_ends_nothing_but_its_message(store: ConversationStore) -> None:
    with pytest.raises((ValueError, StoreUnavailable)):
        await store.save(tracker_of([*START], "\ud800"))
    await kept(store, tracker_of([*START, *turns(1)]))


async def test_what_was_left_long_ago_is_deleted(url: str) -> None:
    now = [1_000_000.0]
    store = ConversationStore(DOMAIN, url=url, clock=lambda: now[0])
    await kept(store, tracker_of([*START, *turns(1)], "rest:old"))
    now[0] += DAYS_KEPT * 86_400 - 1
    await kept(store, tracker_of([*START, *turns(1)], "rest:new"))
    assert set(await store.keys()) == {"rest:old", "rest:new"}
    now[0] += 3601
    await kept(store, tracker_of([*START, *turns(1)], "rest:newer"))
    assert set(await store.keys()) == {"rest:new", "rest:newer"}
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        assert connection.execute("SELECT count(*) FROM conversation_answers").fetchone() == (2,)


# ---------------------------------------------------------------- when the database fails


async def test_a_locked_database_is_unavailable(locked: ConversationStore) -> None:
    with pytest.raises(StoreUnavailable):
        await locked.save(tracker_of([*START, *turns(1)]))


async def test_a_database_without_its_table_is_unavailable(store: ConversationStore, url: str) -> None:
    with create_engine(url).begin() as connection:
        conversations.drop(connection)
    with pytest.raises(StoreUnavailable):
        await store.retrieve(SENDER)
    with pytest.raises(StoreUnavailable):
        await store.save(tracker_of([*START]))


async def test_rasas_agent_uses_the_store_as_it_is(locked: ConversationStore) -> None:
    agent = Agent(DOMAIN, tracker_store=locked)
    runner, domain = SimpleNamespace(), SimpleNamespace(is_empty=lambda: False)
    agent.processor = SimpleNamespace(tracker_store=agent.tracker_store, graph_runner=runner, domain=domain)
    tune(agent)
    for tracker_store in (agent.tracker_store, agent.processor.tracker_store):
        with pytest.raises(StoreUnavailable):
            await tracker_store.save(tracker_of([*START, *turns(1)]))


def test_a_database_that_cannot_be_opened_stops_the_start() -> None:
    with pytest.raises(RasaException, match="cannot be reached at start"):
        ConversationStore(DOMAIN, url=f"sqlite:///{os.devnull}/conversations.db")


async def test_others_go_on_while_a_conversation_waits_for_the_database(url: str, store: ConversationStore) -> None:
    other = sqlite3.connect(url.removeprefix("sqlite:///"))
    other.execute("BEGIN IMMEDIATE")
    saving = asyncio.create_task(store.save(tracker_of([*START, *turns(1)])))
    for _ in range(10):
        await asyncio.sleep(0.02)
    assert not saving.done()
    other.close()
    await saving
    assert await store.retrieve(SENDER)


async def test_an_error_does_not_tell_what_was_said(locked: ConversationStore) -> None:
    with pytest.raises(StoreUnavailable) as error:
        await locked.save(tracker_of([*START, SlotSet("booking_name", "Ana Ruiz")]))
    assert "Ana" not in str(error.value)


# ---------------------------------------------------------------- cut short


def test_a_short_conversation_is_kept_whole() -> None:
    events = [*START, *turns(2 * TURNS_KEPT)]
    assert shortened(tracker_of(events)) == events


def test_a_long_conversation_keeps_its_last_turns() -> None:
    tracker = tracker_of([*START, *turns(2 * TURNS_KEPT + 1)])
    short = tracker_of(shortened(tracker))
    assert sum(isinstance(event, UserUttered) for event in short.events) == TURNS_KEPT
    assert state(short) == state(tracker)
    assert offer(latest_answer(short)) == offer(latest_answer(tracker))


async def test_slots_the_form_and_its_question_outlive_the_turns_that_set_them(store: ConversationStore) -> None:
    form: list[Event] = [
        said("book_appointment"),
        ActionExecuted("booking_form"),
        ActiveLoop("booking_form"),
        SlotSet("booking_name", "Ana Ruiz"),
        SlotSet("booking_contact", {"kind": "phone", "value": "+19495550133"}),
        SlotSet("urgent", True),
        SlotSet("requested_slot", "booking_time"),
        ActionExecuted("action_listen"),
    ]
    tracker = tracker_of([*START, *form, *turns(50)])
    read = await kept(store, tracker)
    assert state(read) == state(tracker)
    assert read.active_loop_name == "booking_form"
    assert read.get_slot("requested_slot") == "booking_time"
    assert read.get_slot("booking_contact") == {"kind": "phone", "value": "+19495550133"}


async def test_a_form_that_was_left_stays_left(store: ConversationStore) -> None:
    form = [said("book_appointment"), ActionExecuted("booking_form"), ActiveLoop("booking_form")]
    left = [ActiveLoop(None), SlotSet("requested_slot", None), SlotSet("booking_status", "stopped")]
    tracker = tracker_of([*START, *form, *left, ActionExecuted("action_listen"), *turns(50)])
    assert state(await kept(store, tracker)) == state(tracker)


async def test_a_slot_emptied_again_stays_empty(store: ConversationStore) -> None:
    events = [SlotSet("booking_name", "Ana"), *turns(2), SlotSet("booking_name", None), *turns(50)]
    assert (await kept(store, tracker_of([*START, *events]))).get_slot("booking_name") is None


async def test_a_restart_forgets_all_but_its_buttons(store: ConversationStore) -> None:
    words = BotUttered("We start afresh.", {"buttons": [{"title": "Signs", "payload": "/ask_symptoms"}]})
    events = [*START, SlotSet("booking_name", "Ana"), *turns(3), said("restart"), ActionExecuted("action_restart")]
    read = await kept(store, tracker_of([*events, words, Restarted(), ActionExecuted("action_listen")]))
    assert read.get_slot("booking_name") is None
    assert not any(isinstance(event, UserUttered) for event in read.events)
    assert [button["payload"] for button in offer(latest_answer(read))] == ["/ask_symptoms"]


async def test_two_hundred_turns_stay_bounded(store: ConversationStore, url: str) -> None:
    sizes, told = [], []
    tracker = tracker_of(START)
    for _ in range(200):
        for event in a_turn("ask_causes", "utter_ask_causes"):
            tracker.update(event)
        tracker = await kept(store, tracker)
        told.append(len(user_messages(tracker)))
        with create_engine(url).begin() as connection:
            stored = connection.execute(sa.select(conversations.c.events)).scalar()
        sizes.append(len(stored))
        assert json.loads(stored) == [event.as_dict() for event in tracker.events]
    assert (min(told[TURNS_KEPT:]), max(told)) == (TURNS_KEPT, 2 * TURNS_KEPT)
    # The hundredth turns cost no more than the first that were cut.
    assert max(sizes[100:]) < 1.01 * max(sizes[:50])


@pytest.mark.parametrize("seed", range(3))
async def test_the_next_action_is_that_of_the_whole_conversation(
    store: ConversationStore, processor: MessageProcessor, seed: int
) -> None:
    chance = random.Random(seed)
    intents = [
        "tell_me_more",
        "nlu_fallback",
        "affirm",
        "deny",
        "delete_my_data",
        "ask_causes",
        "ask_treatments",
        "stop",
    ]
    whole, short = tracker_of(START), tracker_of(START)
    for _ in range(4 * TURNS_KEPT):
        whole, short = tracker_of(list(whole.events)), await kept(store, short)
        events: list[Event] = [said(chance.choice(intents))]
        while events:
            for tracker in (whole, short):
                for event in events:
                    tracker.update(event, DOMAIN)
            action, _ = processor.predict_next_with_tracker_if_should(whole)
            same, _ = processor.predict_next_with_tracker_if_should(short)
            assert action.name() == same.name()
            events = [ActionExecuted(action.name())]
            if action.name() == "action_listen":
                whole.update(events[0], DOMAIN)
                short.update(events[0], DOMAIN)
                events = []


async def test_a_database_file_that_is_replaced_is_opened_again(store: ConversationStore, url: str) -> None:
    await store.save(tracker_of([*START, *turns(1)]))
    path = Path(url.removeprefix("sqlite:///"))
    for part in ("", "-wal", "-shm"):
        path.with_name(path.name + part).unlink()
    with pytest.raises(StoreUnavailable):
        await store.retrieve(SENDER)
    ConversationStore(DOMAIN, url=url)
    assert await store.retrieve(SENDER) is None
    assert user_messages(await kept(store, tracker_of([*START, *turns(2)])))
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM conversations").fetchone() == (1,)


@pytest.fixture
def statements(store: ConversationStore) -> list[str]:
    """What the store asks of its database, as it does so."""
    asked: list[str] = []
    for engine in (store._database.engine, store._database._no_wait_engine):
        sa.event.listen(engine, "before_cursor_execute", lambda _connection, _cursor, said, *_: asked.append(said))
    return asked


async def test_a_message_reads_its_conversation_once(store: ConversationStore, statements: list[str]) -> None:
    await asyncio.create_task(store.save(tracker_of([*START, *turns(1)])))
    statements.clear()
    async with reading_once():
        for number in range(3):
            tracker = await store.retrieve(SENDER)
            assert len(user_messages(tracker)) == number + 1
            tracker.update_with_events(turns(1), DOMAIN)
            await store.save(tracker)
    assert [said.split()[0] for said in statements].count("SELECT") == 1
    assert len(user_messages(await store.retrieve(SENDER))) == 4


async def test_a_conversation_cache_is_not_built_anew(
    store: ConversationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    from_parameters = trackers._event
    monkeypatch.setattr(trackers, "_event", lambda given: built.append(given) or from_parameters(given))
    await asyncio.create_task(store.save(tracker_of([*START, *turns(1)])))

    async def message() -> int:
        """Take one more turn; return how many events were built for it."""
        built.clear()
        async with reading_once():
            tracker = await store.retrieve(SENDER)
            tracker.update_with_events(turns(1), DOMAIN)
            await store.save(tracker)
        return len(built)

    taken = [await asyncio.create_task(message()) for _ in range(3 * TURNS_KEPT)]
    assert taken[0] > 0
    # Once it was cut it is read again.
    assert [number for number in taken[1:] if number] == [taken[2 * TURNS_KEPT]]
    assert len(user_messages(await store.retrieve(SENDER))) == 3 * TURNS_KEPT + 1 - TURNS_KEPT - 1


async def test_what_was_given_up_is_not_cache(store: ConversationStore) -> None:
    await store.save(tracker_of([*START, *turns(1)]))
    for _ in range(3):
        given_up = await store.retrieve(SENDER)
        given_up.update_with_events(turns(1), DOMAIN)
    await store.save(await asyncio.create_task(store.retrieve(SENDER)))
    at_hand = store._cache[SENDER].tracker
    at_hand.update_with_events(turns(1), DOMAIN)
    assert len(user_messages(await asyncio.create_task(store.retrieve(SENDER)))) == 1


async def test_few_conversations_are_cache(store: ConversationStore) -> None:
    for number in range(trackers._CONVERSATIONS_CACHED + 5):
        sender = f"rest:{number}"
        await store.save(Conversation.from_events(sender, [*START, *turns(1)], DOMAIN.slots))
    assert list(store._cache) == [f"rest:{number}" for number in range(5, number + 1)]
    await store.delete(sender)
    assert sender not in store._cache


async def test_a_turn_that_was_given_up_is_not_gone_on_with(store: ConversationStore) -> None:
    await store.save(tracker_of([*START, *turns(1)]))
    async with reading_once():
        given_up = await store.retrieve(SENDER)
        given_up.update_with_events(turns(1), DOMAIN)
        assert len(user_messages(await store.retrieve(SENDER))) == 1


# ---------------------------------------------------------------- several servers


def user_messages(tracker: DialogueStateTracker | None) -> list[UserUttered]:
    return [event for event in tracker.events if isinstance(event, UserUttered)] if tracker else []


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, url: str) -> Iterator[str]:
    """The URL of a database, of each kind in turn, without the tables of this store."""
    if request.param == "sqlite":
        yield url
        return
    shared_url = request.getfixturevalue("postgres")
    yield shared_url
    engine = sa.create_engine(shared_url)
    trackers._metadata.drop_all(engine)
    engine.dispose()


async def test_servers_that_start_at_once_make_the_tables_once(postgres: str) -> None:
    engine = sa.create_engine(postgres)
    for _ in range(5):
        await asyncio.gather(*(asyncio.to_thread(ConversationStore, DOMAIN, url=postgres) for _ in range(6)))
        assert sa.inspect(engine).has_table("conversations")
        trackers._metadata.drop_all(engine)
    engine.dispose()


async def test_a_conversation_goes_on_at_another_server(shared: str) -> None:
    for number in range(1, 4):
        store = ConversationStore(DOMAIN, url=shared)
        tracker = await store.retrieve(SENDER) or DialogueStateTracker.from_events(SENDER, START)
        tracker.update_with_events(turns(1), DOMAIN)
        await store.save(tracker)
        assert len(user_messages(await store.retrieve(SENDER))) == number


async def test_what_another_server_has_written_since_is_not_overwritten(shared: str) -> None:
    ours, theirs = ConversationStore(DOMAIN, url=shared), ConversationStore(DOMAIN, url=shared)
    await ours.save(DialogueStateTracker.from_events(SENDER, [*START, *turns(1)]))

    async def go_on(store: ConversationStore, read: asyncio.Event, may_write: asyncio.Event) -> None:
        tracker = await store.retrieve(SENDER)
        assert tracker
        read.set()
        await may_write.wait()
        tracker.update_with_events(turns(1), DOMAIN)
        await store.save(tracker)

    read, is_free, is_over = asyncio.Event(), asyncio.Event(), asyncio.Event()
    slow = asyncio.create_task(go_on(ours, read, is_over))
    await read.wait()
    is_free.set()
    await asyncio.create_task(go_on(theirs, asyncio.Event(), is_free))
    is_over.set()
    with pytest.raises(StoreUnavailable):
        await slow
    assert len(user_messages(await ours.retrieve(SENDER))) == 2


async def test_of_two_servers_that_begin_a_conversation_one_does(shared: str) -> None:
    stores = [ConversationStore(DOMAIN, url=shared) for _ in range(2)]

    async def begin(store: ConversationStore) -> None:
        assert await store.retrieve(SENDER) is None
        await asyncio.sleep(0.05)
        await store.save(DialogueStateTracker.from_events(SENDER, [*START, *turns(1)]))

    outcomes = await asyncio.gather(*(begin(store) for store in stores), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(StoreUnavailable) == 1
    assert len(user_messages(await stores[0].retrieve(SENDER))) == 1


async def test_what_was_said_to_the_latest_message_is_kept_with_its_turns(store: ConversationStore) -> None:
    tracker = DialogueStateTracker.from_events(SENDER, START)
    first, second = a_turn("ask_causes", "utter_ask_causes"), a_turn("ask_treatments", "utter_ask_treatments")
    second[0].message_id = first[0].message_id  # type: ignore[attr-defined]
    for turn in (first, second):
        tracker.update_with_events(turn, DOMAIN)
        await store.save(tracker)
    said_before = await store.said(SENDER, first[0].message_id)  # type: ignore[attr-defined]
    assert [[words["text"] for words in turn] for turn in said_before] == [
        ["utter_ask_causes"],
        ["utter_ask_treatments"],
    ]
    assert said_before[0][0]["buttons"] == [{"title": "More", "payload": "/ask_causes"}]
    assert await store.said(SENDER, "another message") == []
    assert await store.said("rest:bob", first[0].message_id) == []  # type: ignore[attr-defined]

    tracker.update_with_events([said("restart"), BotUttered("bye"), Restarted()], DOMAIN)
    await store.save(tracker)
    assert await store.said(SENDER, first[0].message_id) == []  # type: ignore[attr-defined]
    latest = max(int(event.message_id) for event in tracker.events if isinstance(event, UserUttered))
    assert [[words["text"] for words in turn] for turn in await store.said(SENDER, str(latest))] == [["bye"]]


async def test_what_was_said_is_forgotten_with_the_conversation(store: ConversationStore, url: str) -> None:
    await store.save(DialogueStateTracker.from_events(SENDER, [*START, *turns(1)]))
    await store.delete(SENDER)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        assert database.execute("SELECT count(*) FROM conversation_answers").fetchone() == (0,)


class Listener(EventBroker):
    """A broker that notes what it is given, or fails."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []

    def publish(self, event: dict[str, Any]) -> None:
        self.published.append(event)


async def test_a_broker_learns_of_each_event_once_and_after_it_is_written(url: str) -> None:
    broker = Listener()
    store = ConversationStore(DOMAIN, broker, url=url)
    await store.save(DialogueStateTracker.from_events(SENDER, START))
    assert len(broker.published) == len(START)
    for _ in range(TURNS_KEPT + 5):
        tracker = await store.retrieve(SENDER)
        assert tracker
        before = len(broker.published)
        tracker.update_with_events(turns(1), DOMAIN)
        await store.save(tracker)
        assert [event["event"] for event in broker.published[before:]] == ["user", "action", "bot", "action"]
