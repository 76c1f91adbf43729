"""What is put in place for Rasa, and that it is still needed: a line that no longer is fails here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.rasa.compatibility import (
    NOT_FOR_SERVING,
    OF_OTHERS,
    ON_TENSORFLOW,
    TENSORFLOW_COMPONENTS,
    missing_component,
    run_graph,
)
from clinic.profile import ROOT

# Everything that a server, a training and a test import, and the list of the stand-ins that were asked for.
_ASKED_FOR = """
import sys
from assistant.rasa.compatibility import StandIn, prepare
prepare(is_serving=True)
import rasa.__main__, rasa.core.run, rasa.core.test, rasa.engine.recipes.default_components
import rasa.graph_components.validators.default_recipe_validator
from rasa.core.tracker_store import TrackerStore
from rasa.utils.endpoints import EndpointConfig
from rasa.shared.core.domain import Domain
TrackerStore.create(EndpointConfig(type="InMemoryTrackerStore"), Domain.empty())
print(*(name for name, module in sys.modules.items() if isinstance(module, StandIn)))
"""


def _done(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def asked_for() -> set[str]:
    done = _done(_ASKED_FOR)
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stdout.split())


@pytest.mark.parametrize("name", [*ON_TENSORFLOW, *OF_OTHERS, *NOT_FOR_SERVING])
def test_each_stand_in_is_asked_for_when_rasa_is_imported(name: str, asked_for: set[str]) -> None:
    assert any(f"{other}.".startswith(f"{name}.") for other in asked_for)


@pytest.mark.parametrize("name", OF_OTHERS)
def test_a_package_of_a_channel_that_is_off_is_not_installed(name: str) -> None:
    done = _done(f"import {name}")
    assert "ModuleNotFoundError" in done.stderr


def test_rasas_modules_on_tensorflow_import_it() -> None:
    missing = _done(
        "from assistant.rasa import compatibility as c\nnames = c.ON_TENSORFLOW\nc.ON_TENSORFLOW = ()\nc.prepare()\n"
        "import importlib\n"
        "for name in names:\n"
        "    try:\n        importlib.import_module(name)\n        print(name, 'needs no stand-in')\n"
        "    except ModuleNotFoundError as error:\n        print(name, error.name)\n"
    ).stdout
    assert dict(map(str.split, missing.splitlines())) == dict.fromkeys(ON_TENSORFLOW, "tensorflow")


@pytest.mark.parametrize("dropped", ["packaging.version.LegacyVersion", "numpy.VisibleDeprecationWarning"])
def test_libraries_have_dropped_the_names_that_rasa_looks_up(dropped: str) -> None:
    module, _, name = dropped.rpartition(".")
    assert f"has no attribute '{name}'" in _done(f"import {module}\n{dropped}").stderr
    sources = Path(_done("import rasa\nprint(rasa.__path__[0])").stdout.strip()).rglob("*.py")
    assert any(re.search(rf"\b{name}\b", source.read_text(encoding="utf-8")) for source in sources)


def test_sanic_starts_new_processes_unless_told_otherwise() -> None:
    assert _done("from sanic import Sanic\nprint(Sanic.start_method)").stdout.strip() != "fork"


def test_a_graph_is_run_in_the_order_of_its_needs() -> None:
    graph = {"sum": (lambda *given: sum(given), "one", "two"), "two": (lambda one: one[1] + 1, "given"), "one": (int,)}
    assert run_graph({**graph, "given": ("given", 4)}, ["sum", "given"]) == (5, ("given", 4))
    assert run_graph({"echo": (lambda word: word, "nowhere")}, ["echo"]) == ("nowhere",), "as dask does"


@pytest.mark.parametrize("name", sorted(TENSORFLOW_COMPONENTS))
def test_a_component_on_tensorflow_gets_a_sentence(name: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"pipeline:\n- name: WhitespaceTokenizer\n- name: {name}\n  epochs: 1\npolicies:\n")
    assert f"names {name}, which needs TensorFlow" in (missing_component(config) or "")


def test_our_own_configuration_needs_no_tensorflow(tmp_path: Path) -> None:
    assert missing_component(ROOT / "config.yml") is None
    assert missing_component(tmp_path / "none.yml") is None
