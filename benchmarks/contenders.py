"""The two assistants that are compared: ours, and Rasa's default pipeline with the same domain, rules and stories.

Both are trained on the same sample of examples. When they are served, ours has all its examples and keeps conversations
in SQLite; the default has the sample and keeps them in memory, as Rasa does unless told otherwise.
"""

import os
import random
import resource
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

from assistant.nlu.decision import ARTICLE_INTENTS
from assistant.nlu.importer import contrastive_examples
from clinic.articles import the_library
from clinic.profile import ROOT
from tests.support import servers
from tests.support.servers import Server

OURS = "ours"
DEFAULT = "default"
NAMES = (DEFAULT, OURS)
EXAMPLES = 15
MODELS = ROOT / "var" / "benchmarks"
# What `rasa init` writes in Rasa 3.6, spelled out.
DEFAULT_CONFIG: dict[str, Any] = {
    "recipe": "default.v1",
    "language": "en",
    "assistant_id": "benchmark",
    "pipeline": [
        {"name": "WhitespaceTokenizer"},
        {"name": "RegexFeaturizer"},
        {"name": "LexicalSyntacticFeaturizer"},
        {"name": "CountVectorsFeaturizer"},
        {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
        {"name": "DIETClassifier", "epochs": 100, "constrain_similarities": True},
        {"name": "EntitySynonymMapper"},
        {"name": "ResponseSelector", "epochs": 100, "constrain_similarities": True},
        {"name": "FallbackClassifier", "threshold": 0.3, "ambiguity_threshold": 0.1},
    ],
    "policies": [
        {"name": "MemoizationPolicy"},
        {"name": "RulePolicy"},
        {"name": "UnexpecTEDIntentPolicy", "max_history": 5, "epochs": 100},
        {"name": "TEDPolicy", "max_history": 5, "epochs": 100, "constrain_similarities": True},
    ],
}
_QUIET = {"RASA_TELEMETRY_ENABLED": "false", "SQLALCHEMY_SILENCE_UBER_WARNING": "1", "LOG_LEVEL": "ERROR"}

Question = tuple[str, str]


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
    asked = [text for intent, texts in sample().items() if intent in ARTICLE_INTENTS for text in texts]
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
    """Train a contender on the sample, with the rules and stories of `data/`."""
    config = DEFAULT_CONFIG
    if name == OURS:
        config = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))
        # The sample holds its share of contrastive examples already.
        del config["importers"]
    MODELS.mkdir(parents=True, exist_ok=True)
    blocks = [
        {"intent": intent, "examples": "".join(f"- {text}\n" for text in texts)} for intent, texts in sample().items()
    ]
    library, configuration = the_library(), MODELS / f"{name}.yml"
    data, domain = MODELS / "data.yml", MODELS / "domain.yml"
    told = {"version": "3.1", "rules": library.rules, "stories": library.stories, "nlu": blocks}
    for path, content in ((data, told), (domain, library.domain()), (configuration, config)):
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    program = "assistant" if name == OURS else "rasa"
    command = ["train", "--force", "--config", str(configuration), "--domain", str(domain), "--data", str(data)]
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    trained = subprocess.run(
        [sys.executable, "-m", program, *command, "--out", str(MODELS), "--fixed-model-name", name],
        cwd=ROOT,
        env={**os.environ, **_QUIET},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if trained.returncode:
        raise RuntimeError(f"{name} was not trained:\n{trained.stdout.decode(errors='replace')[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Training(_model(name), time.monotonic() - started, cpu_seconds)


def trained(name: str) -> Path:
    """Return a contender's model of the sample, trained now unless an earlier program of the same run has."""
    return _model(name) if _model(name).is_file() else train(name).model


def _model(name: str) -> Path:
    return MODELS / f"{name}.tar.gz"


# ---------------------------------------------------------------- serving


class Contender:
    """A contender's server and a client of its REST channel; one client a thread."""

    def __init__(self, name: str, server: Server) -> None:
        self.name = name
        self.server = server
        self._client = requests.Session()

    def ask(self, sender: str, text: str) -> list[dict[str, Any]]:
        """Say something and return what was answered."""
        answer = self._client.post(
            f"{self.server.url}/webhooks/rest/webhook", json={"sender": sender, "message": text}, timeout=120
        )
        answer.raise_for_status()
        said: list[dict[str, Any]] = answer.json()
        return said

    def another_client(self) -> "Contender":
        return Contender(self.name, self.server)

    def cpu_seconds(self) -> float:
        """Return the CPU time its server has taken: Linux's clock of another process, clock_getcpuclockid(3)."""
        return time.clock_gettime((~self.server.pid << 3) | 2)

    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self.server.pid}/status").read_text(encoding="utf-8")
        kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
        return int(kilobytes) / 1024


def prepared(name: str, folder: Path, program: str | None = None) -> Contender:
    """Return a contender whose server is not started yet.

    Args:
        folder: where its databases, settings and log go.
        program: the module to run instead of Rasa's command line, or of ours.
    """
    if name == OURS:
        server = servers.rasa(folder, {"LOG_LEVEL": "ERROR"})
        server.command[0] = program or server.command[0]
        return Contender(name, server)
    credentials, endpoints = folder / "credentials.yml", folder / "endpoints.yml"
    credentials.write_text("rest:\n", encoding="utf-8")
    endpoints.write_text("action_endpoint:\n  url: http://127.0.0.1:9/webhook\n", encoding="utf-8")
    command = f"{program or 'rasa'} run -i 127.0.0.1 -p {{port}} --model {trained(name)}"
    command += f" --endpoints {endpoints} --credentials {credentials}"
    return Contender(name, Server(command.split(), "/", folder / "rasa.log", _QUIET))


@contextmanager
def serving(*names: str) -> Iterator[list[Contender]]:
    """Serve contenders side by side until the block ends."""
    with ExitStack() as running:
        contenders = []
        for name in names:
            folder = Path(running.enter_context(TemporaryDirectory()))
            contender = prepared(name, folder)
            running.callback(contender.server.kill)
            contender.server.start()
            contenders.append(contender)
        yield contenders
