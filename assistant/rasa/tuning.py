"""The parts of Rasa 3.6.21 that a server does faster, with identical results.

Policies and components of ours are named in config.yml, and attributes of the live agent are set by `tune`. Only what
has no such door stands in `PATCHES` and `LOADING`.
"""

import gc
import itertools
from collections.abc import Callable
from functools import lru_cache
from graphlib import TopologicalSorter
from types import SimpleNamespace
from typing import Any

import rasa
from rasa.core import processor
from rasa.core.agent import Agent
from rasa.engine.exceptions import GraphRunError
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.graph_components.providers.domain_provider import DomainProvider
from rasa.nlu.utils.spacy_utils import SpacyNLP
from rasa.shared.core.domain import Domain
from rasa.shared.core.slots import Slot
from rasa.shared.utils.io import read_yaml_file
from spacy.pipeline import EntityRuler

# A node, what it does, and which nodes give its arguments.
Step = tuple[str, Callable[..., Any], list[tuple[str, str]]]


class SequentialRunner(DaskGraphRunner):
    """Runs the nodes of a graph whose components are loaded one after another, in an order that is worked out once.

    Dask, which Rasa leaves this to, plans and books each run anew, at an eighth of a turn's CPU.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._plans: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Step]] = {}

    @classmethod
    def of(cls, runner: DaskGraphRunner) -> "SequentialRunner":
        """Return a runner of the graph and the components that another one has loaded."""
        made = object.__new__(cls)
        made.__dict__.update(runner.__dict__)
        made._plans = {}
        return made

    def run(self, inputs: dict[str, Any] | None = None, targets: list[str] | None = None) -> dict[str, Any]:
        """Return the result of each target, by its name.

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


def tune(agent: Agent) -> Agent:
    """Make a loaded agent faster, and return it.

    Its tracker store is used as it is, too: Rasa's FailSafeTrackerStore would take a fault of the database for a
    conversation that is empty, and go on without it.
    """
    engine = agent.processor
    engine.graph_runner = SequentialRunner.of(engine.graph_runner)
    agent.tracker_store = engine.tracker_store = getattr(agent.tracker_store, "_tracker_store", agent.tracker_store)
    # Rasa finds it out for each message, by writing the whole domain to a dictionary.
    is_empty = engine.domain.is_empty()
    engine.domain.is_empty = lambda: is_empty
    for owner, name, ours in PATCHES:
        setattr(owner, name, ours)
    return agent


def load_domain(
    provider: type[DomainProvider], model_storage: ModelStorage, resource: Resource, **_others: Any
) -> DomainProvider:
    """Load the domain of a model, which Rasa itself has written."""
    with model_storage.read_from(resource) as folder:
        domain = Domain.from_dict(read_yaml_file(folder / "domain.yml"))
    return provider(model_storage, resource, domain)


def freeze_garbage_collector() -> None:
    """Leave all that is loaded by now out of garbage collection, which would go through it in the midst of a turn."""
    gc.collect()
    gc.freeze()


def copy_slot(slot: Slot) -> Slot:
    """Return a shallow copy, as `copy.copy` does, which looks up anew how to make each."""
    copied: Slot = object.__new__(type(slot))
    copied.__dict__.update(slot.__dict__)
    return copied


if rasa.__version__ != "3.6.21":
    raise AssertionError("Compare each of PATCHES with what this version of Rasa does.")
PATCHES: tuple[tuple[Any, str, Any], ...] = (
    # Saves 6 µs for each list of entities and the like: it copies all that it logs, whether it is logged or not.
    (processor, "copy", SimpleNamespace(deepcopy=lambda logged: logged)),
    # Saves 3 µs of 4 for each slot of each copy of a tracker.
    (Slot, "__copy__", copy_slot),
    # Saves 90 µs a message with our 2,544 patterns: it counts them at each text, to warn where there are none.
    (EntityRuler, "_require_patterns", lambda _ruler: None),
)
# What a model is loaded with, from the import of this module on.
LOADING: tuple[tuple[Any, str, Any], ...] = (
    # Saves four of five readings of the domain, 1.5 s each: Rasa takes it for what people have written.
    (DomainProvider, "load", classmethod(load_domain)),
    # Saves one of two loadings of the same pipeline, about 1 s: two nodes of the graph have it.
    (SpacyNLP, "load_model", staticmethod(lru_cache(SpacyNLP.load_model))),
)
for _owner, _name, _ours in LOADING:
    setattr(_owner, _name, _ours)
