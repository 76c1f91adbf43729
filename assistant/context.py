"""What a message means at its place of a conversation, where that differs from what it means alone."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from rasa.shared.core.constants import USER_INTENT_RESTART
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, Restarted, SessionStarted, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, PREDICTED_CONFIDENCE_KEY, TEXT

from assistant.nlu.aspects import ASKED_KEY
from assistant.nlu.featurizer import QUESTIONS_KEY, UNANSWERED_KEY
from assistant.nlu.things import the_things
from booking.reading.replies import concerns_an_appointment, declines_booking
from clinic.articles import the_library
from clinic.intents import (
    AFFIRM,
    ASK_BEYOND_ARTICLE,
    ASK_BOOKING_STATUS,
    ASK_BOT_IDENTITY,
    ASK_CLINIC_ADMIN,
    ASK_DEFINITION,
    ASK_HELP,
    ASK_HUMAN,
    ASK_OTHER_CONDITION,
    ASK_PRIVACY,
    ASK_RECOMMENDATION,
    ASK_URGENCY,
    BOOK_APPOINTMENT,
    CHANGE_ANSWER,
    DELETE_MY_DATA,
    DENY,
    DESCRIBE_SYMPTOMS,
    FEEDBACK_NEGATIVE,
    FEEDBACK_POSITIVE,
    GOODBYE,
    GREET,
    INFORM,
    NO_WORDS,
    OUT_OF_SCOPE,
    REPORT_RED_FLAG,
    SPEAK_OTHER_LANGUAGE,
    STOP,
    TELL_ME_MORE,
    THANK,
    UNSURE,
)

_CALLED_OFF = re.compile(r"\b(cancel\w*|withdraw|call (it|that) off)\b", re.IGNORECASE)
_CONTINUED = re.compile(
    r"\b(continue|resume|proceed|(go|carry|move) on|go ahead|keep going|where (we|i) (were|was|left|stopped))\b",
    re.IGNORECASE,
)
_FOR_A_VISIT = re.compile(r"\S@\w|(\d\W{0,2}){7,}|\b(book|visit|appointment)\b", re.IGNORECASE)
# What is said in passing, and hides a question where something is named.
_PASSING_INTENTS = frozenset({GREET, GOODBYE, THANK, AFFIRM, DENY, FEEDBACK_POSITIVE})
# What is never taken for a question about what was spoken of last.
_SETTLED_INTENTS = frozenset(
    {
        REPORT_RED_FLAG,
        BOOK_APPOINTMENT,
        ASK_BOOKING_STATUS,
        STOP,
        USER_INTENT_RESTART,
        ASK_HUMAN,
        ASK_PRIVACY,
        DELETE_MY_DATA,
        ASK_BOT_IDENTITY,
        ASK_HELP,
        SPEAK_OTHER_LANGUAGE,
        NO_WORDS,
        CHANGE_ANSWER,
    }
)
# What tells that a message was not understood by itself, or that the article has nothing on it.
_OPEN_INTENTS = frozenset(
    {
        UNSURE,
        ASK_BEYOND_ARTICLE,
        ASK_RECOMMENDATION,
        ASK_URGENCY,
        FEEDBACK_NEGATIVE,
        TELL_ME_MORE,
        DESCRIBE_SYMPTOMS,
        INFORM,
    }
)
_TOLD, _SIMPLER, _DISAGREES, _COST, _WHOLE, _FAILS = "told", "simpler", "disagree", "cost", "whole", "fails"
# How sure an aspect must be to decide what a message is; to count as one at all; and an intent, to stand by itself.
_SURE, _VERY_SURE, _LIKELY = 0.5, 0.8, 0.3
_SURE_INTENT, _VERY_SURE_INTENT, _CERTAIN_INTENT = 0.6, 0.8, 0.95
_IT = re.compile(r"\b(it|its|it's|this|that|thats|that's)\b", re.IGNORECASE)
_MOST_QUESTIONS = 3
# A longer question tells by itself which topic it is about, where that is sure.
_MOST_WORDS_OF_A_FOLLOW_UP = 5
# What stays what it is where it is certain, whatever is named beside it.
_APART_INTENTS = frozenset({ASK_CLINIC_ADMIN, ASK_URGENCY})
_EVENTS_LOOKED_AT = 120
_QUESTION = re.compile(
    r"\?|^\W*(?:(?:and|so|but|also|ok|then|or|hi|hello|for|in|at|with|to)\W+)*"
    r"(?:what|whats|how|hows|why|when|where|which|who|can|could|should|shall|do|does|did|is|are|am|will|would|any|may"
    r"|tell me|explain)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Memory:
    """What a conversation holds that a message may lean on, from the events since its session began.

    Attributes:
        topic: what was spoken of last.
        thing: the thing of the article that it was asked of, if any.
    """

    topic: str | None = None
    thing: str | None = None

    @classmethod
    def of(cls, tracker: DialogueStateTracker | None) -> "Memory":
        topic = None
        for event in session(tracker):
            topic = topic or _topic_of(event)
            if topic and isinstance(event, UserUttered):
                asked = (event.parse_data or {}).get(ASKED_KEY)
                is_mentioned = isinstance(asked, dict) and not asked.get("kind")
                return cls(topic, asked.get("thing") if asked and is_mentioned else None)
        return cls(topic)


@dataclass(frozen=True)
class Question:
    """A question of a message: its intent, and what it asks of it."""

    text: str
    intent: str
    confidence: float
    aspect: str | None = None
    sureness: float = 0.0
    # A thing that the article speaks of, or with a `kind` one that it does not.
    thing: str | None = None
    kind: str | None = None

    @property
    def key(self) -> tuple[str | None, ...]:
        return self.intent, self.aspect, self.thing

    def turn(self, understood: dict[str, Any], is_one_of_several: bool) -> dict[str, Any]:
        """Return what was understood as a turn of this question."""
        asked = {
            "aspect": self.aspect,
            "sureness": self.sureness,
            "thing": self.thing,
            "kind": self.kind,
            "is_short": is_one_of_several,
        }
        intent = {INTENT_NAME_KEY: self.intent, PREDICTED_CONFIDENCE_KEY: self.confidence}
        return {**understood, TEXT: self.text, INTENT: intent, ASKED_KEY: asked}


def session(tracker: DialogueStateTracker | None) -> Iterator[Event]:
    """Yield the latest events of a conversation, the last one first, back to where its session began."""
    if tracker is None:
        return
    for event in itertools.islice(reversed(tracker.events), _EVENTS_LOOKED_AT):
        if isinstance(event, SessionStarted | Restarted):
            return
        yield event


def said_before(tracker: DialogueStateTracker | None) -> list[str]:
    """Return what the assistant said in this session, the last first."""
    return [event.text or "" for event in session(tracker) if isinstance(event, BotUttered)]


def cited_before(tracker: DialogueStateTracker | None, most: int) -> set[str]:
    """Return the sections of the article that the latest messages of the assistant were from, at most so many."""
    spoken = (event for event in session(tracker) if isinstance(event, BotUttered))
    sources = [(event.metadata or {}).get("source") or {} for event in itertools.islice(spoken, most)]
    return {source["section"] for source in sources if source}


def heard_before(tracker: DialogueStateTracker | None) -> list[str]:
    """Return what was said to the assistant in this session, the last first."""
    return [event.text or "" for event in session(tracker) if isinstance(event, UserUttered)]


def turns_of(understood: dict[str, Any], tracker: DialogueStateTracker | None) -> list[dict[str, Any]]:
    """Return the turns that a message makes at its place: one for each thing it asks, up to three."""
    pieces: list[dict[str, Any]] = understood.pop(ASKED_KEY, [])
    questions: list[dict[str, Any]] = understood.get(QUESTIONS_KEY) or [understood]
    is_form = tracker is not None and tracker.active_loop_name
    if not pieces or is_form or understood[INTENT][INTENT_NAME_KEY] == REPORT_RED_FLAG:
        by_text = {piece[TEXT]: piece for piece in pieces}
        asked = [_asked_in_a_form(question, by_text.get(question.get(TEXT, ""))) for question in questions]
        return [meant({**understood, **question}, tracker) for question in asked]
    memory = Memory.of(tracker)
    several = _several(pieces[1:], memory)
    decided = questions if len(questions) > 1 else []
    if len(several) < max(len(decided), 2):
        by_text = {piece[TEXT]: piece for piece in pieces}
        resolved = [
            _resolved(by_text.get(question[TEXT], pieces[0]), question[INTENT], memory, is_alone=False)
            for question in decided
        ] or [_single(understood, pieces, several, memory)]
        several = list({question.key: question for question in resolved}.values())
    asked_now = several[:_MOST_QUESTIONS]
    # A wish for a visit starts a form, so that it comes last.
    asked_now.sort(key=lambda question: question.intent == BOOK_APPOINTMENT)
    turns = [meant(question.turn(understood, len(asked_now) > 1), tracker) for question in asked_now]
    turns[-1][UNANSWERED_KEY] = [question.intent for question in several[_MOST_QUESTIONS:]]
    return turns


def meant(understood: dict[str, Any], tracker: DialogueStateTracker | None) -> dict[str, Any]:
    """Return what was understood as it is meant at this place of the conversation.

    In an open form a restart would throw its answers away unasked, and it is the form that is called off;
    outside it, a contact is told to book a visit.
    """
    intent = understood[INTENT][INTENT_NAME_KEY]
    if tracker is not None and tracker.active_loop_name:
        is_called_off = intent == ASK_BOOKING_STATUS and _CALLED_OFF.search(understood[TEXT])
        name = STOP if intent == USER_INTENT_RESTART or is_called_off else intent
    else:
        if tracker is not None and goes_on_booking(understood, tracker):
            return {**understood, INTENT: {**understood[INTENT], INTENT_NAME_KEY: BOOK_APPOINTMENT}}
        is_sent = tracker is not None and tracker.get_slot("booking_status") == "sent"
        is_for_a_visit = intent == INFORM and not is_sent and _FOR_A_VISIT.search(understood[TEXT])
        name = BOOK_APPOINTMENT if is_for_a_visit else intent
        if name == BOOK_APPOINTMENT and declines_booking(understood[TEXT]):
            name = _next_likely(understood)
        elif name == BOOK_APPOINTMENT and concerns_an_appointment(understood[TEXT]):
            name = ASK_BOOKING_STATUS
    return {**understood, INTENT: {**understood[INTENT], INTENT_NAME_KEY: name}}


def _next_likely(understood: dict[str, Any]) -> str:
    """Return the likeliest intent that books nothing: "I don't want to book, just asking whether ice helps"."""
    ranking = understood.get("intent_ranking", [])
    names = [entry[INTENT_NAME_KEY] for entry in ranking]
    return next((name for name in names if name not in (BOOK_APPOINTMENT, INFORM)), STOP)


def goes_on_booking(understood: dict[str, Any], tracker: DialogueStateTracker) -> bool:
    """Tell whether a message goes on with a booking that an emergency has paused."""
    if tracker.active_loop_name or tracker.get_slot("booking_status") != "paused":
        return False
    return understood[INTENT][INTENT_NAME_KEY] == INFORM or bool(_CONTINUED.search(understood[TEXT] or ""))


@lru_cache
def _answered() -> frozenset[str]:
    """Return the intents that an article answers."""
    return the_library().intents_of("answer")


def _topic_of(event: Event) -> str | None:
    """Return the topic that an answer was about."""
    if not isinstance(event, ActionExecuted) or not (event.action_name or "").startswith("utter_"):
        return None
    name = str(event.action_name).removeprefix("utter_")
    return name if name in _answered() else the_things().stands_for.get(name)


def _asked_in_a_form(question: dict[str, Any], piece: dict[str, Any] | None) -> dict[str, Any]:
    """Return a question of the form's user with what it asks; it is taken by itself, as the form has the word."""
    if piece is None or question[INTENT][INTENT_NAME_KEY] not in _answered():
        return question
    resolved = _resolved(piece, question[INTENT], Memory(), is_alone=False)
    if resolved.intent != question[INTENT][INTENT_NAME_KEY]:
        return question
    return resolved.turn(question, is_one_of_several=False)


