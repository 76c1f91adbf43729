"""What is decided from the rankings of a message and of its clauses."""

from collections.abc import Sequence

import pytest
from rasa.shared.nlu.constants import (
    ENTITIES,
    ENTITY_ATTRIBUTE_TYPE,
    ENTITY_ATTRIBUTE_VALUE,
    INTENT,
    INTENT_NAME_KEY,
    INTENT_RANKING_KEY,
    PREDICTED_CONFIDENCE_KEY,
    TEXT,
)
from rasa.shared.nlu.training_data.message import Message

from assistant.nlu.alarms import ALARM_KEY
from assistant.nlu.classifier import CLAUSE_RANKINGS_KEY
from assistant.nlu.decision import Decision
from assistant.nlu.featurizer import CLAUSES_KEY, QUESTIONS_KEY, UNANSWERED_KEY, split
from assistant.nlu.signs import SIGN_KEY

Ranking = dict[str, float]


def decided(
    text: str,
    ranking: Ranking,
    *of_clauses: Ranking,
    entities: Sequence[tuple[str, str]] = (),
    sign: str | None = None,
) -> Message:
    """Return a message whose clauses were ranked as told, after the decision; entities are (type, value)."""
    found = [{ENTITY_ATTRIBUTE_TYPE: kind, ENTITY_ATTRIBUTE_VALUE: value} for kind, value in entities]
    message = Message({TEXT: text, ENTITIES: found, INTENT_RANKING_KEY: ranked(ranking)})
    if of_clauses:
        message.set(CLAUSES_KEY, split(text)[1])
        message.set(CLAUSE_RANKINGS_KEY, [ranked(clause) for clause in of_clauses])
    if sign:
        message.set(SIGN_KEY, sign)
        message.set(ALARM_KEY, 0.7)
    Decision(Decision.get_default_config()).process([message])
    return message


def ranked(ranking: Ranking) -> list[dict[str, float | str]]:
    complete = {"greet": 0.0, "report_red_flag": 0.0} | ranking
    order = sorted(complete.items(), key=lambda item: -item[1])
    return [{INTENT_NAME_KEY: name, PREDICTED_CONFIDENCE_KEY: confidence} for name, confidence in order]


def asked(message: Message) -> list[str]:
    return [question[INTENT][INTENT_NAME_KEY] for question in message.get(QUESTIONS_KEY) or []]


def test_what_the_alarms_found_comes_before_all_else() -> None:
    message = decided("what causes it? my chest hurts", {"ask_causes": 0.9}, {"ask_causes": 0.9}, {}, sign="chest")
    assert message.get(INTENT) == {INTENT_NAME_KEY: "report_red_flag", PREDICTED_CONFIDENCE_KEY: 0.7}
    assert asked(message) == []


def test_what_the_alarms_did_not_find_is_none() -> None:
    message = decided("she limps after soccer", {"report_red_flag": 0.6, "describe_symptoms": 0.4})
    assert message.get(INTENT) == {INTENT_NAME_KEY: "describe_symptoms", PREDICTED_CONFIDENCE_KEY: 1.0}


def test_two_topics_of_which_either_may_be_meant_are_both_answered() -> None:
    assert asked(decided("is it my stride", {"ask_causes": 0.45, "ask_exercises": 0.35})) == [
        "ask_causes",
        "ask_exercises",
    ]
    # One of them is clearly first, neither is likely, or one is no topic.
    for likely in (
        {"ask_causes": 0.8, "ask_exercises": 0.2},
        {"ask_causes": 0.25, "ask_exercises": 0.2},
        {"ask_causes": 0.5, "greet": 0.4},
    ):
        assert asked(decided("is it my stride", likely)) == []
    # A name alone asks for none of them in particular.
    assert asked(decided("and my stride?", {"ask_causes": 0.45, "ask_exercises": 0.35})) == []


def test_bare_topics_are_questions() -> None:
    assert split("Causes, symptoms and treatment")[1] == ["Causes?", "symptoms?", "treatment?"]
    assert split("exercises? surgery?")[1] == ["exercises?", "surgery?"]
    assert split("surgery")[1] == split("symptoms of a torn meniscus")[1] == []


def test_a_comma_parts_questions() -> None:
    assert split("what is it, how long does it last")[1] == ["what is it", "how long does it last"]
    assert split("i run, when it is dry, on a track")[1] == []


@pytest.mark.parametrize(("count", "has_more"), [(2, False), (3, True)])
def test_two_questions_are_answered_and_a_third_is_known_of(count: int, has_more: bool) -> None:
    topics = ["causes", "symptoms", "treatments"][:count]
    message = decided(" ".join(topics), {"out_of_scope": 0.8}, *({f"ask_{topic}": 0.9} for topic in topics))
    assert asked(message) == ["ask_causes", "ask_symptoms"]
    assert [question.get(UNANSWERED_KEY) for question in message.get(QUESTIONS_KEY)] == [None, has_more]


def test_a_wish_for_a_visit_comes_after_an_answer() -> None:
    text = "Can you book me for tomorrow? What causes it?"
    message = decided(text, {"book_appointment": 0.9}, {"book_appointment": 0.9}, {"ask_causes": 0.9})
    assert asked(message) == ["ask_causes", "book_appointment"]


@pytest.mark.parametrize(("text", "intent"), [("\u6551\u547d", "speak_other_language"), ("hm", "nlu_fallback")])
def test_other_letters_are_another_language(text: str, intent: str) -> None:
    assert decided(text, {"thank": 0.24}).get(INTENT)[INTENT_NAME_KEY] == intent


@pytest.mark.parametrize(
    ("text", "entity", "intent"),
    [
        ("best exercises for sprained ankles", ("other_body_part", "ankles"), "ask_other_condition"),
        ("exercises for my ankle and my kneecap", ("other_body_part", "ankle"), "ask_exercises"),
        ("exercises for bunions", ("condition", "bunions"), "ask_other_condition"),
        ("exercises for lupus of the knee", ("condition", "lupus"), "ask_other_condition"),
        ("exercises for runner's knee beside lupus", ("condition", "lupus"), "ask_exercises"),
        ("exercises for the thigh", ("body_part", "thigh"), "ask_exercises"),
    ],
)
def test_what_the_article_never_speaks_of_is_not_answered_from_it(
    text: str, entity: tuple[str, str], intent: str
) -> None:
    assert decided(text, {"ask_exercises": 0.9}, entities=[entity]).get(INTENT)[INTENT_NAME_KEY] == intent
