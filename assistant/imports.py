"""What a server does without: TensorFlow, which nothing of ours uses, and threads for small computations."""

import importlib
import os
import sys
from types import ModuleType

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def compute_in_one_thread() -> None:
    """Keep NumPy and the tokenizer from starting threads; call it before they are imported.

    A message is too little to share out: threads that waited for their part of it took a fifth of a turn's CPU.
    """
    os.environ.update(ONE_THREAD)


def leave_out_tensorflow() -> None:
    """Make Rasa and spaCy do without TensorFlow, which is 300 MB and half of a start; call it before they are imported.

    It serves models alone: nothing can be trained after it, and no component built on TensorFlow loaded.
    """
    # `import tensorflow` now raises ImportError, which spaCy takes for a machine without it.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    # Every entity extractor imports this, and those that are trained use it.
    _put(ModuleType("rasa.utils.train_utils"))
    # A model's metadata names the class that checked its configuration, which imports every component it knows.
    checks = ModuleType("rasa.graph_components.validators.default_recipe_validator")
    checks.DefaultV1RecipeValidator = type("DefaultV1RecipeValidator", (), {})  # type: ignore[attr-defined]
    _put(checks)


def _put(module: ModuleType) -> None:
    """Make a module the one that `import` finds."""
    parent, _, child = module.__name__.rpartition(".")
    sys.modules[module.__name__] = module
    setattr(importlib.import_module(parent), child, module)