def _single(
    understood: dict[str, Any], pieces: list[dict[str, Any]], asking: list[Question], memory: Memory
) -> Question:
    """Return the one question of a message: what it says as a whole, or the one clause that asks something."""
    whole = _resolved(pieces[0], understood[INTENT], memory, is_alone=True)
    if len(asking) != 1:
        return whole
    clause = asking[0]
    if whole.intent == clause.intent or whole.intent in _OPEN_INTENTS:
        is_clearer = clause.sureness > whole.sureness or clause.thing
        return replace(clause, text=whole.text) if is_clearer else whole
    return whole


def _several(clauses: list[dict[str, Any]], memory: Memory) -> list[Question]:
    """Return the questions that the clauses of a message ask, each once, in their order."""
    found: dict[tuple[str | None, ...], Question] = {}
    for clause in clauses:
        is_asked = _QUESTION.search(clause[TEXT]) and clause["aspect"] != _TOLD
        name, confidence = clause["intent"]
        intent = {
            INTENT_NAME_KEY: name if confidence >= _SURE_INTENT else UNSURE,
            PREDICTED_CONFIDENCE_KEY: confidence,
        }
        if not is_asked:
            continue
        question = _resolved(clause, intent, memory, is_alone=False)
        if question.intent in _answered() or question.intent in {ASK_CLINIC_ADMIN, BOOK_APPOINTMENT}:
            found.setdefault(question.key, question)
            if question.intent in _answered():
                memory = Memory(question.intent, question.thing)
    return list(found.values())


