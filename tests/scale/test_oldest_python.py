"""The oldest Python that the lock is for sets up, builds, trains, serves and answers, where it is at hand."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from clinic.profile import ROOT
from tests.support.servers import Server

_EXAMPLES = 12
_QUESTIONS = {
    "what causes it": "utter_ask_causes",
    "how is runner's knee treated": "utter_ask_treatments",
    "what is runner's knee": "utter_ask_definition",
}


def _oldest() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["requires-python"]).split(",")[0].removeprefix(">=")


def _python(version: str) -> str:
    """Return the path of a Python of this machine, or skip."""
    found = subprocess.run(
        [sys.executable, "-m", "uv", "python", "find", "--no-project", version], capture_output=True, text=True
    )
    path = found.stdout.strip() or shutil.which(f"python{version}", path="/usr/bin:/usr/local/bin")
    if not path:
        pytest.skip(f"Python {version} is not on this machine")
    return path


def _shortened(content: str, indent: str) -> str:
    """Return a file with the first few items of each list, so that training takes seconds."""
    kept, left = [], 0
    for line in content.splitlines(keepends=True):
        is_example = line.startswith(indent) and line.lstrip().startswith("- ")
        left = left - is_example if is_example else _EXAMPLES
        if left >= 0:
            kept.append(line)
    return "".join(kept)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project in a folder of its own, set up by its own script with that Python."""
    python = _python(_oldest())
    folder = tmp_path_factory.mktemp("oldest")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        source = ROOT / name
        if not source.is_file() or name.startswith(("tests/", "benchmarks/", "docs/")):
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("data/"):
            indent = "  " if name.startswith("data/lookups/") else "    "
            target.write_text(_shortened(source.read_text(encoding="utf-8"), indent), encoding="utf-8")
        else:
            shutil.copy2(source, target)
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    # Twice the packages on one disk: those that only tests need are left out.
    for command in (
        ["deploy/setup", "--no-dev", "--group", "build"],
        [".venv/bin/python", "-m", "assistant", "build"],
        [*[".venv/bin/python", "-m", "assistant", "train", "--skip-validation", "--fixed-model-name", "assistant"]],
    ):
        done = subprocess.run(
            command, cwd=folder, env={**environment, "PYTHON": python}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-500:]}{done.stderr[-2000:]}"
    yield folder
    shutil.rmtree(folder)


def test_three_questions_are_answered_on_the_oldest_python(copy: Path, tmp_path: Path) -> None:
    server = Server(
        [*["assistant", "run", "--interface", "127.0.0.1", "--port", "{port}", "--endpoints", "endpoints.yml"]],
        "/health",
        tmp_path / "server.log",
        program=(str(copy / ".venv/bin/python"), "-m"),
        folder=copy,
    )
    responses = {}
    for file in (copy / "data").rglob("*.yml"):
        responses |= yaml.safe_load(file.read_text(encoding="utf-8")).get("responses", {})
    server.start()
    try:
        for question, response in _QUESTIONS.items():
            message = {"sender": "oldest", "message": question}
            said = requests.post(f"{server.url}/webhooks/rest/webhook", json=message, timeout=30).json()
            wordings = [wording["text"].split()[:5] for wording in responses[response]]
            assert said[0]["text"].split()[:5] in wordings, said
    finally:
        server.kill()
