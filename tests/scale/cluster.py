"""The whole of it on loopback: nginx, assistant servers, action servers, PostgreSQL and Redis, as real processes."""

import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from clinic.profile import the_clinic
from tests.support import postgres
from tests.support.packages import program
from tests.support.postgres import Postgres
from tests.support.redis_server import Redis
from tests.support.servers import ROOT, Server, actions, free_port, rasa

TEMPLATE = ROOT / "deploy" / "nginx" / "chat.conf.template"
# What the nginx image brings around the template; this one runs from a folder of the test.
_AROUND = """
pid nginx.pid;
error_log stderr crit;
worker_processes 1;
events { worker_connections 1024; }
http {
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include chat.conf;
}
"""


class Balancer(Server):
    """nginx with the project's template.

    Attributes:
        action_port: the one before the action servers.
        action_url: where the assistant's servers reach them.
    """

    def __init__(self, folder: Path, chats: list[str], helpers: list[str], trusted_proxy: str = "unix:") -> None:
        """Write its configuration; it is not yet started.

        Args:
            chats: the addresses of the assistant's servers, as host:port.
            helpers: those of the action servers.
            trusted_proxy: the address of a proxy before it; none unless given.

        Raises:
            PackageUnavailable: nginx is neither here nor can be installed.
        """
        own = folder / "nginx"
        own.mkdir()
        nginx = str(program("nginx", "nginx-light"))
        command = ["-p", str(own), "-c", "nginx.conf", "-g", "daemon off;"]
        super().__init__(command, "/chat/health", folder / "nginx.log", program=(nginx,))
        self.action_port = free_port()
        self.action_url = f"http://127.0.0.1:{self.action_port}/webhook"
        # Run by root, its worker would be nobody, who may not enter the folders of a test.
        (own / "nginx.conf").write_text(("user root;" if os.geteuid() == 0 else "") + _AROUND)
        (own / "chat.conf").write_text(
            rendered(
                CHAT_SERVERS="hash $conversation consistent;" + _servers(chats, 3),
                ACTION_SERVERS="least_conn;" + _servers(helpers, 5),
                RESOLVER="127.0.0.1",
                TRUSTED_PROXY=trusted_proxy,
                CLINIC_PHONE=the_clinic().phone,
            )
            .replace("listen 8080;", f"listen 127.0.0.1:{self.port};")
            .replace("listen 8081;", f"listen 127.0.0.1:{self.action_port};")
        )

    def kill(self) -> None:
        """End it with its worker, which would outlive a killed master."""
        self.stop()


@dataclass
class Cluster:
    """Running servers.

    Attributes:
        chats: the assistant's servers.
        helpers: the action servers.
    """

    balancer: Balancer
    chats: list[Server]
    helpers: list[Server]
    database: Postgres
    redis: Redis

    @property
    def url(self) -> str:
        return self.balancer.url


@contextmanager
def cluster(
    folder: Path,
    chats: int = 2,
    helpers: int = 2,
    chat: Callable[[Path, dict[str, str]], Server] = rasa,
    **environment: str,
) -> Iterator[Cluster]:
    """Start so many servers, all at once, and end them.

    Args:
        chat: makes an assistant's server of a folder and variables.
        environment: further variables for the assistant's servers.

    Raises:
        PackageUnavailable: a program is neither here nor can be installed.
        PostgresUnavailable: that database is neither here nor can be installed.
    """
    with ExitStack() as running:
        database = running.enter_context(postgres.running())
        redis = Redis(folder)
        shared = {
            "DATABASE_URL": database.url,
            "REDIS_URL": redis.redis_url,
            "SESSION_SECRET": secrets.token_hex(32),
            "ACTION_TOKEN": secrets.token_hex(16),
            "SANIC_PROXIES_COUNT": "1",
        }
        servers = [chat(_folder(folder, f"chat-{number}"), {**shared, **environment}) for number in range(chats)]
        actors = [actions(_folder(folder, f"actions-{number}"), shared) for number in range(helpers)]
        balancer = Balancer(folder, [_address(each) for each in servers], [_address(each) for each in actors])
        for server in servers:
            server.environment["ACTION_URL"] = balancer.action_url
        everything = [redis, *actors, *servers]
        for each in (*everything, balancer):
            running.callback(each.kill)
        with ThreadPoolExecutor() as starters:
            list(starters.map(lambda server: server.start(), everything))
        balancer.start()
        yield Cluster(balancer, servers, actors, database, redis)


def rendered(**variables: str) -> str:
    """Return the balancer's configuration as the nginx image makes it."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).safe_substitute(variables)


def _servers(addresses: list[str], seconds: int) -> str:
    return "".join(f" server {address} max_fails=1 fail_timeout={seconds}s;" for address in addresses)


def _address(server: Server) -> str:
    return server.url.removeprefix("http://")


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
