"""How a graph is run."""

from typing import Any

import pytest
from rasa.engine.exceptions import GraphRunError
from rasa.engine.graph import ExecutionContext, GraphComponent, GraphSchema, SchemaNode
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.engine.runner.interface import GraphRunner

from assistant.rasa.tuning import SequentialRunner


class Sum(GraphComponent):
    """Adds up what it gets."""

    @classmethod
    def create(cls, **given: Any) -> "Sum":
        return cls()

    def add(self, one: int, other: int = 1) -> int:
        return one + other


def runner_of(kind: type[GraphRunner]) -> GraphRunner:
    def node(**needs: str) -> SchemaNode:
        return SchemaNode(needs, Sum, "create", "add", {}, eager=True)

    # Told from the end, so that their order has to be found.
    nodes = {
        "both": node(one="left", other="right"),
        "right": node(one="start", other="given"),
        "left": node(one="start"),
        "start": node(one="given"),
        "apart": node(one="elsewhere"),
    }
    schema = GraphSchema(nodes)
    return kind.create(schema, None, ExecutionContext(schema))


@pytest.mark.parametrize("targets", [["both"], ["left", "right"], ["start", "given"]])
def test_a_graph_gives_what_it_gives_with_dask(targets: list[str]) -> None:
    ours, theirs = runner_of(SequentialRunner), runner_of(DaskGraphRunner)
    for given in (1, 5):
        assert ours.run({"given": given}, targets) == theirs.run({"given": given}, targets)


def test_each_run_has_its_own_input() -> None:
    runner = runner_of(SequentialRunner)
    assert [runner.run({"given": given}, ["both"])["both"] for given in (1, 5)] == [6, 18]


def test_a_missing_input_is_an_error() -> None:
    with pytest.raises(GraphRunError):
        runner_of(SequentialRunner).run({"given": 1}, ["apart"])
