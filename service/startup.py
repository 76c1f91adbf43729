"""What is checked before a server starts, so that a fault there is one sentence and not a traceback."""

import gzip
import hashlib
import hmac
import os
import socket
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from clinic.profile import ROOT

MODEL = ROOT / "models" / "assistant.tar.gz"
_METADATA = "metadata.json"
_READ_AT_ONCE = 1 << 20


class StartError(Exception):
    """A server cannot start; the message says why and what to do about it."""


def check_model(path: Path = MODEL, digest: str | None = None) -> None:
    """Check that the trained model is there and whole, and the one that was built.

    Args:
        digest: the SHA-256 it must have, as hexadecimal digits; MODEL_SHA256 unless given, and any when that is empty.

    Raises:
        StartError: it is not.
    """
    digest = digest or os.environ.get("MODEL_SHA256")
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


def check_port(host: str, port: int) -> None:
    """Check that a server may listen there.

    Raises:
        StartError: it may not, mostly since another program does.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise StartError(f"Nothing can listen on {host}:{port} ({error.strerror}): choose another port.") from error


def check_sharing(environment: Mapping[str, str]) -> None:
    """Check what servers share: their locks, when there are several workers, and an event broker that Rasa has.

    Raises:
        StartError: there are workers without shared locks, or the broker is of another kind.
    """
    if environment.get("SANIC_WORKERS", "1") != "1" and not environment.get("REDIS_URL"):
        raise StartError("SANIC_WORKERS above 1 needs REDIS_URL, so that the workers share their locks.")
    if not (environment.get("EVENT_BROKER_URL") or "amqp://").startswith(("amqp://", "amqps://")):
        raise StartError("EVENT_BROKER_URL must begin with amqp:// or amqps://: the broker is RabbitMQ.")


def _damaged(path: Path) -> str:
    return f"The model at {path} is damaged: delete it and run `make train`."
