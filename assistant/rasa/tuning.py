"""What a server does in place of parts of Rasa: with the same results, and less work a turn."""

import gc
import itertools
import json
from collections.abc import Callable
from functools import cache
from graphlib import TopologicalSorter
from types import SimpleNamespace
from typing import Any

from rasa.core import processor
from rasa.core.agent import Agent
from rasa.core.policies.rule_policy import RULES, RULES_FOR_LOOP_UNHAPPY_PATH, RulePolicy
from rasa.core.tracker_store import TrackerStore
from rasa.engine.exceptions import GraphRunError
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.nlu.constants import SPACY_DOCS
from rasa.nlu.extractors.spacy_entity_extractor import SpacyEntityExtractor
from rasa.nlu.utils.spacy_utils import SpacyModel
from rasa.shared.core.constants import PREVIOUS_ACTION, USER
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.slots import Slot
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ACTION_NAME, ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from spacy.pipeline import EntityRuler

from assistant.rasa.conversation import Conversation, latest_states
from assistant.rasa.tracker_store import conversation_store

_rasas_find_action_from_rules = RulePolicy._find_action_from_rules
_rasas_possible_keys = RulePolicy._get_possible_keys
_rasas_is_empty = Domain.is_empty


# A node, what it does, and which nodes give its arguments.
Step = tuple[str, Callable[..., Any], list[tuple[str, str]]]


def install() -> None:
    """Make models that are loaded from now on use what is below."""
    for owner, name, ours in REPLACED:
        setattr(owner, name, ours)


def unwrap_store(agent: Agent) -> None:
    """Let an agent use its tracker store as it is: Rasa's FailSafeTrackerStore would take a fault for an empty one."""
    agent.tracker_store = agent.processor.tracker_store = conversation_store(agent)


def settle() -> None:
    """Leave all that is loaded by now out of garbage collection, which would go through it in the midst of a turn."""
    gc.collect()
    gc.freeze()


