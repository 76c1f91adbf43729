"""Questions inside a longer message: the one it is about, or the two it asks."""

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, INTENT_RANKING_KEY, PREDICTED_CONFIDENCE_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message

from assistant.nlu.classifier import CLAUSE_RANKINGS_KEY
from assistant.nlu.featurizer import CLAUSES_KEY

QUESTIONS_KEY = "questions"
_MOST_QUESTIONS = 2


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class QuestionFinder(GraphComponent):
    """Puts two questions of one message on it, in their order, each as {text, intent, intent_ranking}."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {
            # How sure a clause must be to count as a question of its own.
            "threshold": 0.6,
            # The intents that two questions may have.
            "prefix": "ask_",
        }

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "QuestionFinder":
        return cls(config)

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            questions: dict[str, dict[str, Any]] = {}
            for text, ranking in zip(message.get(CLAUSES_KEY) or [], message.get(CLAUSE_RANKINGS_KEY) or []):
                intent = ranking[0]
                if self._is_question(intent):
                    questions.setdefault(
                        intent[INTENT_NAME_KEY], {TEXT: text, INTENT: intent, INTENT_RANKING_KEY: ranking}
                    )
            if len(questions) >= _MOST_QUESTIONS:
                message.set(QUESTIONS_KEY, list(questions.values())[:_MOST_QUESTIONS], add_to_output=True)
        return messages

    def _is_question(self, intent: dict[str, Any]) -> bool:
        is_asking = intent[INTENT_NAME_KEY].startswith(self._config["prefix"])
        return is_asking and intent[PREDICTED_CONFIDENCE_KEY] >= self._config["threshold"]
