"""How a server does without TensorFlow."""

import subprocess
import sys

from tests.support.servers import ROOT

_SERVE = """
import asyncio, sys
from assistant.imports import leave_out_tensorflow
leave_out_tensorflow()
from rasa.core.agent import Agent
parsed = asyncio.run(Agent.load("models/assistant.tar.gz").parse_message("how is runners knee treated"))
print(parsed["intent"]["name"], [name for name in sys.modules if name.startswith(("tensorflow.", "keras"))])
"""


def test_a_model_understands_with_nothing_of_tensorflow_imported() -> None:
    served = subprocess.run([sys.executable, "-c", _SERVE], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert served.stdout.splitlines()[-1:] == ["ask_treatments []"], served.stderr[-2000:]
