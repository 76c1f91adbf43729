"""How a graph is loaded and run."""

import tarfile
from pathlib import Path
from typing import Any

import pytest
from rasa.engine.exceptions import GraphRunError
from rasa.engine.graph import ExecutionContext, GraphComponent, GraphSchema, SchemaNode
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.engine.runner.interface import GraphRunner
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.graph_components.providers.domain_provider import DomainProvider
from rasa.nlu.utils.spacy_utils import SpacyNLP
from rasa.shared.core.domain import Domain

from assistant.rasa.tuning import SequentialRunner
from assistant.startup import MODEL


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


def test_a_domain_is_the_one_that_rasa_reads(tmp_path: Path) -> None:
    with tarfile.open(MODEL) as model:
        model.extractall(tmp_path, filter="data")
    folder = tmp_path / "components"
    [provider] = [path.name for path in folder.iterdir() if (path / "domain.yml").is_file()]
    context = ExecutionContext(GraphSchema({}))
    given = {"model_storage": LocalModelStorage(folder), "resource": Resource(provider), "execution_context": context}
    ours = DomainProvider.load(config={}, **given).provide_inference()
    theirs = Domain.from_path(str(folder / provider))
    assert ours.fingerprint() == theirs.fingerprint()
    assert ours.responses == theirs.responses


def test_a_pipeline_of_spacy_is_loaded_once() -> None:
    pipeline = str(MODEL.parent / "spacy")
    assert SpacyNLP.load_model(pipeline) is SpacyNLP.load_model(pipeline)
