"""The intent classifier: logistic regression on the sentence embedding, character n-grams and words."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, INTENT_RANKING_KEY, PREDICTED_CONFIDENCE_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.class_weight import compute_sample_weight

from assistant.nlu.featurizer import CLAUSES_KEY, VECTORS_KEY
from assistant.nlu.regression import SoftmaxRegression, fit

CLAUSE_RANKINGS_KEY = "clause_rankings"
_WORD = re.compile(r"[\w']+")
_WORDS_AT_HAND = 4096
# How sure it is of the intent of a text that is an example word for word.
_CERTAINTY = 0.9


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class SentenceClassifier(GraphComponent, IntentClassifier):
    """Gives each message a ranking of all intents, and each of its clauses one of its own.

    What is an example word for word has the intent of that example, whatever the many others make of it.
    """

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {
            # What squared weights cost beside the mean loss of an example, as in scikit-learn's SGDClassifier: the best
            # strength is nearly the same for few examples and for many.
            "alpha": 2.4e-6,
            # None, or 'balanced', which costs precision on questions about other conditions.
            "class_weight": None,
            # What the vector of a text's character n-grams or words (of length 1) weighs beside its embedding.
            "ngram_weight": 1.0,
            "word_weight": 1.5,
            "ngram_range": [3, 5],
            # In how many examples an n-gram or a word must occur.
            "ngram_min_df": 3,
            "word_min_df": 2,
            # Stopping before convergence generalises no worse and halves the time.
            "iterations": 60,
        }

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._ngrams = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=tuple(config["ngram_range"]),
            min_df=config["ngram_min_df"],
            sublinear_tf=True,
            dtype=np.float32,
        )
        self._words = TfidfVectorizer(
            tokenizer=_WORD.findall,
            token_pattern=None,
            ngram_range=(1, 2),
            min_df=config["word_min_df"],
            sublinear_tf=True,
            dtype=np.float32,
        )
        self._analyze_words = self._words.build_analyzer()
        analyze_ngrams = self._ngrams.build_analyzer()
        # No n-gram goes beyond a word, and words come again.
        self._ngrams_of = lru_cache(_WORDS_AT_HAND)(lambda word: _columns(self._ngrams, analyze_ngrams(word)))
        self._intents: list[str] = []
        # The index of the intent of each example, by its words.
        self._examples: dict[str, int] = {}
        self._model: SoftmaxRegression

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "SentenceClassifier":
        return cls(config, model_storage, resource)

    def train(self, training_data: TrainingData) -> Resource:
        examples = [example for example in training_data.intent_examples if example.get(TEXT)]
        texts = [example.get(TEXT) for example in examples]
        self._ngrams.fit(texts)
        self._words.fit(texts)
        intents = [example.get(INTENT) for example in examples]
        found, classes = np.unique(intents, return_inverse=True)
        self._intents = found.tolist()
        self._examples = _without_doubts(zip(map(_words, texts), classes.tolist(), strict=True))
        self._model = fit(
            np.concatenate([_vector(example) for example in examples]),
            self._tf_idf(texts),
            classes,
            compute_sample_weight(self._config["class_weight"], intents),
            self._config["alpha"],
            self._config["iterations"],
        )
        self.persist()
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            if not message.get(TEXT):
                continue
            texts = [message.get(TEXT), *message.get(CLAUSES_KEY)]
            rows = map(self._row, texts)
            of_sparse = np.stack([values @ self._model.sparse[columns] for columns, values in rows])
            probabilities = self._model.probabilities(message.get(VECTORS_KEY), of_sparse)
            for row, text in zip(probabilities, texts, strict=True):
                known = self._examples.get(_words(text))
                if known is not None:
                    row *= 1 - _CERTAINTY
                    row[known] += _CERTAINTY
            ranking = self._ranking(probabilities[0])
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
            message.set(CLAUSE_RANKINGS_KEY, [self._ranking(row) for row in probabilities[1:]])
        return messages

    def _tf_idf(self, texts: list[str]) -> csr_matrix:
        """Return the weighted tf-idf of each text: float32, (texts, n-grams + words)."""
        rows = [self._row(text) for text in texts]
        columns, values = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        ends = np.cumsum([0, *(len(row) for row, _ in rows)])
        width = len(self._ngrams.vocabulary_) + len(self._words.vocabulary_)
        return csr_matrix((values, columns, ends), shape=(len(texts), width))

    def _row(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns in which a text has a weighted tf-idf, and these."""
        in_ngrams = itertools.chain.from_iterable(map(self._ngrams_of, text.split()))
        ngrams, of_ngrams = _term_weights(self._ngrams, in_ngrams)
        words, of_words = _term_weights(self._words, _columns(self._words, self._analyze_words(text)))
        return (
            np.concatenate([ngrams, words + len(self._ngrams.vocabulary_)]),
            np.concatenate([of_ngrams * self._config["ngram_weight"], of_words * self._config["word_weight"]]),
        )

    def _ranking(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        confidences = probabilities.tolist()
        return [
            {INTENT_NAME_KEY: self._intents[index], PREDICTED_CONFIDENCE_KEY: confidences[index]}
            for index in np.argsort(-probabilities).tolist()
        ]

    def persist(self) -> None:
        """Write the model as plain arrays and texts, which loading cannot turn into code."""
        with self._model_storage.write_to(self._resource) as folder:
            np.savez(
                folder / "arrays.npz",
                ngrams=self._ngrams.idf_,
                words=self._words.idf_,
                dense=self._model.dense,
                sparse=self._model.sparse,
                bias=self._model.bias,
            )
            names = {
                "intents": list(self._intents),
                "ngrams": list(self._ngrams.get_feature_names_out()),
                "words": list(self._words.get_feature_names_out()),
                "examples": self._examples,
            }
            (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> "SentenceClassifier":
        classifier = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            arrays = np.load(folder / "arrays.npz", allow_pickle=False)
            names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
        classifier._intents, classifier._examples = names["intents"], names["examples"]
        for vectorizer, kind in ((classifier._ngrams, "ngrams"), (classifier._words, "words")):
            vectorizer.vocabulary_ = {name: index for index, name in enumerate(names[kind])}
            vectorizer.idf_ = arrays[kind]
        classifier._model = SoftmaxRegression(arrays["dense"], arrays["sparse"], arrays["bias"])
        return classifier


def _words(text: str) -> str:
    """Return the words of a text alone, or the text where there is none."""
    return " ".join(_WORD.findall(text.lower())) or text


def _without_doubts(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the intent of each text that has only one."""
    found: dict[str, set[int]] = {}
    for text, intent in pairs:
        found.setdefault(text, set()).add(intent)
    return {text: intents.pop() for text, intents in found.items() if len(intents) == 1}


def _vector(message: Message) -> np.ndarray:
    """Return a message's sentence embedding, shape (1, DIMENSIONS)."""
    _, sentence = message.get_dense_features(TEXT)
    if sentence is None:
        raise ValueError("SentenceClassifier needs SentenceFeaturizer before it in config.yml.")
    return sentence.features


def _columns(vectorizer: TfidfVectorizer, terms: list[str]) -> list[int]:
    """Return the columns of those terms that a vectorizer knows."""
    return [column for term in terms if (column := vectorizer.vocabulary_.get(term)) is not None]


def _term_weights(vectorizer: TfidfVectorizer, terms: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns and values, int32 and float32, of what `transform` makes of the terms of one text.

    For a single message, `transform` spends most of its time on checks.
    """
    counts = Counter(terms)
    columns = np.array([*counts], dtype=np.int32)
    values = (1 + np.log(np.array([*counts.values()], dtype=np.float32))) * vectorizer.idf_[columns]
    return columns, (values / (np.linalg.norm(values) or 1)).astype(np.float32)
