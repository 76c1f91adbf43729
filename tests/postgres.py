"""A private PostgreSQL server for tests, from Debian's packages."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INSTALLED = Path("/usr/lib/postgresql")


class PostgresUnavailable(Exception):
    """No PostgreSQL server can be started here; the message says why."""


@contextmanager
def server() -> Iterator[str]:
    """Start a private server, with its own files, on a unix socket; yield the URL of its first database.

    Raises:
        PostgresUnavailable: it is neither installed nor can be, or does not start.
    """
    programs = _programs()
    # Directly below /tmp: the path of a unix socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    data = folder / "data"
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        _run(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = f"-c listen_addresses='' -k {folder} -c fsync=off -c max_connections=200"
        _run(programs / "pg_ctl", "-D", data, "-o", settings, "-l", folder / "log", "-w", "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = sorted(_INSTALLED.glob("*/bin/initdb"))
    if not found:
        _install()
        found = sorted(_INSTALLED.glob("*/bin/initdb"))
    if not found:
        raise PostgresUnavailable("PostgreSQL is not installed below /usr/lib/postgresql")
    return found[-1].parent


def _install() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise PostgresUnavailable("PostgreSQL is missing: run `apt-get install postgresql` as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
        done = subprocess.run(["apt-get", "-q", *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PostgresUnavailable(f"apt-get {command[0]} failed: {done.stderr.strip()[-300:]}")


def _run(*command: object) -> None:
    """Run a program of PostgreSQL, which refuses to be run by root."""
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        words = ["runuser", "-u", "postgres", "--", *words]
    # Files and not pipes: the server that pg_ctl leaves behind would hold a pipe open.
    with tempfile.TemporaryFile() as output:
        code = subprocess.run(words, stdout=output, stderr=output, cwd="/", check=False).returncode
        output.seek(0)
        if code:
            raise PostgresUnavailable(f"{words[-1]}: {output.read().decode(errors='replace').strip()[-500:]}")
