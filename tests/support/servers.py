"""The real servers on loopback, each run with its own databases and log in a folder of the test."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CREDENTIALS = ROOT / "credentials.yml"
_SECONDS_TO_START = 180
_SECONDS_BETWEEN_LOOKS = 0.1


class ServerError(Exception):
    """A server did not start; the message holds the end of its log."""


@dataclass
class Server:
    """A process that listens on a port of 127.0.0.1, one of this project unless told otherwise.

    Attributes:
        command: what follows `program`, with "{port}" for the port.
        ready: the path that answers 200 once the server can be used.
        log: where its output goes, appended at each start.
        environment: variables beside those of the tests; a value may hold "{port}".
        program: what is run, `python -m` by default.
        folder: where it is run, the project's own by default.
    """

    command: list[str]
    ready: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (sys.executable, "-m")
    folder: Path = ROOT

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it is ready; after `kill` it comes back on the same port with the same data.

        Raises:
            ServerError: it ended, or was not ready in time.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.program, *(word.format(port=self.port) for word in self.command)],
                cwd=self.folder,
                env={**os.environ, **{name: value.format(port=self.port) for name, value in self.environment.items()}},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _SECONDS_TO_START
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                name = (self.command or self.program)[0]
                raise ServerError(f"{name} did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    @property
    def has_ended(self) -> bool:
        """Whether it was started and is no longer there, as after a crash."""
        return self._process is not None and self._process.poll() is not None

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, as a rolling update does, and wait until it has."""
        self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """The id of its process, while it runs."""
        assert self._process
        return self._process.pid

    def ask_to_end(self) -> None:
        """Send SIGTERM, as a rolling update does, and do not wait."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)

    def ended(self, seconds: float) -> int:
        """Wait for the end of a server that was asked to; return its exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end in time.
        """
        assert self._process
        code = self._process.wait(seconds)
        self._process = None
        return code

    def pause(self) -> None:
        """Freeze it: connections are taken and nothing is answered."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + self.ready, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on, below those that connections are given by chance."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as candidate, suppress(OSError):
            candidate.bind(("127.0.0.1", port))
            return port


def rasa(folder: Path, environment: dict[str, str] | None = None, credentials: Path = CREDENTIALS) -> Server:
    """Return the Rasa server, not yet started, with the channels of `credentials` and the newest model."""
    command = f"assistant run -i 127.0.0.1 -p {{port}} --endpoints endpoints.yml --credentials {credentials}"
    own = {
        "DATABASE_URL": f"sqlite:///{folder / 'conversations.db'}",
        "SESSION_SECRET": secrets.token_hex(32),
        "ACTION_URL": "http://127.0.0.1:9/webhook",
        "ACTION_TOKEN": secrets.token_hex(16),
    }
    return Server(command.split(), "/chat/ready", folder / "rasa.log", {**own, **(environment or {})})


def actions(folder: Path, environment: dict[str, str] | None = None) -> Server:
    """Return the action server, not yet started; `environment` must hold ACTION_TOKEN."""
    own = {"DATABASE_URL": f"sqlite:///{folder / 'bookings.db'}", "ACTION_HOST": "127.0.0.1", "ACTION_PORT": "{port}"}
    return Server(["actions"], "/ready", folder / "actions.log", {**own, **(environment or {})})


@contextmanager
def assistant(
    folder: Path, with_actions: bool = False, credentials: Path = CREDENTIALS, **environment: str
) -> Iterator[Server]:
    """Start the Rasa server, with its action server when wanted; yield the former and end both.

    Args:
        folder: where databases and logs go; a test reads bookings from `folder / "bookings.db"`.
        environment: variables for both servers.
    """
    with ExitStack() as running:
        if with_actions:
            environment.setdefault("ACTION_TOKEN", secrets.token_hex(16))
            helper = actions(folder, environment)
            running.callback(helper.kill)
            helper.start()
            environment = {**environment, "ACTION_URL": f"{helper.url}/webhook"}
        server = rasa(folder, environment, credentials)
        running.callback(server.kill)
        server.start()
        yield server
