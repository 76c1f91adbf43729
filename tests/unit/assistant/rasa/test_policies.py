"""What the stories tell to do next."""

import random
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from rasa.core.policies.memoization import AugmentedMemoizationPolicy, MemoizationPolicy
from rasa.core.policies.rule_policy import RulePolicy
from rasa.core.training import load_data
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    Event,
    Restarted,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker, EventVerbosity

from assistant.rasa.conversation import Conversation
from assistant.rasa.policies import FastRulePolicy, StoryPolicy
from clinic.articles import DATA, the_library

DOMAIN = Domain.from_dict(the_library().domain())
MAX_HISTORY = 6
# What only rules tell of, which RulePolicy finds when it is trained and hands to the policy of the stories.
RULES_ONLY = {"rule_only_slots": ["booking_status"], "rule_only_loops": ["booking_form"]}


@lru_cache
def stories() -> list[DialogueStateTracker]:
    return [told for told in load_data(str(DATA), DOMAIN, augmentation_factor=0) if not told.is_rule_tracker]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[type[MemoizationPolicy]], MemoizationPolicy]:
    def policy_of(kind: type[MemoizationPolicy]) -> MemoizationPolicy:
        storage = LocalModelStorage.create(Path(tmp_path_factory.mktemp(kind.__name__)))
        config = {**kind.get_default_config(), "max_history": MAX_HISTORY}
        policy = kind(config, storage, Resource(kind.__name__), ExecutionContext(GraphSchema({}), "test"))
        policy.train(stories(), DOMAIN)
        return policy

    return policy_of


def next_action(policy: MemoizationPolicy, tracker: DialogueStateTracker) -> str | None:
    probabilities = policy.predict_action_probabilities(tracker, DOMAIN, rule_only_data=RULES_ONLY).probabilities
    likeliest = max(probabilities)
    return DOMAIN.action_names_or_texts[probabilities.index(likeliest)] if likeliest else None


def asked(intent: str) -> UserUttered:
    return UserUttered(intent, {"name": intent, "confidence": 1.0})


def of_a_story(chooser: random.Random) -> list[Event]:
    """Return the turns of a story, up to one of them."""
    story = [event for event in chooser.choice(stories()).applied_events() if not isinstance(event, SlotSet)]
    steps = [index for index, event in enumerate(story) if isinstance(event, ActionExecuted)]
    turns = story[1 : chooser.choice(steps) + 1]
    is_over = not turns or turns[-1] == ActionExecuted("action_listen")
    return turns if is_over else [*turns, ActionExecuted("action_listen")]


def of_rules(chooser: random.Random) -> list[Event]:
    """Return small talk, or a form that is left open, is stopped or ends."""
    talk, asks = (
        [ActionExecuted(name, hide_rule_turn=True) for name in (action, "action_listen")]
        for action in ("utter_greet", "booking_form")
    )
    return chooser.choice(
        [
            [asked("greet"), *talk],
            [asked("book_appointment"), asks[0], ActiveLoop("booking_form"), asks[1], asked("inform"), *asks],
            [asked("book_appointment"), asks[0], ActiveLoop("booking_form"), ActiveLoop(None), asks[1]],
            [asked("affirm"), asks[0], ActiveLoop(None), SlotSet("booking_status", "sent"), asks[1]],
        ]
    )


def a_talk(chooser: random.Random) -> tuple[list[Event], list[Event]]:
    """Return turns of stories with turns of rules between them, and the turns of stories alone."""
    everything: list[Event] = [ActionExecuted("action_listen")]
    told = everything.copy()
    for _ in range(chooser.randint(1, 8)):
        if chooser.random() < 0.6:
            turns = of_a_story(chooser)
            told += turns
        else:
            turns = of_rules(chooser)
        everything += turns
    latest = asked(chooser.choice(["tell_me_more", "affirm", "deny", "nlu_fallback", "ask_causes"]))
    return [*everything, latest], [*told, latest]


def test_it_follows_what_rasas_own_policy_follows_in_stories_alone(
    trained: Callable[[type[MemoizationPolicy]], MemoizationPolicy],
) -> None:
    ours, theirs = trained(StoryPolicy), trained(AugmentedMemoizationPolicy)
    chooser, followed = random.Random(0), 0
    for _ in range(300):
        everything, told = (
            DialogueStateTracker.from_events("rest:ana", talk, DOMAIN.slots) for talk in a_talk(chooser)
        )
        action = next_action(theirs, told)
        assert next_action(ours, everything) == action, [str(event) for event in everything.events]
        followed += action is not None
    assert followed > 100


