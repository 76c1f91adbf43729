"""What the stories tell to do next."""

import random
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest
from rasa.core.policies.memoization import AugmentedMemoizationPolicy, MemoizationPolicy
from rasa.core.training import load_data
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from assistant.clinic import ROOT
from assistant.policies import StoryPolicy

DOMAIN = Domain.load(str(ROOT / "domain.yml"))
MAX_HISTORY = 6
# What only rules tell of, which RulePolicy finds when it is trained and hands to the policy of the stories.
RULES_ONLY = {"rule_only_slots": ["booking_status"], "rule_only_loops": ["booking_form"]}


@lru_cache
def stories() -> list[DialogueStateTracker]:
    return load_data(str(ROOT / "data" / "stories"), DOMAIN, augmentation_factor=0)


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


def a_talk(chooser: random.Random) -> list[Event]:
    """Return turns that follow stories here and there, with rules' turns, slots and forms between them."""
    events: list[Event] = [ActionExecuted("action_listen")]
    for _ in range(chooser.randint(1, 6)):
        kind = chooser.random()
        if kind < 0.6:
            told = [event for event in chooser.choice(stories()).applied_events() if not isinstance(event, SlotSet)]
            steps = [index for index, event in enumerate(told) if isinstance(event, ActionExecuted)]
            events += told[1 : chooser.choice(steps) + 1]
        elif kind < 0.8:
            intent = chooser.choice(["greet", "thank", "ask_help"])
            hidden = [ActionExecuted(name, hide_rule_turn=True) for name in (f"utter_{intent}", "action_listen")]
            events += [asked(intent), *hidden]
        else:
            events += [SlotSet("booking_status", "sent"), ActiveLoop("booking_form"), ActiveLoop(None)]
        if not isinstance(events[-1], ActionExecuted) or events[-1].action_name != "action_listen":
            events.append(ActionExecuted("action_listen"))
    return [*events, asked(chooser.choice(["tell_me_more", "affirm", "deny", "nlu_fallback", "ask_causes"]))]


def test_it_follows_what_rasas_own_policy_follows(
    trained: Callable[[type[MemoizationPolicy]], MemoizationPolicy],
) -> None:
    ours, theirs = trained(StoryPolicy), trained(AugmentedMemoizationPolicy)
    chooser, followed = random.Random(0), 0
    for _ in range(300):
        tracker = DialogueStateTracker.from_events("rest:ana", a_talk(chooser), DOMAIN.slots)
        action = next_action(theirs, tracker)
        assert next_action(ours, tracker) == action, [str(event) for event in tracker.events]
        followed += action is not None
    assert followed > 100


def test_it_follows_a_story_after_other_talk(
    trained: Callable[[type[MemoizationPolicy]], MemoizationPolicy],
) -> None:
    other = [asked("greet"), ActionExecuted("utter_greet"), ActionExecuted("action_listen")]
    story = [asked("ask_causes"), ActionExecuted("utter_ask_causes"), ActionExecuted("action_listen")]
    events = [ActionExecuted("action_listen"), *other, *other, *story, asked("tell_me_more")]
    tracker = DialogueStateTracker.from_events("rest:ana", events, DOMAIN.slots)
    assert next_action(trained(StoryPolicy), tracker) == "utter_ask_cause_overuse"
    assert next_action(trained(MemoizationPolicy), tracker) is None
