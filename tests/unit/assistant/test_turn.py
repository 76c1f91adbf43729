"""What one message takes of the model."""

import json
import logging
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import structlog
from onnxruntime import InferenceSession
from rasa.core.agent import Agent, load_agent
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.core.utils import AvailableEndpoints
from rasa.shared.core.events import BotUttered

from assistant.gate import LONGEST_MESSAGE, Gate
from assistant.rasa import tuning
from assistant.startup import MODEL
from clinic.profile import ROOT


@pytest.fixture
async def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """The newest model with the stores of `endpoints.yml`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'conversations.db'}")
    monkeypatch.setenv("ACTION_URL", "http://127.0.0.1:9/webhook")
    monkeypatch.setenv("ACTION_TOKEN", "none")
    for owner, name, _ in tuning.PATCHES:
        monkeypatch.setattr(owner, name, getattr(owner, name, None), raising=False)
    return await load()


async def load() -> Agent:
    return await load_agent(str(MODEL), endpoints=AvailableEndpoints.read_endpoints(str(ROOT / "endpoints.yml")))


async def events_of(agent: Agent, user: str) -> list[str]:
    """Return what happens in a conversation, apart from the words of its answers."""
    gate, output = Gate(lambda: agent, seconds=60), CollectingOutputChannel()
    for text in (
        "hello",
        "what causes it?",
        "tell me more",
        "My knee hurts. What should I do?",
        "do insoles help, and which exercises do?",
        "does that help with Lupus",
        "i want to book an appointment",
        "what does the clinic cost?",
        "stop",
        "the bone sticks out of my leg",
    ):
        await gate(UserMessage(text, output, user, input_channel="rest"))
    tracker = await agent.tracker_store.retrieve(user)
    assert tracker is not None
    return [str(event) for event in tracker.events if not isinstance(event, BotUttered)]


async def test_a_server_does_what_rasas_own_engine_does(agent: Agent, tmp_path: Path) -> None:
    agent.tracker_store = agent.processor.tracker_store = agent.tracker_store._tracker_store
    done = await events_of(agent, "rest:ana")
    ours = tuning.tune(await load())
    assert isinstance(ours.processor.graph_runner, tuning.SequentialRunner)
    assert await events_of(ours, "rest:bo") == done
    assert len(done) > 30

    # Each event was written once, when it was new; the row still holds all of them as they are.
    tracker = await ours.tracker_store.retrieve("rest:bo")
    assert tracker is not None
    with sqlite3.connect(tmp_path / "conversations.db") as connection:
        ((written,),) = connection.execute("SELECT events FROM conversations WHERE id = 'rest:bo'").fetchall()
    assert json.loads(written) == json.loads(json.dumps([event.as_dict() for event in tracker.events]))


async def test_the_encoder_runs_once_a_message(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    tuning.tune(agent)
    gate, runs = Gate(lambda: agent, seconds=60), Counter[str]()

    async def said_to(text: str) -> list[dict[str, Any]]:
        """Say something; return what was answered, and count anew."""
        output = CollectingOutputChannel()
        runs.clear()
        await gate(UserMessage(text, output, "rest:ana", input_channel="rest"))
        return output.messages

    def counted(session: InferenceSession, *arguments: Any) -> Any:
        runs["encoder"] += 1
        return run(session, *arguments)

    run = InferenceSession.run
    monkeypatch.setattr(InferenceSession, "run", counted)
    assert len(await said_to("What causes it? And how do I treat it?")) == 2
    assert runs["encoder"] == 1
    assert await said_to("My knee hurts. It clicks when I take the stairs! I run a lot. What should I do?")
    assert runs["encoder"] == 1
    story = "".join(
        f"On day {day} the front of my knee was sore again after I had climbed the stairs. " for day in range(30)
    )
    assert await said_to(f"{story[: LONGEST_MESSAGE - 30]}. What should I do about it?")
    assert runs["encoder"] == 1
    (answer,) = await said_to("what causes runner's knee?")
    assert runs["encoder"] == 1
    # What a button says is known and not to be understood.
    assert await said_to(answer["buttons"][0]["payload"])
    assert runs["encoder"] == 0
