"""Rasa's own commands accept the data: nothing is unused or contradicts itself, and each story goes as it is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from clinic.profile import ROOT


@pytest.mark.parametrize(
    "command",
    [
        "data validate --fail-on-warnings",
        "test core --stories data --fail-on-prediction-errors --out {out}",
        "visualize --out {out}/stories.html",
    ],
)
def test_rasas_command_ends_well(command: str, tmp_path: Path) -> None:
    words = command.format(out=tmp_path).split()
    done = subprocess.run([sys.executable, "-m", "assistant", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
