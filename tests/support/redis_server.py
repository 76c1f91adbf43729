"""A private Redis server for tests, from Debian's packages."""

import socket
from pathlib import Path

from tests.support.packages import program
from tests.support.servers import Server


class Redis(Server):
    """A Redis server that keeps nothing on disk; it forgets all when it is killed.

    Attributes:
        redis_url: its address for clients.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare a server, not yet started.

        Raises:
            PackageUnavailable: Redis is neither here nor can be installed.
        """
        command = ["--bind", "127.0.0.1", "--port", "{port}", "--save", "", "--appendonly", "no"]
        super().__init__(
            command,
            "PING",
            folder / "redis.log",
            program=(str(program("redis-server", "redis-server")),),
        )
        self.redis_url = f"redis://127.0.0.1:{self.port}/0"

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(f"{self.ready}\r\n".encode())
                return connection.recv(100).startswith(b"+PONG")
        except OSError:
            return False
