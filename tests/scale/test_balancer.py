"""nginx with the project's configuration: which server gets a request, how often, and what it is told of the client."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from assistant.website.sessions import Sessions
from clinic.profile import the_clinic
from service.database import Database
from tests.scale.cluster import Balancer
from tests.scale.people import from_address
from tests.support.packages import PackageUnavailable, do_without


class Backend(ThreadingHTTPServer):
    """A server that notes the requests it gets and answers each with its own address, or drops or holds the connection.

    Attributes:
        seen: path and headers of each request.
        fault: what happens instead of an answer: "drop", "hang" or None.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.fault: str | None = None
        self.address = f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Backend

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, dict(self.headers)))
        if self.server.fault == "drop":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if self.server.fault == "hang":
            time.sleep(30)
        content = json.dumps({"server": self.server.address}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer

    def log_message(self, *_: object) -> None:
        pass


class Site:
    """A balancer with two backends of each kind.

    Attributes:
        url: of the balancer.
    """

    def __init__(self, balancer: Balancer, chats: list[Backend], helpers: list[Backend]) -> None:
        self.url = balancer.url
        self.action_url = balancer.action_url
        self.chats = chats
        self.helpers = helpers

    def post(
        self, path: str, token: str | None = None, client: str = "127.0.0.1", **options: object
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})  # type: ignore[arg-type]
        with requests.Session() as http:
            http.mount("http://", from_address(client))
            return http.post(self.url + path, headers=headers, timeout=20, **options)  # type: ignore[arg-type]

    def seen(self, path: str) -> list[str]:
        """Return the addresses of the servers that saw a path, once for each time."""
        return [chat.address for chat in self.chats for seen, _ in chat.seen if seen == path]


@contextmanager
def a_site(folder: Path, trusted_proxy: str = "unix:") -> Iterator[Site]:
    with ExitStack() as running:
        chats, helpers = [[Backend() for _ in range(2)] for _ in range(2)]
        for backend in (*chats, *helpers):
            threading.Thread(target=backend.serve_forever, args=(0.02,), daemon=True).start()
            running.callback(backend.server_close)
            running.callback(backend.shutdown)
        try:
            balancer = Balancer(
                folder, [chat.address for chat in chats], [helper.address for helper in helpers], trusted_proxy
            )
        except PackageUnavailable as error:
            do_without(error)
        running.callback(balancer.kill)
        balancer.start()
        for chat in chats:
            chat.seen.clear()
        yield Site(balancer, chats, helpers)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    now = iter(range(1_000_000, 2_000_000))
    return Sessions(Database("sqlite://"), "secret" * 8, 1800, lambda: float(next(now)))


def session_ids(count: int) -> list[str]:
    return [f"{number:04}".ljust(32, "x") for number in range(count)]


def test_a_conversation_stays_at_one_server_whatever_its_tokens(site: Site, sessions: Sessions) -> None:
    used = Counter()
    for session in session_ids(40):
        tokens = {sessions.token(session) for _ in range(3)}
        assert len(tokens) == 3
        [server] = {site.post("/chat/messages", token).json()["server"] for token in tokens}
        used[server] += 1
    # Neither server has all of them.
    assert sorted(used) == sorted(chat.address for chat in site.chats)
    assert min(used.values()) >= 8


def test_a_token_begins_with_its_session_which_the_balancer_looks_at(sessions: Sessions) -> None:
    assert [sessions.token(session).split(".")[0] for session in session_ids(40)] == session_ids(40)


def test_without_a_token_both_servers_are_used(site: Site) -> None:
    assert len({site.post("/chat/session").json()["server"] for _ in range(30)}) == 2


@pytest.mark.parametrize(
    ("path", "fault"),
    [("/chat/messages", "drop"), ("/chat/messages", "hang"), ("/chat/ratings", "drop"), ("/chat/clear", "drop")],
)
def test_what_may_be_repeated_goes_to_the_other_server_when_one_fails(
    site: Site, sessions: Sessions, path: str, fault: str
) -> None:
    token = sessions.token(session_ids(1)[0])
    at = site.post(path, token).json()["server"]
    failing, other = sorted(site.chats, key=lambda chat: chat.address != at)
    failing.fault = fault
    assert site.post(path, token).json() == {"server": other.address}
    assert Counter(site.seen(path)) == {failing.address: 2, other.address: 1}


@pytest.mark.parametrize("path", ["/chat/session", "/webhooks/telegram/webhook", "/frontdesk/done"])
def test_anything_else_is_never_sent_twice(site: Site, path: str) -> None:
    for chat in site.chats:
        chat.fault = "drop"
    answer = site.post(path)
    assert answer.status_code == 503
    assert the_clinic().phone in answer.json()["error"]
    assert answer.headers["Retry-After"]
    assert len(site.seen(path)) == 1


def test_a_server_that_is_not_there_is_passed_over(site: Site) -> None:
    site.chats[0].shutdown()
    site.chats[0].server_close()
    assert {site.post("/chat/session").json()["server"] for _ in range(10)} == {site.chats[1].address}


def test_the_client_cannot_claim_another_address(site: Site) -> None:
    claimed = {"X-Forwarded-For": "198.51.100.7", "X-Real-IP": "198.51.100.7", "X-Request-ID": "mine"}
    site.post("/chat/session", client="127.9.9.9", headers=claimed)
    [headers] = [headers for chat in site.chats for _, headers in chat.seen]
    assert headers["X-Forwarded-For"] == "127.9.9.9"
    assert headers["X-Request-ID"] != "mine"
    assert headers["Host"] == site.url.removeprefix("http://")


def test_the_proxy_that_is_trusted_names_the_client(tmp_path: Path) -> None:
    with a_site(tmp_path, "127.0.0.1") as site:
        site.post("/chat/session", headers={"X-Forwarded-For": "203.0.113.5, 198.51.100.7"})
        [headers] = [headers for chat in site.chats for _, headers in chat.seen]
        assert headers["X-Forwarded-For"] == "198.51.100.7"


def test_one_address_is_held_up_and_others_are_not(site: Site) -> None:
    answers = [site.post("/chat/session", headers={"X-Forwarded-For": f"198.51.100.{each}"}) for each in range(180)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].headers["Retry-After"] == "2"
    assert the_clinic().phone in refused[0].json()["error"]
    assert site.post("/chat/session", client="127.9.9.9").ok


@pytest.mark.parametrize(("path", "largest"), [("/chat/messages", 64 * 1024), ("/webhooks/slack/webhook", 1024 * 1024)])
def test_bodies_have_a_limit(site: Site, path: str, largest: int) -> None:
    assert site.post(path, data=b"x" * largest).ok
    assert site.post(path, data=b"x" * (largest + 1)).status_code == 413


@pytest.mark.parametrize(
    "path", ["/webhooks/rest/webhook", "/metrics", "/ready", "/health", "/status", "/model/train", "/webhook", "/x"]
)
def test_what_is_not_for_the_public_is_not_there(site: Site, path: str) -> None:
    assert site.post(path).status_code == 404
    assert not site.seen(path)


def test_the_root_leads_to_the_chat(site: Site) -> None:
    answer = requests.get(site.url, allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"].rpartition("/chat/")[1:]) == (302, ("/chat/", ""))


@pytest.mark.parametrize("fault", ["drop", "hang"])
def test_an_action_is_run_by_the_other_server_when_one_fails(site: Site, fault: str) -> None:
    site.helpers[0].fault = fault
    servers = {requests.post(site.action_url, data=b"x" * 300_000, timeout=10).json()["server"] for _ in range(3)}
    assert servers == {site.helpers[1].address}