def _resolved(piece: dict[str, Any], intent: dict[str, Any], memory: Memory, is_alone: bool) -> Question:
    """Return what a message or clause asks, of the last topic where it names none."""
    name, confidence = intent[INTENT_NAME_KEY], intent[PREDICTED_CONFIDENCE_KEY]
    aspect, sureness = piece["aspect"], piece["confidence"]
    asked = Question(piece[TEXT], name, confidence, aspect if sureness >= _LIKELY else None, sureness)
    named = _Named.of(piece)
    is_sure = sureness >= _SURE
    is_about_last = memory.topic is not None and sureness >= _VERY_SURE and piece["unknown"] == 0
    if name in _SETTLED_INTENTS and not (name == ASK_HELP and is_about_last and aspect == _FAILS):
        return asked
    if name in _PASSING_INTENTS and not named.thing and not named.topics:
        is_question = is_about_last and aspect not in {_TOLD, _SIMPLER, _DISAGREES, _WHOLE, "can"}
        if not is_question and not (is_sure and "?" in piece[TEXT]):
            return asked
    if aspect == _DISAGREES and is_sure:
        if not named.thing and not named.topics:
            return replace(asked, intent=FEEDBACK_NEGATIVE)
        asked = replace(asked, aspect=None, sureness=0.0)
    elif aspect == _SIMPLER and is_sure and not named.thing and not named.topics:
        return replace(asked, intent=memory.topic, thing=None) if memory.topic else asked
    elif aspect == _TOLD and is_sure and "?" not in piece[TEXT] and named.kind != "condition":
        return _told(asked, named, memory) if is_alone else asked
    elif aspect == _COST and is_sure and name not in {ASK_OTHER_CONDITION, OUT_OF_SCOPE}:
        return replace(asked, intent=ASK_CLINIC_ADMIN, thing=named.spoken)
    if aspect == _FAILS and is_sure and name == FEEDBACK_NEGATIVE and not named.topics and not named.thing:
        return replace(asked, intent=memory.topic) if memory.topic else asked
    if name == TELL_ME_MORE and (not is_sure or aspect in {_WHOLE, "else", "can"}):
        return asked
    if name == DESCRIBE_SYMPTOMS and confidence >= _SURE_INTENT and not is_sure and memory.topic is None:
        return asked
    return _about(asked, piece, named, memory)


