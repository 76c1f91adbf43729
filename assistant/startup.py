"""The start of `rasa run`: our own model and no other, a port of this machine, logs without words."""

import argparse
import asyncio
import gzip
import hashlib
import hmac
import sys
import tarfile
import zlib
from pathlib import Path

import pluggy
from rasa.core import run
from rasa.core.agent import Agent
from rasa.core.run import load_agent_on_start
from rasa.core.utils import AvailableEndpoints
from rasa.shared.constants import DEFAULT_MODELS_PATH
from sanic import Sanic

from assistant.rasa.tuning import freeze_garbage_collector, tune
from clinic.profile import ROOT
from service import logs
from service.database import Database, StoreUnavailable, database_url
from service.settings import SettingError, Settings, settings
from service.startup import StartError, check_port

MODEL = ROOT / "models" / "assistant.tar.gz"
_METADATA = "metadata.json"
_READ_AT_ONCE = 1 << 20
_hook = pluggy.HookimplMarker("rasa")


class Serving:
    """Rasa's plugin that looks at the arguments of `run` before anything is loaded."""

    @_hook
    def configure_commandline(self, cmdline_arguments: argparse.Namespace) -> None:
        """Set up the logs and check the needs of the server; end with one sentence when it cannot serve."""
        if cmdline_arguments.model == DEFAULT_MODELS_PATH:
            cmdline_arguments.model = str(MODEL)
        try:
            logs.configure()
            _check(cmdline_arguments)
            # Rasa has no other door for what comes after it has loaded its agent.
            run.load_agent_on_start = load_agent
        except (SettingError, StartError) as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(1) from error


def agent_of(app: Sanic) -> Agent | None:
    """Return the agent of a server, or None while it has no model."""
    agent: Agent | None = getattr(app.ctx, "agent", None)
    return agent if agent is not None and agent.is_ready() else None


async def load_agent(
    model_path: str,
    endpoints: AvailableEndpoints,
    remote_storage: str | None,
    app: Sanic,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Load the agent as Rasa does at a server's start, and make it ready to serve, whichever channels are on.

    Raises:
        SystemExit: Rasa could not load it.
    """
    await load_agent_on_start(model_path, endpoints, remote_storage, app, loop)
    agent = agent_of(app)
    if agent is None:
        sys.stderr.write(f"The model cannot be loaded: delete {MODEL} and run `make train`.\n")
        raise SystemExit(1)
    tune(agent)
    freeze_garbage_collector()


async def announce(_app: Sanic, _loop: asyncio.AbstractEventLoop) -> None:
    """Tell a person who has started the server where to open it."""
    port = settings().port
    if port:
        sys.stderr.write(f"\nThe assistant is ready: open http://127.0.0.1:{port}/chat/\n\n")


def _check(arguments: argparse.Namespace) -> None:
    if arguments.enable_api and not (arguments.auth_token or arguments.jwt_secret):
        raise StartError("Rasa's HTTP API shows every conversation: switch it on with --auth-token, or not at all.")
    endpoints = AvailableEndpoints.read_endpoints(arguments.endpoints)
    if arguments.remote_storage or endpoints.model:
        raise StartError("A model comes from this project's own build only: set no model server and no remote storage.")
    check_sharing(settings())
    check_model(Path(arguments.model))
    check_port(arguments.interface, int(arguments.port))
    _check_store()


def _check_store() -> None:
    database = Database(database_url("conversations"))
    try:
        with database.reading():
            pass
    except StoreUnavailable as error:
        raise StartError(f"The conversation store cannot be reached ({error}): check DATABASE_URL.") from error
    finally:
        database.close()


def check_model(path: Path = MODEL, digest: str | None = None) -> None:
    """Check that the trained model is there and whole, and the one that was built.

    Args:
        digest: the SHA-256 it must have, as hexadecimal digits; MODEL_SHA256 unless given, which may be not set.

    Raises:
        StartError: it is not.
    """
    digest = digest or settings().model_sha256
    if not path.is_file():
        raise StartError(f"There is no trained model at {path}: make it with `make train`.")
    try:
        content = path.read_bytes()
        # Only at its end does the archive say whether each byte before was right.
        with gzip.open(path) as archive:
            while archive.read(_READ_AT_ONCE):
                pass
        with tarfile.open(path) as files:
            is_whole = any(Path(member.name).name == _METADATA for member in files)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise StartError(_damaged(path)) from error
    if not is_whole:
        raise StartError(_damaged(path))
    if digest and not hmac.compare_digest(hashlib.sha256(content).hexdigest(), digest.lower()):
        raise StartError(f"The model at {path} is not the one that MODEL_SHA256 names: deploy the two together.")


def check_sharing(chosen: Settings) -> None:
    """Check that several workers share their locks.

    Raises:
        StartError: they do not.
    """
    if chosen.sanic_workers > 1 and not chosen.redis_url:
        raise StartError("SANIC_WORKERS above 1 needs REDIS_URL, so that the workers share their locks.")


def _damaged(path: Path) -> str:
    return f"The model at {path} is damaged: delete it and run `make train`."
