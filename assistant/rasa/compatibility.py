"""Rasa 3.6.21 on today's Python and libraries: what it looks for and no longer finds, put in place before its import.

Rasa pins TensorFlow 2.12 and libraries of 2022. Of TensorFlow nothing of ours runs; on current libraries Rasa works
with the few things below. `tests/unit/assistant/rasa/test_compatibility.py` fails for each that is no longer needed.
"""

import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import packaging.version
import yaml

# NumPy and the tokenizer start threads otherwise. A message is too little to share out: threads that waited for their
# part of it took a fifth of a turn's CPU.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

# The modules of Rasa that import TensorFlow and are imported by others: none of what they define can run here.
ON_TENSORFLOW = (
    "rasa.core.policies.ted_policy",
    "rasa.core.policies.unexpected_intent_policy",
    "rasa.nlu.classifiers.diet_classifier",
    "rasa.nlu.featurizers.dense_featurizer.convert_featurizer",
    "rasa.nlu.featurizers.dense_featurizer.lm_featurizer",
    "rasa.nlu.selectors.response_selector",
    "rasa.utils.tensorflow.callback",
    "rasa.utils.tensorflow.data_generator",
)
TENSORFLOW_COMPONENTS = frozenset(
    {
        "ConveRTFeaturizer",
        "DIETClassifier",
        "LanguageModelFeaturizer",
        "ResponseSelector",
        "TEDPolicy",
        "UnexpecTEDIntentPolicy",
    }
)
# What Rasa imports for channels and stores that are off here. They stand in only where the
# package is not installed.
OF_OTHERS = (
    "aiogram",
    "boto3",
    "botocore",
    "cachecontrol",
    "fbmessenger",
    "google.auth",
    "google.oauth2",
    "pymongo",
    "webexteamssdk",
)
# What Rasa imports for commands other than `run`, and the parts of Twilio's package that only its own channel needs.
# A server is 60 MB smaller without them.
NOT_FOR_SERVING = (
    "matplotlib",
    "questionary",
    "twilio.rest",
    "twilio.twiml",
    # A model's metadata names the class that checked its configuration, which imports every component it knows.
    "rasa.graph_components.validators.default_recipe_validator",
)


class StandIn(ModuleType):
    """A module that gives an empty class for whatever name is asked of it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # Rasa also catches some of them.
        made = type(name, (Exception,), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


class StandIns(MetaPathFinder, Loader):
    """Finds stand-ins for some modules and for all that is below them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        parts = name.split(".")
        above = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
        return ModuleSpec(name, self, is_package=True) if above & self._names else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it was made."""


def compute_in_one_thread() -> None:
    """Keep NumPy and the tokenizer from starting threads; call it before they are imported."""
    os.environ.update(ONE_THREAD)


def prepare(is_serving: bool = False) -> None:
    """Make `import rasa` possible; called again, it does nothing.

    Args:
        is_serving: whether nothing but Rasa's command `run` is wanted, for which less is loaded.
    """
    if any(isinstance(finder, StandIns) for finder in sys.meta_path):
        return
    warnings.simplefilter("ignore")
    _put_back_names()
    sys.modules["dask"] = _dask()
    sys.meta_path.insert(0, StandIns([*ON_TENSORFLOW, *(NOT_FOR_SERVING if is_serving else ())]))
    sys.meta_path.append(StandIns(OF_OTHERS))
    _run_sanic_in_this_process()
    # Sanic switches deprecation warnings on when it is imported.
    warnings.simplefilter("ignore")


def missing_component(config: Path) -> str | None:
    """Return a sentence on the component of a Rasa configuration that needs TensorFlow, or None."""
    content = yaml.safe_load(config.read_text(encoding="utf-8")) if config.is_file() else None
    listed = [*(content.get("pipeline") or []), *(content.get("policies") or [])] if isinstance(content, dict) else []
    names = [part.get("name", "") if isinstance(part, Mapping) else str(part) for part in listed]
    missing = next((name for name in names if name.rpartition(".")[2] in TENSORFLOW_COMPONENTS), None)
    return missing and (
        f"{config.name} names {missing}, which needs TensorFlow; it is left out here (2 GB): take {missing} "
        "out, or train with the published rasa 3.6.21 on Python 3.10, as benchmarks/default does."
    )


def _put_back_names() -> None:
    """Put back two names that Rasa looks up and that the libraries have dropped."""
    # Not before: a server says first how many threads it may start.
    import numpy as np

    # Rasa asks whether a version is one; none is, any more.
    packaging.version.LegacyVersion = type("LegacyVersion", (), {})  # type: ignore[attr-defined]
    np.VisibleDeprecationWarning = np.exceptions.VisibleDeprecationWarning  # type: ignore[attr-defined]


def _dask() -> ModuleType:
    """Return a module `dask` with its `get`: the current one refuses the inputs that Rasa puts into a graph."""
    module = ModuleType("dask")
    module.get = run_graph  # type: ignore[attr-defined]
    return module


def run_graph(graph: Mapping[str, tuple[Any, ...]], targets: Sequence[str]) -> tuple[Any, ...]:
    """Return what the targets of a graph give.

    Args:
        graph: for each name a callable and the names of its arguments, or a tuple that is a value.
    """
    results: dict[str, Any] = {}

    def result(name: str) -> Any:
        if name not in graph:
            return name
        if name not in results:
            work, *needs = graph[name]
            results[name] = work(*map(result, needs)) if callable(work) else graph[name]
        return results[name]

    return tuple(map(result, targets))


def _run_sanic_in_this_process() -> None:
    """Let `Sanic.run`, as Rasa calls it, serve in this process, and several workers be forked from it.

    Sanic starts new processes otherwise, which would have to load the model and what is set up here anew.
    """
    from sanic import Sanic

    from service.http import Protocol

    Sanic.start_method = "fork"
    sanics_run = Sanic.run

    def run(app: Any, *arguments: Any, workers: int = 1, **named: Any) -> None:
        named |= {"single_process": workers == 1, "motd": False, "protocol": Protocol}
        sanics_run(app, *arguments, workers=workers, **named)

    Sanic.run = run  # type: ignore[assignment,method-assign]