def _told(asked: Question, named: "_Named", memory: Memory) -> Question:
    """Return what a statement is: of a topic, of one's own case, or something that is only taken note of."""
    if memory.topic is None or asked.intent == DESCRIBE_SYMPTOMS:
        return replace(asked, thing=named.mentioned)
    told_of = [*named.topics, *([the_things().topics_of_kinds[named.thing[0]]] if named.thing and named.kind else [])]
    topic = next((topic for topic in [memory.topic, *told_of] if topic in told_of), None)
    if topic:
        return replace(asked, intent=topic)
    is_open = asked.intent in _answered() | _OPEN_INTENTS or (asked.intent == OUT_OF_SCOPE and named.thing)
    return replace(asked, intent=INFORM) if is_open else asked


@dataclass(frozen=True)
class _Named:
    """What a piece of a message names."""

    thing: tuple[str, str, str | None] | None
    topics: list[str]
    is_condition: bool
    is_body_part: bool

    @classmethod
    def of(cls, piece: dict[str, Any]) -> "_Named":
        kinds = [kind for kind, _, _ in piece["named"]]
        things = [thing for thing in piece["named"] if thing[0] not in {"topic", "condition_word", "body_part"}]
        # What the article does not speak of is what is asked for, since the other is often only where it is asked.
        things.sort(key=lambda thing: thing[0] == "thing")
        topics = [topic for kind, _, topic in piece["named"] if kind == "topic" and topic]
        first = things[0] if things else None
        return cls(tuple(first) if first else None, topics, "condition_word" in kinds, "body_part" in kinds)

    @property
    def kind(self) -> str | None:
        """The kind of a thing that the article does not mention."""
        return self.thing[0] if self.thing and self.thing[0] != "thing" else None

    @property
    def mentioned(self) -> str | None:
        """The thing that the article speaks of."""
        return self.thing[1] if self.thing and not self.kind else None

    @property
    def spoken(self) -> str | None:
        return self.thing[1] if self.thing else None


