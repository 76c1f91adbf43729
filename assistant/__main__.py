"""Rasa's command line as this project runs it: quiet, and with telemetry off.

`python -m assistant build` makes what training needs; every other command is Rasa's own.
"""

import os
import sys
import warnings

os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TQDM_DISABLE", "1")


def main() -> None:
    """Run a command."""
    if sys.argv[1:2] == ["build"]:
        build()
        return
    import sanic.app  # noqa: F401  (it switches deprecation warnings on when imported, so they are switched off after)

    warnings.simplefilter("ignore")
    from rasa.__main__ import main as rasa

    rasa()


def build() -> None:
    """Make the sentence encoder and the spaCy pipeline in `models/`."""
    from assistant.clinic import ROOT
    from assistant.nlu import encoder, vocabulary

    encoder.build(ROOT / "models" / "encoder")
    vocabulary.build(ROOT / "models" / "spacy", ROOT / "data" / "entities.yml", ROOT / "data" / "contrast.yml")


if __name__ == "__main__":
    main()
