"""Alarms: whether a message tells of a sign of an emergency, which one, and what it means after one."""

import hashlib
import itertools
import json
import zlib
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix

from assistant.nlu.encoder import Encoder, digest
from assistant.nlu.featurizer import CLAUSES_KEY, ENCODER_FOLDER, VECTORS_KEY, split
from assistant.nlu.regression import SoftmaxRegression, fit
from assistant.nlu.signs import FOLDER, NO_SIGN, SIGN_KEY, Signs, sentences_of
from clinic.intents import REPORT_RED_FLAG

# How likely it is that a message tells of a sign.
ALARM_KEY = "alarm"
# What a message means after an alarm, and how sure that is.
AFTER_KEY = "after_alarm"
AFTER_FILE = FOLDER / "after.yml"
_COLUMNS = 2**16
# Columns of a sparse row, and their values.
Row = tuple[np.ndarray, np.ndarray]
_WORDS_AT_HAND = 4096
_HEADS = ("alarm", "sign", "after")


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class Alarms(GraphComponent):
    """Puts on each message `ALARM_KEY`, `AFTER_KEY` and, where it tells of a sign, that sign's name under `SIGN_KEY`.

    It learns from the sentences of `data/safety/`, with the examples of all other intents as what is none. The few
    patterns count where the learned head does not rule the message out.
    """

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {
            # As for `SentenceClassifier`: what squared weights cost, and what n-grams and words weigh.
            "alpha": 1.2e-6,
            "word_weight": 1.5,
            "ngram_range": [3, 5],
            "iterations": 60,
            # What a sentence of `data/safety/` weighs beside another example.
            "sentence_weight": 6.0,
            # From here on a message is an alarm.
            "threshold": 0.27,
            # From here on a clause is an alarm, where the whole does not speak against it.
            "clause_threshold": 0.95,
            # Below this no pattern and no clause counts.
            "least": 0.03,
            # Of the signs that are as likely as this, the most urgent one is answered.
            "likely": 0.25,
            # Rasa trains anew what has another configuration.
            "sentences": _digest(FOLDER),
            "encoder": digest(ENCODER_FOLDER),
        }

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._signs = Signs()
        # No n-gram goes beyond a word, and words come again.
        self._ngrams_of = lru_cache(_WORDS_AT_HAND)(self._ngrams)
        self._names: dict[str, list[str]] = {}
        self._models: dict[str, SoftmaxRegression] = {}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "Alarms":
        return cls(config, model_storage, resource)

    def train(self, training_data: TrainingData) -> Resource:
        encoder = Encoder(ENCODER_FOLDER)
        others = [example for example in training_data.intent_examples if example.get(TEXT)]
        sentences = list(self._signs.examples())
        texts = [text for text, _ in sentences]
        vectors = encoder.encode_many([split(text)[0] for text in texts])
        signs = np.array([sign for _, sign in sentences])
        is_alarm = np.array(
            [*(signs != NO_SIGN), *(example.get(INTENT) == REPORT_RED_FLAG for example in others)], dtype=int
        )
        weights = np.array([self._config["sentence_weight"]] * len(texts) + [1.0] * len(others))
        of_others = np.concatenate([example.get_dense_features(TEXT)[1].features for example in others])
        sparse = self._sparse([*texts, *(example.get(TEXT) for example in others)])
        dense = np.concatenate([vectors, of_others])
        self._fit("alarm", dense, sparse, is_alarm, weights)
        told = np.flatnonzero(signs != NO_SIGN)
        # Which sign it is, the meaning tells alone.
        self._fit("sign", vectors[told], csr_matrix((len(told), 1), dtype=np.float32), signs[told])
        after = list(sentences_of(yaml.safe_load(AFTER_FILE.read_text(encoding="utf-8"))["after"]))
        texts = [text for text, _ in after]
        meanings = np.array([meaning for _, meaning in after])
        self._fit("after", encoder.encode_many([split(text)[0] for text in texts]), self._sparse(texts), meanings)
        self._persist()
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            text = message.get(TEXT)
            if not text:
                continue
            vectors, rows = message.get(VECTORS_KEY), list(map(self._row, [text, *message.get(CLAUSES_KEY)]))
            alarm = self._probabilities("alarm", vectors, rows)[:, 1]
            message.set(ALARM_KEY, round(float(alarm[0]), 3), add_to_output=True)
            after = self._probabilities("after", vectors[:1], rows[:1])[0]
            best = int(np.argmax(after))
            message.set(AFTER_KEY, [self._names["after"][best], round(float(after[best]), 3)], add_to_output=True)
            sign = self._sign(text, alarm, vectors)
            if sign:
                message.set(SIGN_KEY, sign, add_to_output=True)
        return messages

    def _sign(self, text: str, alarm: np.ndarray, vectors: np.ndarray) -> str | None:
        """Return the sign that a text tells of, by a pattern or by what was learned."""
        if alarm[0] < self._config["least"]:
            return None
        found = self._signs.find(text)
        if found:
            return found
        clause = int(np.argmax(alarm[1:])) + 1 if len(alarm) > 1 else 0
        if alarm[0] < self._config["threshold"] and alarm[clause] < self._config["clause_threshold"]:
            return None
        place = 0 if alarm[0] >= self._config["threshold"] else clause
        signs = self._models["sign"].probabilities(vectors[place : place + 1], np.zeros(1, dtype=np.float32))[0]
        likely = min(self._config["likely"], float(signs.max()))
        told = [
            (self._signs.urgency(name), -share, name)
            for name, share in zip(self._names["sign"], signs, strict=True)
            if share >= likely
        ]
        return min(told)[2]

    def _fit(
        self, head: str, dense: np.ndarray, sparse: csr_matrix, labels: np.ndarray, weights: np.ndarray | None = None
    ) -> None:
        names, classes = np.unique(labels, return_inverse=True)
        self._names[head] = [str(name) for name in names]
        rows = np.ones(len(labels)) if weights is None else weights
        self._models[head] = fit(dense, sparse, classes, rows, self._config["alpha"], self._config["iterations"])

    def _probabilities(self, head: str, dense: np.ndarray, rows: list[Row]) -> np.ndarray:
        """Return the probability of each name of a head for each row: float32, (rows, names)."""
        model = self._models[head]
        return model.probabilities(dense, np.stack([values @ model.sparse[columns] for columns, values in rows]))

    def _sparse(self, texts: list[str]) -> csr_matrix:
        """Return the n-grams and words of texts: float32, (texts, 2 * _COLUMNS)."""
        rows = [self._row(text) for text in texts]
        columns, values = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        ends = np.cumsum([0, *(len(row) for row, _ in rows)])
        return csr_matrix((values, columns, ends), shape=(len(texts), 2 * _COLUMNS))

    def _row(self, text: str) -> Row:
        """Return the columns of a text's n-grams and words, and what each counts."""
        words = self._signs.repaired(text).split()
        ngrams = Counter(itertools.chain.from_iterable(map(self._ngrams_of, words)))
        pairs = (f"{one} {other}" for one, other in itertools.pairwise(words))
        whole = Counter(_COLUMNS + _column(term) for term in (*words, *pairs))
        return (
            np.array([*ngrams, *whole], dtype=np.int32),
            np.concatenate([_unit(ngrams), _unit(whole) * np.float32(self._config["word_weight"])]),
        )

    def _ngrams(self, word: str) -> list[int]:
        least, most = self._config["ngram_range"]
        padded = f" {word} "
        return [
            _column(padded[start : start + length])
            for length in range(least, most + 1)
            for start in range(max(len(padded) - length, 0) + 1)
        ]

    def _persist(self) -> None:
        """Write the heads as plain arrays and texts, which loading cannot turn into code."""
        with self._model_storage.write_to(self._resource) as folder:
            arrays = {
                f"{head}_{part}": getattr(model, part)
                for head, model in self._models.items()
                for part in ("dense", "sparse", "bias")
            }
            np.savez_compressed(folder / "arrays.npz", **arrays)
            (folder / "names.json").write_text(json.dumps(self._names), encoding="utf-8")

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> "Alarms":
        alarms = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            arrays = np.load(folder / "arrays.npz", allow_pickle=False)
            alarms._names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
        for head in _HEADS:
            parts = (arrays[f"{head}_{part}"] for part in ("dense", "sparse", "bias"))
            alarms._models[head] = SoftmaxRegression(*parts)
        return alarms


def _column(term: str) -> int:
    return zlib.crc32(term.encode()) % _COLUMNS


def _unit(counts: Counter[int]) -> np.ndarray:
    """Return counts as a vector of length 1, or nothing."""
    values = np.array([*counts.values()], dtype=np.float32)
    return values / max(float(np.linalg.norm(values)), 1.0)


def _digest(folder: Path) -> str:
    """Return a digest of all files of a folder."""
    files = sorted(folder.rglob("*.yml"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