def _about(asked: Question, piece: dict[str, Any], named: _Named, memory: Memory) -> Question:
    """Return a question with the topic that it is about."""
    name, confidence = asked.intent, asked.confidence
    is_of_article = name in _answered()
    if name in _APART_INTENTS and confidence >= _CERTAIN_INTENT and piece["named"]:
        return asked
    if named.thing:
        kind, thing, home = named.thing
        is_another = kind == "condition" and name == ASK_OTHER_CONDITION and not named.is_condition
        if is_another or (name in {ASK_OTHER_CONDITION, OUT_OF_SCOPE} and not _is_ours(piece, named, memory)):
            return asked
        likely = named.topics[0] if named.topics else name if is_of_article and confidence >= _SURE_INTENT else None
        is_certain = is_of_article and confidence >= _CERTAIN_INTENT
        if kind == "thing" and is_certain and len(piece[TEXT].split()) > _MOST_WORDS_OF_A_FOLLOW_UP:
            is_spoken_of = name in _topics_of_things().get(thing, frozenset())
            return replace(asked, thing=thing) if is_spoken_of or name == home else asked
        if kind == "thing":
            return replace(asked, intent=_topic_of_thing(thing, [likely, memory.topic], home), thing=thing)
        topic = likely or (memory.topic if kind == "other" else None) or the_things().topics_of_kinds[kind]
        return replace(asked, intent=topic, thing=thing, kind=kind)
    if named.topics:
        is_short = len(piece[TEXT].split()) <= _MOST_WORDS_OF_A_FOLLOW_UP
        enough = _CERTAIN_INTENT if is_short else _VERY_SURE_INTENT
        is_sure_of_another = is_of_article and (name in named.topics or confidence >= enough)
        return asked if is_sure_of_another else _of_topic(asked, named.topics, piece, memory)
    if named.is_condition or (named.is_body_part and memory.topic is None):
        is_of_condition = not is_of_article and asked.sureness >= _VERY_SURE and _is_open(name, piece)
        return replace(asked, intent=ASK_DEFINITION) if is_of_condition else asked
    is_of_last = piece["unknown"] == 0 or (_is_open(name, piece) and asked.sureness >= _SURE)
    if is_of_article and confidence >= _VERY_SURE_INTENT and len(piece[TEXT].split()) > _MOST_WORDS_OF_A_FOLLOW_UP:
        is_of_last = False
    if memory.topic and asked.aspect and is_of_last:
        return replace(asked, intent=memory.topic, thing=memory.thing)
    if memory.topic is None and not is_of_article and asked.sureness >= _SURE and piece["unknown"] == 0:
        is_left_open = name in {UNSURE, ASK_BEYOND_ARTICLE, OUT_OF_SCOPE}
        is_in_no_haste = asked.aspect == "who" or confidence < _VERY_SURE_INTENT
        is_of_condition = is_left_open or (name == ASK_URGENCY and is_in_no_haste)
        is_of_itself = asked.aspect in {"serious", "which"}
        return replace(asked, intent=ASK_DEFINITION) if is_of_condition and not is_of_itself else asked
    return asked