class SequentialRunner(DaskGraphRunner):
    """Runs the nodes of a graph whose components are loaded one after another, in an order that is worked out once.

    Dask, which Rasa leaves this to, plans and books each run anew, at an eighth of a turn's CPU.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._plans: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Step]] = {}

    def run(self, inputs: dict[str, Any] | None = None, targets: list[str] | None = None) -> dict[str, Any]:
        """Return what each target gives, by its name.

        Raises:
            GraphRunError: a node needs what is neither given nor in the graph.
        """
        results = {**(inputs or {})}
        wanted = tuple(targets or self._graph_schema.target_names)
        key = (wanted, tuple(results))
        if key not in self._plans:
            self._plans[key] = self._plan(*key)
        for name, work, needs in self._plans[key]:
            results[name] = work(**{argument: results[need] for argument, need in needs})
        return {name: results[name] for name in wanted}

    def _plan(self, targets: tuple[str, ...], given: tuple[str, ...]) -> list[Step]:
        nodes = self._graph_schema.minimal_graph_schema(list(targets)).nodes
        needs = {name: node.needs.values() for name, node in nodes.items()}
        missing = {*itertools.chain.from_iterable(needs.values())} - {*given, *nodes}
        if missing:
            raise GraphRunError(f"Nothing gives {', '.join(sorted(missing))}.")
        steps = []
        for name in TopologicalSorter(needs).static_order():
            if name in nodes:
                component, schema = self._instantiated_nodes[name]._component, nodes[name]
                steps.append((name, getattr(component, schema.fn), [*schema.needs.items()]))
        return steps


def find_action_from_rules(
    policy: RulePolicy, tracker: DialogueStateTracker, domain: Domain, use_text_for_last_user_input: bool
) -> tuple[str | None, str | None, bool]:
    """Look for a rule by what was typed, before one by its intent, only where rules tell of what was typed."""
    if use_text_for_last_user_input and not _tell_of_texts(policy):
        return None, None, False
    found: tuple[str | None, str | None, bool] = _rasas_find_action_from_rules(
        policy, tracker, domain, use_text_for_last_user_input
    )
    return found


def prediction_states(
    policy: RulePolicy,
    tracker: DialogueStateTracker,
    domain: Domain,
    use_text_for_last_user_input: bool = False,
    rule_only_data: dict[str, Any] | None = None,
) -> list[State]:
    """Return the states that rules are compared with: as many of the latest as the longest rule has."""
    states = latest_states(tracker, domain, _longest(policy))
    policy.featurizer._choose_last_user_input([states], use_text_for_last_user_input)
    return states


@cache
def _longest(policy: RulePolicy) -> int:
    return max(map(len, _rules(policy)))


@cache
def _tell_of_texts(policy: RulePolicy) -> bool:
    return any(TEXT in state.get(USER, {}) for rule in _rules(policy) for state in rule)


def _rules(policy: RulePolicy) -> list[list[State]]:
    return [json.loads(rule) for kind in (RULES, RULES_FOR_LOOP_UNHAPPY_PATH) for rule in policy.lookup[kind]]


def extract_entities(extractor: SpacyEntityExtractor, messages: list[Message], model: SpacyModel) -> list[Message]:
    """Put on each message the entities of the document that SpacyNLP has made of it, in which nothing is lower-cased.

    Rasa makes one more, in case it is.
    """
    for message in messages:
        found = extractor.add_extractor_name(extractor._extract_entities(message.get(SPACY_DOCS[TEXT])))
        wanted = extractor.filter_irrelevant_entities(found, extractor._config["dimensions"])
        message.set(ENTITIES, message.get(ENTITIES, []) + wanted, add_to_output=True)
    return messages


def init_tracker(store: TrackerStore, sender_id: str) -> DialogueStateTracker:
    """Return the tracker that a conversation begins with."""
    return Conversation(sender_id, store.domain.slots, store.max_event_history)


def possible_keys(policy: RulePolicy, lookup: dict[str, str], states: list[State]) -> set[str]:
    """Return the rules that a conversation may be following, by looking only at those that end as it does."""
    action = states[-1].get(PREVIOUS_ACTION, {}).get(ACTION_NAME)
    intent = states[-1].get(USER, {}).get(INTENT)
    ending = {(action, intent), (action, None), (None, None)}
    candidates = {rule: told for rule, told in lookup.items() if _ending(rule) in ending}
    possible: set[str] = _rasas_possible_keys(policy, candidates, states)
    return possible


@cache
def _ending(rule: str) -> tuple[str | None, str | None]:
    """Return the action and the intent that a rule's last state asks for; Nones when it asks for no action."""
    state: State = json.loads(rule)[-1]
    action = state.get(PREVIOUS_ACTION, {}).get(ACTION_NAME)
    return (action, state.get(USER, {}).get(INTENT)) if action else (None, None)


def is_empty(domain: Domain) -> bool:
    """Tell whether a domain is empty, which Rasa finds out for each message by writing all of it to a dictionary."""
    if not hasattr(domain, "_is_empty"):
        domain._is_empty = _rasas_is_empty(domain)
    found: bool = domain._is_empty
    return found


def twin(slot: Slot) -> Slot:
    """Return what `copy.copy` returns, which looks at each copy for how to make it."""
    copied: Slot = object.__new__(type(slot))
    copied.__dict__.update(slot.__dict__)
    return copied


REPLACED: tuple[tuple[Any, str, Any], ...] = (
    (processor, "DaskGraphRunner", SequentialRunner),
    (RulePolicy, "_get_possible_keys", possible_keys),
    (RulePolicy, "_find_action_from_rules", find_action_from_rules),
    (RulePolicy, "_prediction_states", prediction_states),
    # It copies all that it logs, whether it is logged or not.
    (processor, "copy", SimpleNamespace(deepcopy=lambda logged: logged)),
    # It writes all states for a log that is off.
    (RulePolicy, "format_tracker_states", lambda _policy, _states: []),
    (TrackerStore, "init_tracker", init_tracker),
    (SpacyEntityExtractor, "process", extract_entities),
    (Domain, "is_empty", is_empty),
    (Slot, "__copy__", twin),
    # It counts all patterns at each text, to warn where there are none.
    (EntityRuler, "_require_patterns", lambda _ruler: None),
)
