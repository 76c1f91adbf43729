"""The aspects that questions may have, and the examples that teach them."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from assistant.nlu import aspects
from assistant.nlu.aspects import ASKED_KEY, ASPECTS_FILE, AspectClassifier, aspect_examples
from clinic.articles import the_library

LISTS = yaml.safe_load(ASPECTS_FILE.read_text(encoding="utf-8"))
FEWEST_SHAPES, FEWEST_OF_AN_ASPECT = 500, 20
# What is never asked, but said: in the place of an aspect, beside what the article is silent on.
SAID = {"nearest"}


def test_the_examples_are_the_same_each_time() -> None:
    assert list(aspect_examples(ASPECTS_FILE)) == list(aspect_examples(ASPECTS_FILE))


def test_there_are_many_shapes_and_none_stands_under_two_aspects() -> None:
    shapes = [shape for listed in LISTS["aspects"].values() for shape in listed]
    assert len(shapes) >= FEWEST_SHAPES
    assert [shape for shape, count in Counter(shapes).items() if count > 1] == []
    assert [aspect for aspect, listed in LISTS["aspects"].items() if len(listed) < FEWEST_OF_AN_ASPECT] == []


def test_every_hole_of_a_shape_can_be_filled() -> None:
    assert [text for _, _, text in aspect_examples(ASPECTS_FILE) if "{" in text] == []


def test_every_text_of_an_aspect_can_be_asked_for() -> None:
    answered = {
        condition["value"]
        for variations in the_library().responses.values()
        for variation in variations
        for condition in variation.get("condition", [])
        if condition["name"] == "aspect"
    }
    assert answered - SAID <= set(LISTS["aspects"])


class FakeEncoder:
    """Gives each text a vector of its own."""

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        pass

    def encode_many(self, texts: list[list[str]]) -> np.ndarray:
        chance = [np.random.default_rng(sum(map(ord, " ".join(text)))) for text in texts]
        return np.stack([each.normal(size=8, scale=0.01) for each in chance]).astype(np.float32)


def test_what_was_trained_is_loaded_and_tells_the_aspect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aspects, "Encoder", FakeEncoder)
    storage, resource = LocalModelStorage(tmp_path), Resource("aspects")
    config = AspectClassifier.get_default_config()
    context = ExecutionContext(GraphSchema({}))
    AspectClassifier.create(config, storage, resource, context).train(TrainingData())
    loaded = AspectClassifier.load(config, storage, resource, context)
    texts = ["does ice help and how long should i rest", "how long should i rest"]
    message = Message(
        {"text": texts[0], "clauses": texts[1:], "vectors": FakeEncoder().encode_many([[each] for each in texts])}
    )
    ranking = [{"name": "ask_treatment_rice", "confidence": 0.9}]
    message.set("intent_ranking", ranking)
    message.set("clause_rankings", [ranking])
    loaded.process([message])
    whole, clause = message.get(ASKED_KEY)
    assert clause["aspect"] == "long"
    assert clause["named"] == [["thing", "rest", "ask_treatment_rice"]]
    assert clause["unknown"] == 0
    assert whole["intent"] == ["ask_treatment_rice", 0.9]
