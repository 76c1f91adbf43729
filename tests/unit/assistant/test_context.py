"""What a message means after what was said before it."""

from typing import Any

import pytest
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, Restarted, SessionStarted, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from assistant.context import Memory, turns_of
from assistant.nlu.aspects import ASKED_KEY
from assistant.nlu.things import THINGS_FILE, Things, words

THINGS = Things(THINGS_FILE)
COMMON = set(words("and if it does not help how long why is that bad what are the risks the right one me too who no"))
SURGERY: tuple[Event, ...] = (
    UserUttered("do i need surgery"),
    ActionExecuted("utter_ask_treatment_surgery"),
    BotUttered("Surgery is for severe cases."),
)


def piece(text: str, aspect: str, confidence: float = 0.9, intent: str = "nlu_fallback") -> dict[str, Any]:
    """Return what the aspects' classifier finds in a text."""
    named = THINGS.find(text)
    said = set(words(text)) - {word for thing in named for word in words(thing.spelling)}
    return {
        "text": text,
        "aspect": aspect,
        "confidence": confidence,
        "intent": [intent, 0.9],
        "named": [[thing.kind, thing.name, thing.topic] for thing in named],
        "unknown": len(said - COMMON),
    }


def meant(text: str, aspect: str, *events: Event, intent: str = "nlu_fallback", sure: float = 0.9) -> dict[str, Any]:
    """Return the only turn of a message after `events`: its intent and what it asks."""
    understood = {
        "text": text,
        "intent": {"name": intent, "confidence": sure},
        "entities": [],
        ASKED_KEY: [piece(text, aspect)],
    }
    tracker = DialogueStateTracker.from_events("rest:1", [SessionStarted(), *events]) if events else None
    (turn,) = turns_of(understood, tracker)
    return {"intent": turn["intent"]["name"], **turn[ASKED_KEY]}


@pytest.mark.parametrize(
    ("text", "aspect"),
    [("how long", "long"), ("and if it does not help?", "fails"), ("why", "why"), ("what are the risks", "risk")],
)
def test_a_question_without_a_subject_is_about_the_last_topic(text: str, aspect: str) -> None:
    turn = meant(text, aspect, *SURGERY)
    assert (turn["intent"], turn["aspect"]) == ("ask_treatment_surgery", aspect)


def test_whatever_the_classifier_makes_of_a_question_without_a_subject() -> None:
    assert meant("is that bad", "serious", *SURGERY, intent="ask_urgency")["intent"] == "ask_treatment_surgery"
    assert meant("how long", "long", *SURGERY, intent="ask_exercises")["intent"] == "ask_treatment_surgery"


@pytest.mark.parametrize("intent", ["greet", "thank", "book_appointment", "ask_human", "stop", "delete_my_data"])
def test_what_is_no_question_stays_what_it_is(intent: str) -> None:
    assert meant("how", "told", *SURGERY, intent=intent)["intent"] == intent


def test_an_emergency_is_never_read_as_something_else() -> None:
    understood = {"text": "why", "intent": {"name": "report_red_flag", "confidence": 1.0}, "entities": []}
    turns = turns_of(understood | {ASKED_KEY: [piece("why", "why")]}, None)
    assert [turn["intent"]["name"] for turn in turns] == ["report_red_flag"]


def test_a_thing_that_is_named_has_its_own_topic() -> None:
    assert meant("and swimming", "can", *SURGERY)["intent"] == "ask_activity_modification"
    turn = meant("and cycling?", "can", *SURGERY)
    assert (turn["intent"], turn["thing"], turn["kind"]) == ("ask_activity_modification", "cycling", "activity")


@pytest.mark.parametrize("intent", ["ask_clinic_admin", "ask_urgency"])
def test_what_is_certainly_for_the_desk_or_about_haste_is_that_beside_a_named_thing(intent: str) -> None:
    assert meant("is swimming or a visit first", "when", intent=intent, sure=0.99)["intent"] == intent
    assert meant("is swimming or a visit first", "when", intent=intent, sure=0.6)["intent"] != intent


def test_a_short_question_is_about_the_topic_that_it_names() -> None:
    turn = meant("are exercises harmful", "bad", intent="ask_activity_modification")
    assert (turn["intent"], turn["aspect"]) == ("ask_exercises", "bad")


