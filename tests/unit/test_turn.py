"""What one message takes of the model."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import structlog
from onnxruntime import InferenceSession
from rasa.core.agent import Agent, load_agent
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.core.utils import AvailableEndpoints

from assistant.clinic import ROOT
from assistant.gate import Gate
from assistant.startup import MODEL


@pytest.fixture
async def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """The newest model with the stores of `endpoints.yml`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'conversations.db'}")
    monkeypatch.setenv("ACTION_URL", "http://127.0.0.1:9/webhook")
    monkeypatch.setenv("ACTION_TOKEN", "none")
    return await load_agent(str(MODEL), endpoints=AvailableEndpoints.read_endpoints(str(ROOT / "endpoints.yml")))


async def test_the_encoder_runs_once_a_message(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
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
    (answer,) = await said_to("what causes runner's knee?")
    assert runs["encoder"] == 1
    # What a button says is known and not to be understood.
    assert await said_to(answer["buttons"][0]["payload"])
    assert runs["encoder"] == 0