def _topic_of_thing(thing: str, likely: list[str | None], home: str | None) -> str:
    """Return the likeliest topic that has words of a thing, or the thing's own."""
    spoken_of = _topics_of_things().get(thing, frozenset())
    return next((topic for topic in likely if topic in spoken_of), home) or ASK_DEFINITION


@lru_cache
def _topics_of_things() -> dict[str, frozenset[str]]:
    """Return the topics that have words of each thing."""
    found: dict[str, set[str]] = {}
    for name, variations in the_library().responses.items():
        for variation in variations:
            for condition in variation.get("condition", []):
                if condition["name"] == "thing":
                    found.setdefault(condition["value"], set()).add(name.removeprefix("utter_"))
    return {thing: frozenset(topics) for thing, topics in found.items()}


def _of_topic(asked: Question, topics: list[str], piece: dict[str, Any], memory: Memory) -> Question:
    """Return a question of the topic that it names, unless it surely asks for something else."""
    topic = memory.topic if memory.topic in topics else topics[0]
    is_open = asked.intent in _answered() or _is_open(asked.intent, piece)
    is_of_last = topic == memory.topic and asked.intent == OUT_OF_SCOPE
    return replace(asked, intent=topic) if is_open or is_of_last else asked


def _is_open(name: str, piece: dict[str, Any]) -> bool:
    """Tell whether an intent leaves open what a message is about."""
    return name in _OPEN_INTENTS or (name == OUT_OF_SCOPE and piece["unknown"] == 0) or name in _PASSING_INTENTS


def _is_ours(piece: dict[str, Any], named: _Named, memory: Memory) -> bool:
    """Tell whether a question that names something else is about this condition still."""
    if named.is_condition or named.is_body_part or named.topics:
        return True
    is_of_it = _IT.search(piece[TEXT]) is not None
    return is_of_it or (memory.topic is not None and piece["unknown"] == 0)
