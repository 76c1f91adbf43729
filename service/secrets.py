"""Secrets that the processes of one machine share."""

import os
import secrets
from pathlib import Path

from clinic.profile import ROOT
from service.settings import settings

_BYTES = 32


def secret(name: str, folder: Path = ROOT / "var") -> str:
    """Return the setting `name`, or a secret made once and kept in `folder`, readable by its owner alone."""
    given: str | None = getattr(settings(), name.lower())
    if given:
        return given
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / name.lower()
    made = folder / f".{name.lower()}.{os.getpid()}"
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(_BYTES))
    try:
        # A link appears whole or not at all, and of two processes only the first makes it.
        os.link(made, kept)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return kept.read_text().strip()
