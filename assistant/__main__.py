"""Rasa's command line as this project runs it: quiet, with telemetry off and the defaults of one machine.

`python -m assistant build` makes what training needs; every other command is Rasa's own.
"""

import logging
import os
import sys
import warnings

from assistant.rasa.compatibility import compute_in_one_thread, missing_component, prepare
from clinic.articles import the_library
from clinic.profile import ROOT, ClinicError, the_clinic
from service.secrets import secret
from service.settings import SettingError, settings

_DEFAULTS = {"RASA_TELEMETRY_ENABLED": "false", "SANIC_ACCESS_LOG": "false"}


def main() -> int:
    """Run a command; return its exit code."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        the_clinic()
        the_library()
        # What endpoints.yml and Sanic read from the environment.
        os.environ["ACTION_URL"] = settings().action_url
        os.environ["SANIC_GRACEFUL_SHUTDOWN_TIMEOUT"] = str(settings().sanic_graceful_shutdown_timeout)
        os.environ["ACTION_TOKEN"] = secret("ACTION_TOKEN")
    except (ClinicError, SettingError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if sys.argv[1:2] == ["build"]:
        build()
        return 0
    is_serving = sys.argv[1:2] == ["run"]
    if is_serving:
        compute_in_one_thread()
    elif fault := missing_component(ROOT / "config.yml"):
        sys.stderr.write(f"{fault}\n")
        return 1
    prepare(is_serving)
    from rasa.__main__ import main as rasa
    from rasa.core import constants
    from rasa.plugin import plugin_manager
    from rasa.utils.common import EXPECTED_WARNINGS

    constants.DEFAULT_SERVER_INTERFACE = settings().host
    if is_serving:
        from assistant.startup import Serving

        plugin_manager().register(Serving())
    # Rasa warns of each response that no story says, and so of those that forms and the action server say.
    EXPECTED_WARNINGS.append((UserWarning, "is not used in any story or rule"))
    EXPECTED_WARNINGS.append((UserWarning, "pkg_resources is deprecated"))
    # Ours is a subclass of it.
    EXPECTED_WARNINGS.append((UserWarning, "'RulePolicy' is not included"))
    rasa()
    return 0


def build() -> None:
    """Make the sentence encoder and the spaCy pipeline in `models/`."""
    warnings.simplefilter("ignore")
    from assistant.nlu import encoder, vocabulary
    from clinic.articles import the_library

    # Quantisation advises a preparation that these operators do not take.
    logging.disable(logging.WARNING)
    encoder.build(ROOT / "models" / "encoder")
    vocabulary.build(ROOT / "models" / "spacy", the_library())


if __name__ == "__main__":
    sys.exit(main())
