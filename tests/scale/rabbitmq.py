"""A private RabbitMQ server for tests, from Debian's packages."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import aio_pika

from tests.support.packages import PackageUnavailable, install
from tests.support.servers import Server, free_port

_INSTALLED = Path("/usr/lib/rabbitmq/lib")


class RabbitMQ(Server):
    """A RabbitMQ server with its own files, which it keeps when it is killed.

    Attributes:
        amqp_url: its address for clients.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare a server, not yet started.

        Raises:
            PackageUnavailable: RabbitMQ is neither here nor can be installed.
        """
        environment = {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"test{os.getpid()}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": "{port}",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # So that it may be ended while it believes a server is there.
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",
        }
        self._pid_file = folder / "pid"
        super().__init__([], "", folder / "rabbitmq.log", environment, (str(_program()),))
        self.amqp_url = f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def kill(self) -> None:
        """End it at once, with what its script has started: the machine of Erlang and the list of such machines."""
        if self._process:
            os.kill(int(self._pid_file.read_text()), signal.SIGKILL)
            self._process.wait()
        super().kill()
        subprocess.run(["epmd", "-kill"], env={**os.environ, **self.environment}, capture_output=True, check=False)

    async def take(self, queue: str, count: int) -> list[dict[str, Any]]:
        """Wait for so many messages of a queue and take them out of it."""
        connection = await aio_pika.connect(self.amqp_url)
        async with connection:
            channel = await connection.channel()
            declared = await channel.declare_queue(queue, durable=True)
            taken: list[dict[str, Any]] = []
            while len(taken) < count:
                message = await declared.get(no_ack=True, fail=False)
                if message:
                    taken.append(json.loads(message.body))
                else:
                    await asyncio.sleep(0.1)
            return taken

    def _is_ready(self) -> bool:
        async def connect() -> None:
            await (await aio_pika.connect(self.amqp_url)).close()

        try:
            asyncio.run(connect())
        except Exception:
            return False
        return True


def _program() -> Path:
    if not list(_INSTALLED.glob("*/sbin/rabbitmq-server")):
        install("rabbitmq-server")
    found = sorted(_INSTALLED.glob("*/sbin/rabbitmq-server"))
    if not found:
        raise PackageUnavailable("the package rabbitmq-server brings no server")
    return found[-1]
