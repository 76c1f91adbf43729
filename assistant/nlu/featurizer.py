"""The graph component that gives each message, and each clause of it, its sentence embedding."""

import re
from functools import lru_cache
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from assistant.nlu.encoder import Encoder, digest
from clinic.articles import the_library
from clinic.profile import ROOT

ENCODER_FOLDER = ROOT / "models" / "encoder"
CLAUSES_KEY = "clauses"
VECTORS_KEY = "vectors"
QUESTIONS_KEY = "questions"
# On the last question that is answered where a message asks more.
UNANSWERED_KEY = "has_unanswered_questions"
_MOST_CLAUSES = 8
_MOST_PIECES = 16
_SHORTEST_CLAUSE = 2

_QUESTION_WORD = (
    r"(?:what|whats|how|hows|why|when|where|which|who|can|could|should|do|does|did|is|are|will|would|any|may"
    r"|and what|and how|tell me|explain)"
)
_BOUNDARY = re.compile(
    rf"[.!;\n]+|(?<=\?)|\s+-+\s+|,?\s+(?:and|also|plus|then|but)\s+(?:also\s+|then\s+)?(?={_QUESTION_WORD}\b)"
    r"|,\s+(?=(?:what|how|why)\b)",
    re.IGNORECASE,
)


@lru_cache
def _bare_questions() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the pattern of a word that asks by itself, and that of a text of several and nothing else."""
    word = rf"\b(?:{'|'.join(map(re.escape, the_library().bare_questions))})\b"
    several = rf"\W*(?:{word}\W*(?:(?:and|or|also|plus|then)\b\W*)?){{2,}}"
    return re.compile(word, re.IGNORECASE), re.compile(several, re.IGNORECASE)


def split(text: str) -> tuple[list[str], list[str]]:
    """Split a text where a new sentence or a second question begins.

    Returns:
        the pieces that the encoder reads, and those that are clauses: none when there is a single one. Of bare topics
        ("causes, symptoms") each is a question.
    """
    word, several = _bare_questions()
    if several.fullmatch(text):
        topics = [f"{topic}?" for topic in word.findall(text)]
        return [text], topics[:_MOST_CLAUSES]
    pieces = [piece for piece in (piece.strip(" ,") for piece in _BOUNDARY.split(text)) if piece]
    clauses = [piece for piece in pieces if len(piece.split()) >= _SHORTEST_CLAUSE]
    if len(clauses) < 2:
        return [text], []
    return pieces if len(pieces) <= _MOST_PIECES else [text], clauses[-_MOST_CLAUSES:]


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceFeaturizer(GraphComponent):
    """Adds one dense sentence feature, float32 of shape (1, `DIMENSIONS`), to each message.

    That of a text with clauses is made of what its pieces are by themselves, so that they need no run of their own.
    While a message is answered, its clauses are embedded in the same run of the encoder and kept on the message:
    `CLAUSES_KEY` holds their texts, `VECTORS_KEY` an array of shape (1 + clauses, `DIMENSIONS`).
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        # Rasa trains anew what follows a component whose configuration is another one.
        return {"encoder": digest(ENCODER_FOLDER)}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "SentenceFeaturizer":
        return cls(Encoder(ENCODER_FOLDER))

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        messages = [message for message in training_data.training_examples if message.get(TEXT)]
        encoder = Encoder(ENCODER_FOLDER)
        vectors = encoder.encode_many([split(message.get(TEXT))[0] for message in messages])
        for message, vector in zip(messages, vectors, strict=True):
            _add(message, vector)
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            text = message.get(TEXT)
            if not text:
                continue
            pieces, clauses = split(text)
            vectors = self._encoder.encode([pieces, *([clause] for clause in clauses)])
            _add(message, vectors[0])
            message.set(CLAUSES_KEY, clauses)
            message.set(VECTORS_KEY, vectors)
        return messages


def _add(message: Message, vector: np.ndarray) -> None:
    message.add_features(Features(vector[np.newaxis], FEATURE_TYPE_SENTENCE, TEXT, SentenceFeaturizer.__name__))
