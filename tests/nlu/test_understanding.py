"""How well questions that no training file repeats are understood."""

import asyncio
import logging
import math
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage

from assistant.nlu.importer import contrastive_examples
from assistant.rasa.tuning import tune
from clinic.articles import Library, the_library
from clinic.profile import ROOT

REFUSED = frozenset({"ask_beyond_article", "ask_clinic_admin", "ask_other_condition", "out_of_scope"})
ANSWERED = the_library().intents_of("answer")
LEAST_QUESTIONS = 400
MOST_ARTICLE_FAULTS = 0.08
MOST_WRONG_TOPICS = 0.03
MOST_UNSEEN_EMERGENCIES = 0.02
MOST_REFUSED_ANSWERED = 0.02
MOST_FALSE_ALARMS = 0.005
LEAST_EXAMPLES = 120
# Of the words of a question and an example together, the share that both may have.
MOST_ALIKE = 0.9

Question = tuple[str, str]


QUESTIONS = 400
MOST_ARTICLE_FAULTS = 0.08
MOST_WRONG_TOPICS = 0.03
MOST_UNSEEN_EMERGENCIES = 0.02
MOST_REFUSED_ANSWERED = 0.02
LEAST_EXAMPLES = 120
# Of the words of a question and an example together, the share that both may have.
MOST_ALIKE = 0.9

Question = tuple[str, str]


def read(folder: Path) -> list[Question]:
    """Return (intent, text) of each example in a folder of Rasa's NLU files."""
    return [
        (block["intent"], line.removeprefix("- ").strip())
        for path in sorted(folder.glob("*.yml"))
        for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
        for line in block["examples"].splitlines()
    ]


QUESTIONS = Library([ROOT / "tests" / "nlu"]).examples
EXAMPLES = the_library().examples


@lru_cache
def agent() -> Agent:
    """Load the newest model."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return tune(Agent.load(max((ROOT / "models").glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)))


def parse(texts: list[str]) -> list[dict[str, Any]]:
    """Return what the model understands of each text."""

    async def parsed() -> list[dict[str, Any]]:
        processor = agent().processor
        assert processor
        return [await processor.parse_message(UserMessage(text)) for text in texts]

    return asyncio.run(parsed())


@lru_cache
def understood() -> list[tuple[str, str, str]]:
    """Return (intent wanted, intent understood, text) of each question."""
    messages = parse([text for _, text in QUESTIONS])
    return [
        (intent, message["intent"]["name"], text) for (intent, text), message in zip(QUESTIONS, messages, strict=True)
    ]


def share(group: list[tuple[str, str, str]], faults: list[tuple[str, str, str]]) -> tuple[float, str]:
    """Return the share of faults in a group, and the faults as lines."""
    lines = "\n".join(f"  {wanted} -> {got}: {text}" for wanted, got, text in faults)
    return len(faults) / len(group), f"{len(faults)} of {len(group)}:\n{lines}"


def test_article_questions_are_understood() -> None:
    group = [row for row in understood() if row[0] in ANSWERED]
    faults, lines = share(group, [row for row in group if row[0] != row[1]])
    assert faults <= MOST_ARTICLE_FAULTS, lines


def test_few_article_questions_get_another_topic() -> None:
    group = [row for row in understood() if row[0] in ANSWERED]
    faults, lines = share(group, [row for row in group if row[0] != row[1] and row[1] in ANSWERED])
    assert faults <= MOST_WRONG_TOPICS, lines


def test_signs_of_an_emergency_are_seen() -> None:
    group = [row for row in understood() if row[0] == "report_red_flag"]
    faults, lines = share(group, [row for row in group if row[0] != row[1]])
    assert faults <= MOST_UNSEEN_EMERGENCIES, lines


def test_what_is_refused_is_not_answered_from_the_article() -> None:
    group = [row for row in understood() if row[0] in REFUSED]
    faults, lines = share(group, [row for row in group if row[1] in ANSWERED])
    assert faults <= MOST_REFUSED_ANSWERED, lines


def test_told_pain_is_not_answered_from_the_article() -> None:
    group = [row for row in understood() if row[0] == "describe_symptoms"]
    faults, lines = share(group, [row for row in group if row[1] in ANSWERED])
    assert faults <= 0.05, lines


def test_conversation_is_understood() -> None:
    known = ANSWERED | REFUSED | {"report_red_flag", "describe_symptoms"}
    group = [row for row in understood() if row[0] not in known]
    faults, lines = share(group, [row for row in group if row[0] != row[1]])
    assert faults <= 0.08, lines


def test_an_example_is_understood_word_for_word() -> None:
    """An editor who adds one can rely on it; only what is said of signs and of other conditions comes before it."""
    # Some letters of other languages are others again when they are made small.
    examples = [(intent, text) for intent, text in EXAMPLES[::40] if text.upper().lower() == text.lower()]
    messages = parse([text.upper() for _, text in examples])
    found = [message["intent_ranking"][0]["name"] for message in messages]
    faults = [(text, intent, got) for (intent, text), got in zip(examples, found, strict=True) if got != intent]
    alarms = [fault for fault in faults if fault[2] == "report_red_flag"]
    assert [fault for fault in faults if fault[2] != "report_red_flag"] == []
    assert len(alarms) <= MOST_FALSE_ALARMS * len(examples), alarms


def test_no_question_is_a_training_example() -> None:
    taught = {_words(text) for _, text in [*EXAMPLES, *contrastive_examples(the_library())]} - {""}
    assert [text for _, text in QUESTIONS if _words(text) in taught] == []


def test_no_question_is_nearly_a_training_example() -> None:
    taught: dict[int, set[frozenset[str]]] = {}
    for _, text in [*EXAMPLES, *contrastive_examples(the_library())]:
        taught.setdefault(len(_bag(text)), set()).add(_bag(text))
    near = []
    for _, text in QUESTIONS:
        bag = _bag(text)
        # Bags as alike as that are of nearly one size.
        sizes = range(math.ceil(len(bag) * MOST_ALIKE), int(len(bag) / MOST_ALIKE) + 1) if bag else ()
        if any(len(bag & other) / len(bag | other) >= MOST_ALIKE for size in sizes for other in taught.get(size, ())):
            near.append(text)
    assert near == []


def test_there_are_enough_questions_of_every_intent() -> None:
    domain = the_library().domain()
    assert set(domain["intents"]) - {"nlu_fallback"} == {intent for intent, _ in QUESTIONS}
    assert len({_words(text) for _, text in QUESTIONS}) >= LEAST_QUESTIONS


@pytest.mark.parametrize("intent", sorted(ANSWERED))
def test_every_article_intent_has_enough_examples(intent: str) -> None:
    assert Counter(name for name, _ in EXAMPLES)[intent] >= LEAST_EXAMPLES


def test_no_example_stands_under_two_intents() -> None:
    intents: dict[str, set[str]] = {}
    for intent, text in EXAMPLES:
        intents.setdefault(_words(text) or text, set()).add(intent)
    assert {text: names for text, names in intents.items() if len(names) > 1} == {}


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _bag(text: str) -> frozenset[str]:
    """Return the words of a text whatever their order, "you're" and "youre" being one."""
    return frozenset(_words(text.replace("'", "").replace("’", "")).split())
