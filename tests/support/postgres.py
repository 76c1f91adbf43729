"""A private PostgreSQL server for tests, from Debian's packages."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.packages import PackageUnavailable, install

_INSTALLED = Path("/usr/lib/postgresql")


class PostgresUnavailable(Exception):
    """No PostgreSQL server can be started here; the message says why."""


class Postgres:
    """A private server with its own files, on a unix socket; it must be closed.

    Attributes:
        url: of its first database.
    """

    def __init__(self) -> None:
        """Make its files.

        Raises:
            PostgresUnavailable: it is neither installed nor can be.
        """
        self._programs = _programs()
        # Directly below /tmp: the path of a unix socket has at most 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self.url = f"postgresql://postgres@/postgres?host={self._folder}"
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        data = ("-D", self._folder / "data")
        _run(self._programs / "initdb", *data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")

    def start(self) -> None:
        """Start it, with the data it had when it was stopped."""
        settings = f"-c listen_addresses='' -k {self._folder} -c fsync=off -c max_connections=200"
        self._control("-o", settings, "-l", self._folder / "log", "-w", "start")

    def stop(self) -> None:
        """End it at once, as a crash does; what was committed stays."""
        self._control("-m", "immediate", "-w", "stop")

    def close(self) -> None:
        """Remove its files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _control(self, *words: object) -> None:
        _run(self._programs / "pg_ctl", "-D", self._folder / "data", *words)


@contextmanager
def running() -> Iterator[Postgres]:
    """Start a private server and end it.

    Raises:
        PostgresUnavailable: it is neither installed nor can be, or does not start.
    """
    database = Postgres()
    try:
        database.start()
        try:
            yield database
        finally:
            database.stop()
    finally:
        database.close()


@contextmanager
def server() -> Iterator[str]:
    """Start a private server; yield the URL of its first database.

    Raises:
        PostgresUnavailable: it is neither installed nor can be, or does not start.
    """
    with running() as database:
        yield database.url


def _programs() -> Path:
    found = sorted(_INSTALLED.glob("*/bin/initdb"))
    if not found:
        try:
            install("postgresql")
        except PackageUnavailable as error:
            raise PostgresUnavailable(str(error)) from error
        found = sorted(_INSTALLED.glob("*/bin/initdb"))
    if not found:
        raise PostgresUnavailable("PostgreSQL is not installed below /usr/lib/postgresql")
    return found[-1].parent


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
