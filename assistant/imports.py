"""How a server is kept from importing TensorFlow, which no component of ours uses: 400 MB and most of a start."""

import importlib
import sys
from types import ModuleType


def leave_out_tensorflow() -> None:
    """Make Rasa and spaCy do without TensorFlow in this process; call it before they are imported.

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
