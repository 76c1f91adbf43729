"""The intent classifier: logistic regression on the sentence embedding and on character n-grams."""

import json
import warnings
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
from scipy.sparse import csr_matrix, hstack
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from assistant.nlu.featurizer import CLAUSE_VECTORS_KEY, CLAUSES_KEY

CLAUSE_RANKINGS_KEY = "clause_rankings"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class SentenceClassifier(GraphComponent, IntentClassifier):
    """Gives each message a ranking of all intents, and each of its clauses one of its own."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {
            # Inverse strength of the regularisation, as in scikit-learn.
            "C": 10.0,
            # None, or 'balanced', which costs precision on questions about other conditions.
            "class_weight": None,
            # What one character n-gram vector (of length 1) weighs beside the embedding (of length 1).
            "ngram_weight": 1.0,
            "ngram_range": [2, 4],
            # In how many examples an n-gram must occur.
            "min_df": 3,
            # Stopping before convergence generalises no worse and halves the time.
            "max_iter": 60,
        }

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._ngrams = self._vectorizer()
        self._intents: list[str] = []
        self._weights = np.empty((0, 0), dtype=np.float32)
        self._bias = np.empty(0, dtype=np.float32)

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
        vectors = np.concatenate([_vector(example) for example in examples])
        model = LogisticRegression(
            C=self._config["C"], class_weight=self._config["class_weight"], max_iter=self._config["max_iter"]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            features = hstack([csr_matrix(vectors), self._weighted_ngrams(texts)], format="csr", dtype=np.float32)
            model.fit(features, [example.get(INTENT) for example in examples])
        self._intents = list(model.classes_)
        self._weights = np.ascontiguousarray(model.coef_.T, dtype=np.float32)
        self._bias = model.intercept_.astype(np.float32)
        self.persist()
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            if not message.get(TEXT):
                continue
            parts = message.get(CLAUSES_KEY) or []
            vectors = np.concatenate([_vector(message), message.get(CLAUSE_VECTORS_KEY)]) if parts else _vector(message)
            probabilities = self._probabilities([message.get(TEXT), *parts], vectors)
            ranking = self._ranking(probabilities[0])
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
            message.set(CLAUSE_RANKINGS_KEY, [self._ranking(row) for row in probabilities[1:]])
        return messages

    def _vectorizer(self, vocabulary: list[str] | None = None) -> TfidfVectorizer:
        return TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=tuple(self._config["ngram_range"]),
            min_df=1 if vocabulary else self._config["min_df"],
            sublinear_tf=True,
            dtype=np.float32,
            vocabulary=vocabulary,
        )

    def _weighted_ngrams(self, texts: list[str]) -> csr_matrix:
        """Return the tf-idf of each text's n-grams: sparse float32, (texts, n-grams)."""
        return self._ngrams.transform(texts) * self._config["ngram_weight"]

    def _probabilities(self, texts: list[str], vectors: np.ndarray) -> np.ndarray:
        """Return the probability of each intent: float32, (texts, intents)."""
        # The first weights are those of the embedding; joining it to the sparse n-grams would cost more than this.
        dimensions = vectors.shape[1]
        scores = vectors @ self._weights[:dimensions] + self._weighted_ngrams(texts) @ self._weights[dimensions:]
        return softmax(scores + self._bias, axis=1)

    def _ranking(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        order = np.argsort(-probabilities)
        return [
            {INTENT_NAME_KEY: self._intents[index], PREDICTED_CONFIDENCE_KEY: float(probabilities[index])}
            for index in order
        ]

    def persist(self) -> None:
        """Write the model as plain arrays and texts, which loading cannot turn into code."""
        with self._model_storage.write_to(self._resource) as folder:
            np.savez(folder / "arrays.npz", frequency=self._ngrams.idf_, weights=self._weights, bias=self._bias)
            names = {"intents": self._intents, "ngrams": self._ngrams.get_feature_names_out().tolist()}
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
        classifier._intents = names["intents"]
        classifier._ngrams = classifier._vectorizer(names["ngrams"])
        classifier._ngrams.idf_ = arrays["frequency"]
        classifier._weights, classifier._bias = arrays["weights"], arrays["bias"]
        return classifier


def _vector(message: Message) -> np.ndarray:
    """Return a message's sentence embedding, shape (1, 384)."""
    _, sentence = message.get_dense_features(TEXT)
    if sentence is None:
        raise ValueError("SentenceClassifier needs SentenceFeaturizer before it in config.yml.")
    return sentence.features