def test_a_conversation_has_the_states_that_rasas_tracker_has() -> None:
    chooser = random.Random(1)
    for _ in range(100):
        conversation, tracker = (kind("rest:ana", DOMAIN.slots) for kind in (Conversation, DialogueStateTracker))
        for event in [*a_talk(chooser)[0], UserUtteranceReverted(), asked("greet"), Restarted(), *a_talk(chooser)[0]]:
            for each in (conversation, tracker):
                each.update(event)
            if chooser.random() < 0.3:
                assert conversation.applied_events() == tracker.applied_events()
                assert conversation.copy().current_state(EventVerbosity.ALL) == tracker.copy().current_state(
                    EventVerbosity.ALL
                )
                states = conversation.past_states(DOMAIN)
                assert states == tracker.past_states(DOMAIN)
                assert conversation.past_states(DOMAIN, ignore_rule_only_turns=True) == tracker.past_states(
                    DOMAIN, ignore_rule_only_turns=True
                )
                # Policies take from them what they do not need.
                for state in states:
                    state.clear()
                conversation.applied_events().clear()
        assert conversation.past_states(DOMAIN) == tracker.past_states(DOMAIN)


def test_a_conversation_works_out_a_state_once(monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out: list[object] = []
    conversation = Conversation("rest:ana", DOMAIN.slots)
    get_active_state = Domain.get_active_state
    monkeypatch.setattr(Domain, "get_active_state", lambda *given: worked_out.append(given) or get_active_state(*given))
    for _ in range(20):
        for event in (ActionExecuted("action_listen"), asked("greet"), ActionExecuted("utter_greet")):
            conversation.update(event)
            conversation.past_states(DOMAIN)
            conversation.past_states(DOMAIN)
    assert len(worked_out) <= 3 * 20 + 1
    assert conversation.latest_states(DOMAIN, 7) == conversation.past_states(DOMAIN)[-7:]


def test_it_follows_a_story_after_other_talk(
    trained: Callable[[type[MemoizationPolicy]], MemoizationPolicy],
) -> None:
    other = [asked("greet"), ActionExecuted("utter_greet"), ActionExecuted("action_listen")]
    story = [asked("ask_causes"), ActionExecuted("utter_ask_causes"), ActionExecuted("action_listen")]
    events = [ActionExecuted("action_listen"), *other, *other, *story, asked("tell_me_more")]
    tracker = DialogueStateTracker.from_events("rest:ana", events, DOMAIN.slots)
    assert next_action(trained(StoryPolicy), tracker) == "utter_ask_cause_overuse"
    assert next_action(trained(MemoizationPolicy), tracker) is None


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RulePolicy:
    """Rasa's policy with the rules of `data/`."""
    config = {**RulePolicy.get_default_config(), "check_for_contradictions": False}
    storage = LocalModelStorage.create(tmp_path_factory.mktemp("rules"))
    policy = RulePolicy(config, storage, Resource("rules"), ExecutionContext(GraphSchema({}), "test"))
    policy.train(load_data(str(DATA), DOMAIN, augmentation_factor=0), DOMAIN)
    return policy


@pytest.fixture(scope="module")
def fast_rules(rules: RulePolicy, tmp_path_factory: pytest.TempPathFactory) -> FastRulePolicy:
    """Our policy with the very same rules, loaded as a server does."""
    rules.persist()
    storage, config = rules._model_storage, rules.config
    return FastRulePolicy.load(config, storage, rules._resource, ExecutionContext(GraphSchema({}), "test"))


def test_it_finds_the_rules_that_rasas_own_policy_finds(rules: RulePolicy, fast_rules: FastRulePolicy) -> None:
    intents, chooser, found = sorted(DOMAIN.intents), random.Random(2), 0
    for _ in range(300):
        talk, _ = a_talk(chooser)
        events = chooser.choice([talk[:-1], talk, [*talk[:-1], asked(chooser.choice(intents))], talk[:1]])
        states = DialogueStateTracker.from_events("rest:ana", events, DOMAIN.slots).past_states(DOMAIN)
        for lookup in rules.lookup["rules"], rules.lookup["rules_for_loop_unhappy_path"]:
            keys = rules._get_possible_keys(lookup, states)
            assert fast_rules._get_possible_keys(lookup, states) == keys, [str(event) for event in events]
            found += bool(keys)
    assert found > 100


def test_it_predicts_what_rasas_own_policy_predicts(rules: RulePolicy, fast_rules: FastRulePolicy) -> None:
    intents, chooser = sorted(DOMAIN.intents), random.Random(3)

    def predicted(policy: RulePolicy, kind: type[DialogueStateTracker]) -> list[tuple[str, bool]]:
        found = []
        for events in talks:
            prediction = policy.predict_action_probabilities(kind.from_events("rest:ana", events, DOMAIN.slots), DOMAIN)
            likeliest = DOMAIN.action_names_or_texts[int(np.argmax(prediction.probabilities))]
            found.append((likeliest if max(prediction.probabilities) == 1 else "none", bool(prediction.events)))
        return found

    talks = [[*a_talk(chooser)[0][:-1], asked(chooser.choice(intents))][: chooser.randint(1, 60)] for _ in range(200)]
    theirs = predicted(rules, DialogueStateTracker)
    assert predicted(fast_rules, DialogueStateTracker) == theirs
    assert predicted(fast_rules, Conversation) == theirs
    assert len(set(theirs)) > 10
