"""The two assistants that are compared: ours, and Rasa's default pipeline with the same domain, rules and stories.

The default runs in an environment of its own, `benchmarks/default/`, on the Python that Rasa's own pins want: it is
handed files and asked over HTTP, as ours is. Where that environment cannot be set up, ours is measured alone.
Both are trained on the same sample of examples. When they are served, ours has all its examples and keeps conversations
in SQLite; the default has the sample and keeps them in memory, as Rasa does unless told otherwise.
"""

import os
import random
import resource
import secrets
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
import yaml

from assistant.rasa.compatibility import prepare
from benchmarks.report import DEFAULT, OURS
from clinic.articles import the_library
from clinic.profile import ROOT
from tests.support import servers
from tests.support.servers import Server

prepare()

from assistant.nlu.importer import contrastive_examples  # noqa: E402

DEFAULT_PROJECT = ROOT / "benchmarks" / "default"
_DEFAULT_PYTHON = DEFAULT_PROJECT / ".venv" / "bin" / "python"
# The default comes first wherever both are listed; `make benchmark` sets it up.
NAMES = (DEFAULT, OURS) if (DEFAULT_PROJECT / ".venv" / ".synced").is_file() else (OURS,)
EXAMPLES = 15
ANSWERED = the_library().intents_of("answer")
WORK = ROOT / "var" / "benchmarks"
_QUIET = {"RASA_TELEMETRY_ENABLED": "false", "SQLALCHEMY_SILENCE_UBER_WARNING": "1", "LOG_LEVEL": "ERROR"}


# ---------------------------------------------------------------- what they are trained on and asked


@cache
def sample() -> dict[str, list[str]]:
    """Return `EXAMPLES` examples of each intent, the same ones each time."""
    by_intent: dict[str, list[str]] = defaultdict(list)
    for intent, text in [*the_library().examples, *contrastive_examples(the_library())]:
        by_intent[intent].append(text)
    chooser = random.Random(0)
    return {intent: chooser.sample(texts, min(EXAMPLES, len(texts))) for intent, texts in by_intent.items()}


@cache
def questions() -> list[str]:
    """Return questions of the sample that the article answers, which both understand, in a fixed random order."""
    asked = [text for intent, texts in sample().items() if intent in ANSWERED for text in texts]
    random.Random(1).shuffle(asked)
    return asked


# ---------------------------------------------------------------- training


@dataclass
class Training:
    """A trained model, and what training it took."""

    model: Path
    seconds: float
    cpu_seconds: float


def train(name: str) -> Training:
    """Train a contender on the sample, with the domain, rules and stories of this project."""
    source = (DEFAULT_PROJECT if name == DEFAULT else ROOT) / "config.yml"
    config = yaml.safe_load(source.read_text(encoding="utf-8"))
    # The sample holds what our importer adds, in its share.
    config.pop("importers", None)
    library = the_library()
    blocks = [
        {"intent": intent, "examples": "".join(f"- {text}\n" for text in texts)} for intent, texts in sample().items()
    ]
    told = {"version": "3.1", "rules": library.rules, "stories": library.stories, "nlu": blocks}
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    for part, content in (("config", config), ("domain", library.domain()), ("data", told)):
        (folder / f"{part}.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    command = [*_program(name), "train", "--force", "--config", f"{folder}/config.yml", "--out", str(WORK)]
    command += ["--domain", f"{folder}/domain.yml", "--data", f"{folder}/data.yml", "--fixed-model-name", name]
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    # The two must not meet in one cache.
    environment = {**os.environ, **_QUIET, "RASA_CACHE_DIRECTORY": str(folder / "cache")}
    trained = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if trained.returncode:
        raise RuntimeError(f"{name} was not trained:\n{trained.stdout.decode(errors='replace')[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Training(_model(name), time.monotonic() - started, cpu_seconds)


def trained(name: str) -> Path:
    """Return a contender's model of the sample, trained now unless an earlier program of the same run has."""
    return _model(name) if _model(name).is_file() else train(name).model


def _model(name: str) -> Path:
    return WORK / f"{name}.tar.gz"


def _program(name: str) -> list[str]:
    return [str(_DEFAULT_PYTHON), "-m", "rasa"] if name == DEFAULT else [sys.executable, "-m", "assistant"]


# ---------------------------------------------------------------- serving


class Contender:
    """A contender's server and a client of its REST channel and its HTTP API; one client a thread."""

    def __init__(self, name: str, server: Server, token: str) -> None:
        self.name = name
        self.server = server
        self._token = token
        self._client = requests.Session()

    def ask(self, sender: str, text: str) -> list[dict[str, Any]]:
        """Say something and return what was answered."""
        said: list[dict[str, Any]] = self._post("webhooks/rest/webhook", {"sender": sender, "message": text})
        return said

    def intent(self, text: str) -> str:
        """Return the intent that a text is understood as."""
        return str(self._post(f"model/parse?token={self._token}", {"text": text})["intent"]["name"])

    def another_client(self) -> "Contender":
        return Contender(self.name, self.server, self._token)

    def cpu_seconds(self) -> float:
        """Return the CPU time its server has taken: Linux's clock of another process, clock_getcpuclockid(3)."""
        return time.clock_gettime((~self.server.pid << 3) | 2)

    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self.server.pid}/status").read_text(encoding="utf-8")
        kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
        return int(kilobytes) / 1024

    def _post(self, path: str, content: dict[str, str]) -> Any:
        answer = self._client.post(f"{self.server.url}/{path}", json=content, timeout=120)
        answer.raise_for_status()
        return answer.json()


def prepared(name: str, folder: Path, model: Path | None = None) -> Contender:
    """Return a contender whose server is not started yet.

    Args:
        folder: where its databases, settings and log go.
        model: what it serves: ours all its examples, the default the sample, unless told otherwise.
    """
    token = secrets.token_hex(16)
    if name == OURS:
        server = servers.rasa(folder, {"LOG_LEVEL": "ERROR"})
    else:
        credentials, endpoints = folder / "credentials.yml", folder / "endpoints.yml"
        credentials.write_text("rest:\n", encoding="utf-8")
        endpoints.write_text("action_endpoint:\n  url: http://127.0.0.1:9/webhook\n", encoding="utf-8")
        *program, module = _program(name)
        command = f"{module} run -i 127.0.0.1 -p {{port}} --endpoints {endpoints} --credentials {credentials}"
        server = Server(command.split(), "/", folder / "rasa.log", _QUIET, tuple(program))
        model = model or trained(name)
    server.command += ["--enable-api", "--auth-token", token, *(["--model", str(model)] if model else [])]
    return Contender(name, server, token)


@contextmanager
def serving(*names: str, model: Path | None = None) -> Iterator[list[Contender]]:
    """Serve contenders side by side until the block ends, with their usual models unless told otherwise."""
    with ExitStack() as running:
        contenders = []
        for name in names:
            folder = Path(running.enter_context(TemporaryDirectory()))
            contender = prepared(name, folder, model)
            running.callback(contender.server.kill)
            contender.server.start()
            contenders.append(contender)
        yield contenders
