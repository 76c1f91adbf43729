"""No oddity of HTTP hangs a server or makes it fail, directly and through the project's nginx.

`FUZZED_REQUESTS=20000` sends as many random requests as are worth an evening; a gate has less time.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rasa.core.run import configure_app, create_http_input_channels

from tests.channels.visitor import Visitor
from tests.scale.cluster import Balancer
from tests.support.oddities import SECONDS_TO_ANSWER, Fuzz, exchange, halves, oddities
from tests.support.packages import PackageUnavailable, do_without
from tests.support.platforms import Messenger, Slack, Telegram, Twilio
from tests.support.servers import CREDENTIALS, Server, actions, rasa

SECONDS_A_REQUEST = 2
SECONDS_TO_END = 10
RANDOM_REQUESTS = int(os.environ.get("FUZZED_REQUESTS", "2000"))
_AT_ONCE = 8
_SESSIONS = 25


@dataclass
class Site:
    """Both servers with every channel on, and little patience for slow requests."""

    chat: Server
    helper: Server

    @property
    def token(self) -> str:
        return self.helper.environment["ACTION_TOKEN"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("http")
    with ExitStack() as running:
        environment = {"ACTION_TOKEN": secrets.token_hex(16), "SANIC_REQUEST_TIMEOUT": str(SECONDS_A_REQUEST)}
        for platform in (Telegram(), Messenger(), Slack(), Twilio()):
            environment |= running.enter_context(platform).environment()
        environment |= {"FRONTDESK_USER": "desk", "FRONTDESK_PASSWORD": "a password of the tests"}
        helper = actions(folder, environment)
        chat = rasa(folder, {**environment, "ACTION_URL": f"{helper.url}/webhook"})
        for server in (helper, chat):
            running.callback(server.kill)
            server.start()
        yield Site(chat, helper)


@pytest.fixture(scope="module")
def balancer(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    folder = tmp_path_factory.mktemp("balancer")
    addresses = [[f"127.0.0.1:{server.port}"] for server in (site.chat, site.helper)]
    try:
        balancer = Balancer(folder, *addresses)
    except PackageUnavailable as error:
        do_without(error)
    # It is as patient as the servers are.
    configuration = folder / "nginx" / "chat.conf"
    configuration.write_text(configuration.read_text().replace("_timeout 10s", f"_timeout {SECONDS_A_REQUEST}s"))
    balancer.start()
    yield balancer
    balancer.stop()


# Of the loopback network, so that no address is at the limit of one.
ADDRESSES = (f"127.{a}.{b}.{c}" for a in range(1, 255) for b in range(255) for c in range(1, 255))


@dataclass
class Door:
    """A way to a server: a port, a route that takes JSON, and one that is well when the server is."""

    port: int
    path: str
    health: str = "/health"

    def is_well(self) -> bool:
        sane = f"GET {self.health} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return exchange(self.port, sane.encode(), next(ADDRESSES)) == [200]


DOORS: dict[str, Callable[[pytest.FixtureRequest], Door]] = {
    "the action server": lambda request: Door(request.getfixturevalue("site").helper.port, "/webhook"),
    "REST": lambda request: Door(request.getfixturevalue("site").chat.port, "/webhooks/rest/webhook"),
    "the website": lambda request: Door(request.getfixturevalue("site").chat.port, "/chat/messages"),
    "Slack": lambda request: Door(request.getfixturevalue("site").chat.port, "/webhooks/slack/webhook"),
    "nginx, the website": lambda request: Door(
        request.getfixturevalue("balancer").port, "/chat/messages", "/chat/health"
    ),
    "nginx, Slack": lambda request: Door(
        request.getfixturevalue("balancer").port, "/webhooks/slack/webhook", "/chat/health"
    ),
    "nginx, the action server": lambda request: Door(request.getfixturevalue("balancer").action_port, "/webhook"),
}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param](request)


def _fault(door: Door, sent: bytes, source: str = "127.0.0.1") -> str | None:
    """Return what is wrong with the answer to a request, or None."""
    try:
        statuses = exchange(door.port, sent, source)
    except TimeoutError:
        return "hangs"
    except OSError as error:
        return type(error).__name__
    failed = [status for status in statuses if status >= 500]
    return f"is answered with {failed}" if failed else None


def test_no_oddity_hangs_a_server_or_makes_it_fail(door: Door) -> None:
    faults = {}
    for name, sent in oddities(door.path).items():
        if fault := _fault(door, sent, next(ADDRESSES)):
            faults[name] = fault
        if not door.is_well():
            faults[name] = "leaves it ill"
    assert faults == {}


def test_what_servers_read_differently_is_refused(site: Site) -> None:
    """A proxy that takes such a request otherwise than the server could be made to hide another one in it."""
    sane = {"chunks", "a chunk with a long extension", "a coding in capitals"}
    for port, path in ((site.chat.port, "/webhooks/rest/webhook"), (site.helper.port, "/webhook")):
        for name, sent in oddities(path).items():
            if any(word in name for word in ("length", "chunk", "coding", "colon", "feed", "folded", "zero")):
                statuses = exchange(port, sent)
                assert name in sane or statuses in ([400], [401], [413]), name


def test_a_request_that_never_ends_is_given_up(door: Door) -> None:
    with ThreadPoolExecutor() as people:
        sent = halves(door.path)
        faults = dict(zip(sent, people.map(lambda half: _fault(door, half), sent.values()), strict=True))
    assert set(faults.values()) == {None}, faults
    assert door.is_well()


def test_a_request_that_comes_byte_by_byte_is_given_up(site: Site) -> None:
    half = halves("/webhook")["half a body"]
    for port in (site.chat.port, site.helper.port):
        with socket.create_connection(("127.0.0.1", port), SECONDS_TO_ANSWER) as connection:
            connection.sendall(half)
            began = time.monotonic()
            with suppress(BrokenPipeError, ConnectionResetError):
                while time.monotonic() - began < SECONDS_TO_ANSWER:
                    connection.sendall(b" ")
                    time.sleep(0.1)
        assert time.monotonic() - began < 3 * SECONDS_A_REQUEST


# ---------------------------------------------------------------- random requests


def _chat_routes(site: Site, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    for name, value in {**site.chat.environment, "DATABASE_URL": f"sqlite:///{folder / 'routes.db'}"}.items():
        monkeypatch.setenv(name, value)
    app = configure_app(create_http_input_channels(None, str(CREDENTIALS)))
    return sorted({f"/{route.path}" for route in app.router.routes})


def _chat_bodies() -> list[Any]:
    return [
        {"sender": "ana", "message": "what is runner's knee?"},
        {"id": "message-000001", "text": "book me a visit"},
        {"answer": "message-000001.0", "verdict": "up"},
        {
            "update_id": 1,
            "message": {"message_id": 1, "date": 1, "from": {"id": 7}, "chat": {"id": 7, "type": "private"}},
        },
        {"object": "page", "entry": [{"id": "1", "messaging": [{"sender": {"id": "2"}, "message": {"mid": "m"}}]}]},
        {
            "type": "event_callback",
            "event_id": "E",
            "event": {"type": "message", "user": "U", "text": "hi", "ts": "1.1"},
        },
        {"reference": "ABC", "state": "done"},
    ]


def _action_bodies() -> list[Any]:
    tracker = {
        "sender_id": "rest:ana",
        "slots": {"booking_name": "Ana Ruiz", "requested_slot": "booking_contact", "booking_failures": 1.0},
        "latest_message": {
            "text": "949-555-0133",
            "message_id": "m1",
            "intent": {"name": "inform", "confidence": 1.0},
            "entities": [{"entity": "body_part", "value": "knee", "start": 0, "end": 4}],
            "metadata": {},
        },
        "events": [
            {"event": "action", "timestamp": 1.0, "name": "action_listen"},
            {"event": "bot", "timestamp": 1.0, "text": "Hello", "metadata": {}},
            {"event": "user", "timestamp": 1.0, "text": "hi", "parse_data": {"intent": {"name": "greet"}}},
        ],
        "paused": False,
        "followup_action": None,
        "active_loop": {"name": "booking_form"},
        "latest_action_name": "action_listen",
    }
    domain = {
        "slots": {"booking_name": {"type": "text", "mappings": [{"type": "custom"}]}},
        "forms": {"booking_form": {"required_slots": ["booking_name", "booking_contact"]}},
    }
    names = ("validate_booking_form", "action_ask_booking_reason", "action_hand_off_booking", "action_delete_my_data")
    return [
        {"next_action": name, "sender_id": "rest:ana", "tracker": tracker, "domain": domain, "version": "3.6.21"}
        for name in names
    ]


def _faults(door: Door, fuzz: Fuzz) -> dict[bytes, str]:
    """Return the random requests that were not answered as they should be; each comes from an address of its own."""
    with ThreadPoolExecutor(_AT_ONCE) as people:
        sent = list(fuzz.requests(RANDOM_REQUESTS // 2))
        faults = people.map(lambda one: _fault(door, *one), zip(sent, ADDRESSES, strict=False))
        return {request: fault for request, fault in zip(sent, faults, strict=True) if fault}


def test_random_requests_never_make_the_chat_server_fail(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    routes = _chat_routes(site, monkeypatch, tmp_path)
    assert len(routes) > 20, routes
    visitors = [Visitor(site.chat.url) for _ in range(_SESSIONS)]
    for visitor in visitors:
        visitor.open()
    known = [{"Authorization": f"Bearer {visitor.token}"} for visitor in visitors]
    known += [{"X-Telegram-Bot-Api-Secret-Token": Telegram.SECRET}, {}]
    door = Door(site.chat.port, "")
    assert _faults(door, Fuzz(routes, _chat_bodies(), known, seed=1)) == {}
    assert door.is_well()


def test_random_requests_never_make_the_action_server_fail(site: Site) -> None:
    routes = ["/", "/health", "/ready", "/metrics", "/actions", *["/webhook"] * 4]
    door = Door(site.helper.port, "")
    assert _faults(door, Fuzz(routes, _action_bodies(), [{"X-Action-Token": site.token}], seed=2)) == {}
    assert door.is_well()


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize("ended", ["chat", "helper"])
def test_sigterm_ends_a_server_that_waits_for_half_a_request(site: Site, ended: str) -> None:
    server: Server = getattr(site, ended)
    with ExitStack() as waiting:
        for half in halves("/webhook").values():
            waiting.enter_context(socket.create_connection(("127.0.0.1", server.port))).sendall(half)
        server.ask_to_end()
        assert server.ended(SECONDS_TO_END) == 0
