"""What a message asks: one intent, two questions, or nothing sure enough to answer."""

import re
import unicodedata
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import (
    ENTITIES,
    ENTITY_ATTRIBUTE_END,
    ENTITY_ATTRIBUTE_START,
    ENTITY_ATTRIBUTE_TYPE,
    ENTITY_ATTRIBUTE_VALUE,
    EXTRACTOR,
    INTENT,
    INTENT_NAME_KEY,
    INTENT_RANKING_KEY,
    PREDICTED_CONFIDENCE_KEY,
    TEXT,
)
from rasa.shared.nlu.training_data.message import Message

from assistant.nlu.alarms import ALARM_KEY
from assistant.nlu.classifier import CLAUSE_RANKINGS_KEY
from assistant.nlu.featurizer import CLAUSES_KEY, QUESTIONS_KEY, UNANSWERED_KEY
from assistant.nlu.signs import SIGN_KEY
from clinic.articles import Library, the_library
from clinic.intents import ASK_OTHER_CONDITION, BOOK_APPOINTMENT, REPORT_RED_FLAG, SPEAK_OTHER_LANGUAGE, UNSURE

ARTICLE_ENTITY = "article"
_MOST_QUESTIONS = 2
_SMALLEST = 1e-6
# A name alone may mean many topics, and none of them in particular.
_SHORTEST_SENTENCE = 4
# As many as Rasa's own classifiers tell. The tracker keeps them, so more would cost at each turn.
_RANKED = 10
_QUESTION = re.compile(
    r"^(and |so |but |also |ok |then )*(what|whats|how|hows|why|when|where|which|who|can|could|should|shall|do|does|did"
    r"|is|are|am|will|would|any|may|tell me|explain|wondering|not sure|(i )?(want|need|would like|d like) to know)\b"
    r"|^(and|also|plus) (the )?\w+$|\?$",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"\b(or|vs|versus|apart|differen\w+|distinguish|rather than|instead of|and not|rule\w* out|mistaken|confused"
    r"|same)\b",
    re.IGNORECASE,
)
Ranking = list[dict[str, Any]]


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class Decision(GraphComponent):
    """Decides from the rankings of a message and of its clauses, and from the other conditions it names.

    Two questions of one message are put on it under `QUESTIONS_KEY` in their order, a wish for a visit last,
    each as {text, intent, intent_ranking}; the second tells under `UNANSWERED_KEY` whether there are more. So are two
    topics of which either may be meant.
    """

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {
            # Below this confidence nothing is answered.
            "threshold": 0.45,
            # An article's answer must lead the next intent by this much.
            "margin": 0.1,
            # Where two topics are this likely together, and the first leads by less, both are answered.
            "pair_threshold": 0.5,
            "pair_margin": 0.5,
            # How sure a clause must be to count as a question of its own.
            "clause_threshold": 0.75,
        }

    def __init__(self, config: dict[str, Any], library: Library | None = None) -> None:
        self._config = config
        self._library = library or the_library()
        self._answered = self._library.intents_of("answer")
        self._joining = self._answered | self._library.marked("joins") | {BOOK_APPOINTMENT}
        self._telling = self._library.intents_of("told") | {UNSURE}
        self._comparing = self._library.marked("compares")

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "Decision":
        return cls(config)

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            if message.get(INTENT_RANKING_KEY):
                self._decide(message)
        return messages

    def _decide(self, message: Message) -> None:
        # Whether it is an emergency is for `Alarms` to tell.
        ranking = _without_emergency(message.get(INTENT_RANKING_KEY))
        intent = self._intent(ranking)
        questions = self._questions(message)
        text = message.get(TEXT)
        if message.get(SIGN_KEY):
            intent = {INTENT_NAME_KEY: REPORT_RED_FLAG, PREDICTED_CONFIDENCE_KEY: message.get(ALARM_KEY)}
            ranking, questions = [intent, *ranking], []
        elif intent[INTENT_NAME_KEY] in self._telling and questions:
            ranking = questions[0][INTENT_RANKING_KEY]
            intent = questions[0][INTENT]
        if intent[INTENT_NAME_KEY] in self._answered and self._is_about_another_condition(message, intent):
            intent = {
                INTENT_NAME_KEY: ASK_OTHER_CONDITION,
                PREDICTED_CONFIDENCE_KEY: intent[PREDICTED_CONFIDENCE_KEY],
            }
        elif len(questions) < _MOST_QUESTIONS and self._is_pair(text, ranking):
            pair = [{TEXT: text, INTENT: close, INTENT_RANKING_KEY: ranking[:_RANKED]} for close in ranking[:2]]
            message.set(QUESTIONS_KEY, pair, add_to_output=True)
            intent = ranking[0]
        elif len(questions) >= _MOST_QUESTIONS:
            taken = sorted(questions[:_MOST_QUESTIONS], key=lambda question: _name(question) == BOOK_APPOINTMENT)
            taken[-1][UNANSWERED_KEY] = len(questions) > _MOST_QUESTIONS
            message.set(QUESTIONS_KEY, taken, add_to_output=True)
        if intent[INTENT_NAME_KEY] == UNSURE and _is_in_other_letters(text):
            intent = {**intent, INTENT_NAME_KEY: SPEAK_OTHER_LANGUAGE}
        self._add_article(message)
        message.set(INTENT, intent, add_to_output=True)
        message.set(INTENT_RANKING_KEY, ranking[:_RANKED], add_to_output=True)

    def _add_article(self, message: Message) -> None:
        """Add the article that a message names as an entity, where there are several to choose from."""
        named = self._library.named_in(message.get(TEXT)) if len(self._library.articles) > 1 else None
        if named:
            entity = {
                ENTITY_ATTRIBUTE_TYPE: ARTICLE_ENTITY,
                ENTITY_ATTRIBUTE_VALUE: named.name,
                ENTITY_ATTRIBUTE_START: 0,
                ENTITY_ATTRIBUTE_END: len(message.get(TEXT)),
                EXTRACTOR: Decision.__name__,
            }
            message.set(ENTITIES, [*(message.get(ENTITIES) or []), entity], add_to_output=True)

    def _intent(self, ranking: Ranking) -> dict[str, Any]:
        """Return the first intent of a ranking, or the fallback when it is not sure enough."""
        first, second = ranking[0], ranking[1]
        lead = first[PREDICTED_CONFIDENCE_KEY] - second[PREDICTED_CONFIDENCE_KEY]
        # Between two honest refusals no harm is done; an answer of the article must be the right one.
        needs_lead = not self._answered.isdisjoint((first[INTENT_NAME_KEY], second[INTENT_NAME_KEY]))
        if first[PREDICTED_CONFIDENCE_KEY] >= self._config["threshold"] and (
            lead >= self._config["margin"] or not needs_lead
        ):
            return first
        return {
            INTENT_NAME_KEY: UNSURE,
            PREDICTED_CONFIDENCE_KEY: first[PREDICTED_CONFIDENCE_KEY],
        }

    def _is_pair(self, text: str, ranking: Ranking) -> bool:
        """Tell whether the first two of a text's ranking are topics of which either may be meant."""
        first, second = (intent[PREDICTED_CONFIDENCE_KEY] for intent in ranking[:2])
        return (
            self._answered.issuperset(intent[INTENT_NAME_KEY] for intent in ranking[:2])
            and len(text.split()) >= _SHORTEST_SENTENCE
            and first - second < self._config["pair_margin"]
            and first + second > self._config["pair_threshold"]
        )

    def _questions(self, message: Message) -> list[dict[str, Any]]:
        """Return the clauses that surely ask something, one an intent, in their order."""
        questions: dict[str, dict[str, Any]] = {}
        clauses = zip(message.get(CLAUSES_KEY) or [], message.get(CLAUSE_RANKINGS_KEY) or [], strict=True)
        for text, ranking in clauses:
            intent = ranking[0]
            name, confidence = intent[INTENT_NAME_KEY], intent[PREDICTED_CONFIDENCE_KEY]
            is_sure = name in self._joining and confidence >= self._config["clause_threshold"]
            if is_sure and _QUESTION.search(text):
                questions.setdefault(name, {TEXT: text, INTENT: intent, INTENT_RANKING_KEY: ranking[:_RANKED]})
        return list(questions.values())

    def _is_about_another_condition(self, message: Message, intent: dict[str, Any]) -> bool:
        """Tell whether a condition is named, and neither compared with ours nor beside the name of ours.

        Another part of the body counts as one where there is no word of ours at all.
        """
        text = message.get(TEXT)
        if intent[INTENT_NAME_KEY] in self._comparing and _COMPARED.search(text):
            return False
        entities = message.get(ENTITIES) or []
        conditions = [entity["value"] for entity in entities if entity["entity"] == "condition"]
        if not conditions:
            is_elsewhere = any(entity["entity"] == "other_body_part" for entity in entities)
            return is_elsewhere and not self._library.about_body_part.search(text)
        for condition in conditions:
            text = text.replace(condition, " ")
        return not self._library.about_condition.search(text)


def _name(question: dict[str, Any]) -> str:
    name: str = question[INTENT][INTENT_NAME_KEY]
    return name


def _is_in_other_letters(text: str) -> bool:
    """Tell whether a text is written in letters that English has none of."""
    letters = [character for character in text if character.isalpha()]
    return bool(letters) and not any(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)


def _without_emergency(ranking: Ranking) -> Ranking:
    """Return a ranking of all that is no emergency, each as likely as it is when there is none."""
    emergency = next((intent for intent in ranking if intent[INTENT_NAME_KEY] == REPORT_RED_FLAG), None)
    rest = max(1 - emergency[PREDICTED_CONFIDENCE_KEY], _SMALLEST) if emergency else 1.0
    return [
        {INTENT_NAME_KEY: intent[INTENT_NAME_KEY], PREDICTED_CONFIDENCE_KEY: intent[PREDICTED_CONFIDENCE_KEY] / rest}
        for intent in ranking
        if intent is not emergency
    ]