def test_a_thing_is_remembered_with_its_topic() -> None:
    asked = UserUttered("should i rest", parse_data={ASKED_KEY: {"thing": "rest", "kind": None}})
    turn = meant("why", "why", asked, ActionExecuted("utter_ask_treatment_rice"))
    assert (turn["intent"], turn["thing"]) == ("ask_treatment_rice", "rest")


def test_a_statement_is_taken_note_of() -> None:
    assert meant("the right one", "told", *SURGERY)["intent"] == "inform"


def test_a_disagreement_names_the_topic() -> None:
    assert meant("no i asked about ice", "disagree", *SURGERY, intent="feedback_negative")["intent"] == (
        "ask_treatment_rice"
    )
    assert meant("no", "disagree", *SURGERY)["intent"] == "feedback_negative"


@pytest.mark.parametrize("end", [Restarted(), SessionStarted()])
def test_nothing_is_remembered_past_a_session(end: Event) -> None:
    tracker = DialogueStateTracker.from_events("rest:1", [*SURGERY, end])
    assert Memory.of(tracker) == Memory()


def test_what_names_something_foreign_is_not_taken_for_the_last_topic() -> None:
    assert meant("who won the game last night", "who", *SURGERY, intent="out_of_scope")["intent"] == "out_of_scope"


def test_up_to_three_questions_of_a_message_are_answered_and_the_rest_is_named() -> None:
    texts = ["does ice help?", "is surgery risky?", "can i swim?", "what about orthotics?"]
    pieces = [piece(" ".join(texts), "help"), *(piece(text, "help") for text in texts)]
    understood = {"text": " ".join(texts), "intent": {"name": "nlu_fallback", "confidence": 0.5}, "entities": []}
    turns = turns_of(understood | {ASKED_KEY: pieces}, None)
    topics = [turn["intent"]["name"] for turn in turns]
    assert topics == ["ask_treatment_rice", "ask_treatment_surgery", "ask_activity_modification"]
    assert turns[-1]["has_unanswered_questions"] == ["ask_treatment_orthotics"]
    assert all(turn[ASKED_KEY]["is_short"] for turn in turns)


def test_a_long_question_is_about_what_it_surely_names_itself() -> None:
    text = "how would a doctor know that it is that one"
    assert meant(text, "tell", *SURGERY, intent="ask_diagnosis", sure=0.95)["intent"] == "ask_diagnosis"


def test_more_is_asked_for_of_what_was_said() -> None:
    assert meant("tell me more", "whole", *SURGERY, intent="tell_me_more")["intent"] == "tell_me_more"


def test_blame_without_a_topic_is_blame() -> None:
    assert meant("that did not help at all", "fails", intent="feedback_negative")["intent"] == "feedback_negative"


def test_who_tells_of_their_pain_asks_nothing_of_what_they_name() -> None:
    understood = {
        "text": "it hurts on stairs, what do i have",
        "intent": {"name": "describe_symptoms", "confidence": 0.9},
    }
    asked = piece("it hurts on stairs, what do i have", "tell", confidence=0.3)
    (turn,) = turns_of({**understood, "entities": [], ASKED_KEY: [asked]}, None)
    assert turn["intent"]["name"] == "describe_symptoms"


def test_the_treatment_of_another_condition_is_none_of_ours() -> None:
    text = "what are the treatments for lupus"
    assert meant(text, "whole", intent="ask_other_condition")["intent"] == "ask_other_condition"
    assert meant(text, "whole", *SURGERY, intent="ask_other_condition")["intent"] == "ask_other_condition"


def test_two_likely_topics_that_come_to_one_are_answered_once() -> None:
    text = "how long"
    pair = [{"text": text, "intent": {"name": name, "confidence": 0.4}} for name in ("ask_exercises", "ask_causes")]
    understood = {"text": text, "intent": pair[0]["intent"], "entities": [], "questions": pair}
    tracker = DialogueStateTracker.from_events("rest:1", [SessionStarted(), *SURGERY])
    turns = turns_of(understood | {ASKED_KEY: [piece(text, "long")]}, tracker)
    assert [turn["intent"]["name"] for turn in turns] == ["ask_treatment_surgery"]
