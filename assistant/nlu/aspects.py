"""What a message asks of its topic: the aspect (why, how long, is it safe ...), and the things that it names."""

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix

from assistant.nlu.classifier import CLAUSE_RANKINGS_KEY
from assistant.nlu.encoder import Encoder, digest
from assistant.nlu.featurizer import CLAUSES_KEY, ENCODER_FOLDER, VECTORS_KEY, split
from assistant.nlu.regression import SoftmaxRegression, fit
from assistant.nlu.things import the_things, words
from clinic.profile import ROOT

ASPECTS_FILE = ROOT / "data" / "lookups" / "aspects.yml"
# What a message and each of its clauses ask; in a turn, what that turn asks.
ASKED_KEY = "asked"
_SLOT = re.compile(r"\{(\w)\}")
_EXAMPLES_OF_A_SHAPE = 3
_EXAMPLES_OF_A_FILLED_SHAPE = 5
_TYPOS, _QUESTION_MARKS = 0.15, 0.3
_LEAST_EXAMPLES = 2
_ITERATIONS = 80
# What tells where a text begins and ends, so that a lone "why" is not the one of "why would I".
_BEGINNING, _END = "<", ">"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class AspectClassifier(GraphComponent):
    """Puts on each message what it and each of its clauses ask, under `ASKED_KEY`.

    Each is {text, aspect, confidence, intent, named, unknown}: `intent` is the likeliest one and how likely it is,
    `named` the things it names, `unknown` how many of its words are neither these nor of the kind that any question
    is made of. The vectors are those of the intent's classifier, so that the encoder does not run again.
    """

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {
            # As for `SentenceClassifier`.
            "alpha": 3e-5,
            # What the words of a text weigh beside its embedding.
            "word_weight": 1.0,
            # Rasa trains anew what has another configuration.
            "examples": hashlib.sha256(ASPECTS_FILE.read_bytes()).hexdigest(),
            "encoder": digest(ENCODER_FOLDER),
        }

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._things = the_things()
        self._aspects: list[str] = []
        # The column of each run of one to three words.
        self._columns: dict[str, int] = {}
        # The words of the shapes, which any question may be made of.
        self._common: frozenset[str] = frozenset()
        self._model: SoftmaxRegression

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "AspectClassifier":
        return cls(config, model_storage, resource)

    def train(self, training_data: TrainingData) -> Resource:
        examples = list(aspect_examples(ASPECTS_FILE))
        texts = [text for _, _, text in examples]
        self._common = frozenset(word for _, shape, _ in examples for word in words(_SLOT.sub(" ", shape)))
        counts = Counter(run for text in texts for run in set(_runs(text)))
        common_runs = sorted(run for run, count in counts.items() if count >= _LEAST_EXAMPLES)
        self._columns = {run: column for column, run in enumerate(common_runs)}
        aspects, classes = np.unique([aspect for aspect, _, _ in examples], return_inverse=True)
        self._aspects = aspects.tolist()
        encoder = Encoder(ENCODER_FOLDER)
        self._model = fit(
            encoder.encode_many([split(text)[0] for text in texts]),
            self._sparse(texts),
            classes,
            _weights(examples),
            self._config["alpha"],
            _ITERATIONS,
        )
        self._persist()
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            if not message.get(TEXT):
                continue
            texts = [message.get(TEXT), *message.get(CLAUSES_KEY)]
            rankings = [message.get(INTENT_RANKING_KEY), *message.get(CLAUSE_RANKINGS_KEY)]
            of_sparse = np.stack([self._of_words(text) for text in texts])
            probabilities = self._model.probabilities(message.get(VECTORS_KEY), of_sparse)
            asked = [self._asked(*each) for each in zip(texts, rankings, probabilities, strict=True)]
            message.set(ASKED_KEY, asked, add_to_output=True)
        return messages

    def _asked(self, text: str, ranking: list[dict[str, Any]], probabilities: np.ndarray) -> dict[str, Any]:
        best = int(np.argmax(probabilities))
        named = self._things.find(text)
        said = set(words(text)) - {word for thing in named for word in words(thing.spelling)}
        return {
            TEXT: text,
            "aspect": self._aspects[best],
            "confidence": round(float(probabilities[best]), 3),
            "intent": [ranking[0]["name"], ranking[0]["confidence"]],
            "named": [[thing.kind, thing.name, thing.topic] for thing in named],
            "unknown": len(said - self._common),
        }

    def _of_words(self, text: str) -> np.ndarray:
        """Return the words of a text by their weights: float32, (aspects,)."""
        columns = self._columns_of(text)
        if not columns:
            return np.zeros(len(self._aspects), dtype=np.float32)
        return self._model.sparse[columns].sum(axis=0) * (self._config["word_weight"] / len(columns) ** 0.5)

    def _sparse(self, texts: list[str]) -> csr_matrix:
        """Return the words of texts: float32, (texts, runs of words), each row of the length `word_weight`."""
        rows = [self._columns_of(text) for text in texts]
        values = [self._config["word_weight"] / len(row) ** 0.5 for row in rows for _ in row]
        ends = np.cumsum([0, *map(len, rows)])
        return csr_matrix(
            (np.array(values, dtype=np.float32), np.concatenate(rows).astype(np.int32), ends),
            shape=(len(texts), len(self._columns)),
        )

    def _columns_of(self, text: str) -> list[int]:
        return [column for run in set(_runs(text)) if (column := self._columns.get(run)) is not None]

    def _persist(self) -> None:
        """Write the model as plain arrays and texts, which loading cannot turn into code."""
        with self._model_storage.write_to(self._resource) as folder:
            np.savez(folder / "arrays.npz", dense=self._model.dense, sparse=self._model.sparse, bias=self._model.bias)
            names = {"aspects": list(self._aspects), "runs": list(self._columns), "common": sorted(self._common)}
            (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> "AspectClassifier":
        classifier = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            arrays = np.load(folder / "arrays.npz", allow_pickle=False)
            names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
        classifier._aspects, classifier._common = names["aspects"], frozenset(names["common"])
        classifier._columns = {run: column for column, run in enumerate(names["runs"])}
        classifier._model = SoftmaxRegression(arrays["dense"], arrays["sparse"], arrays["bias"])
        return classifier


def aspect_examples(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (aspect, shape, text), the same ones in the same order each time: as they stand, in a context, misspelt."""
    lists: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    chance = random.Random(0)  # noqa: S311  (for variety, not for secrets)
    for aspect, shapes in lists["aspects"].items():
        for shape in shapes:
            count = _EXAMPLES_OF_A_FILLED_SHAPE if _SLOT.search(shape) else _EXAMPLES_OF_A_SHAPE
            for index in range(count):
                text = _SLOT.sub(lambda slot: chance.choice(lists["fillings"][slot[1]]), shape)
                if index % 3 == 1:
                    text = chance.choice(lists["before"]) + text
                elif index % 3 == 2:
                    text = text.rstrip("?") + chance.choice(lists["after"])
                if index and chance.random() < _TYPOS:
                    text = _misspelt(text, chance)
                if chance.random() < _QUESTION_MARKS and aspect not in lists["no_questions"]:
                    text = text.rstrip("?") + "?"
                yield aspect, shape, text


def _misspelt(text: str, chance: random.Random) -> str:
    """Return a text with a letter of one of its longer words left out or exchanged with the next."""
    said = text.split()
    long = [index for index, word in enumerate(said) if len(word) > 3]
    if long:
        index = chance.choice(long)
        word = said[index]
        place = chance.randrange(1, len(word) - 1)
        swapped = word[place + 1] + word[place] if chance.random() < 0.5 else word[place + 1]
        said[index] = word[:place] + swapped + word[place + 2 :]
    return " ".join(said)


def _weights(examples: list[tuple[str, str, str]]) -> np.ndarray:
    """Return what each example counts: each shape the same, and an aspect with few shapes more than by their number."""
    of_shape = Counter((aspect, shape) for aspect, shape, _ in examples)
    shapes = Counter(aspect for aspect, _ in of_shape)
    weights = np.array([1 / of_shape[aspect, shape] / shapes[aspect] ** 0.5 for aspect, shape, _ in examples])
    return weights * len(weights) / weights.sum()


def _runs(text: str) -> list[str]:
    """Return the runs of one to three words of a text, its beginning and end among them."""
    said = [_BEGINNING, *words(text), _END]
    return [" ".join(said[start : start + count]) for count in (1, 2, 3) for start in range(len(said) - count + 1)]
