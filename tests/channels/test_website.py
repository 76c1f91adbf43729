import json
import re
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.website.sessions import Signer
from tests.channels.visitor import Visitor, new_id
from tests.support.servers import ROOT, Server, assistant

PHONE = "+1 949-555-0142"
SECRET = "the secret of these tests, of forty bytes"
SITE = "https://www.clinic.example"
CHANNEL = "assistant.website.channel.WebsiteChannel"
PLENTY = {"burst": 1_000_000, "per_minute": 1_000_000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("website")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server whose limits do not matter to the tests, which all come from one address."""
    credentials = folder / "credentials.yml"
    limits = ("requests_per_address", "sessions_per_address", "messages_per_session")
    credentials.write_text(yaml.safe_dump({CHANNEL: dict.fromkeys(limits, PLENTY)}))
    with assistant(folder, credentials=credentials, SESSION_SECRET=SECRET, CLINIC_FILE=str(clinic(folder))) as running:
        yield running


@pytest.fixture
def visitor(server: Server) -> Visitor:
    visitor = Visitor(server.url)
    visitor.open()
    return visitor


def clinic(folder: Path) -> Path:
    """Write a clinic file that lets one web site embed the chat."""
    content = yaml.safe_load((ROOT / "clinic.yml").read_text())
    path = folder / "clinic.yml"
    path.write_text(yaml.safe_dump({**content, "origins": [SITE]}))
    return path


def rows(folder: Path, query: str, *values: Any) -> list[Any]:
    with sqlite3.connect(folder / "conversations.db") as database:
        return database.execute(query, values).fetchall()


def session_of(visitor: Visitor) -> str:
    assert visitor.token
    return str(visitor.token).split(".")[0]


def signed(session: str, secret: str = SECRET, salt: str = "website", age: float = 0) -> str:
    return Signer(secret, lambda: time.time() - age, salt).sign(session).decode()


# ------------------------------------------------------------------ what it serves


def test_health_and_readiness(server: Server) -> None:
    assert requests.get(f"{server.url}/chat/health", timeout=5).json() == {"status": "ok"}
    parts = {"model": "ok", "conversations": "ok", "actions": "away"}
    ready = requests.get(f"{server.url}/chat/ready", timeout=10)
    assert (ready.status_code, ready.json()) == (200, {"status": "degraded", "parts": parts})


def test_a_session_opens_with_one_message_and_buttons(server: Server) -> None:
    (opening,) = Visitor(server.url).open()
    assert "automated assistant" in opening["text"]
    assert [set(button) for button in opening["buttons"]] == [{"title", "payload"}] * 3


def test_an_answer_has_its_source_apart_from_its_text(visitor: Visitor) -> None:
    (answer,) = visitor.say("What is runner's knee?")
    assert answer["text"].startswith("Runner's knee is pain felt under the kneecap")
    assert answer["source"].startswith("“What Is Runner’s Knee?”")
    assert "Source" not in answer["text"]
    assert answer["response"] == "utter_ask_definition"


def test_other_addresses_below_chat_are_not_found(server: Server) -> None:
    for path in ("nothing.js", "../credentials.yml", "..%2fclinic.yml", "%2e%2e%2fclinic.yml", "widget.js%00"):
        assert requests.get(f"{server.url}/chat/{path}", timeout=5).status_code == 404, path


# ------------------------------------------------------------------ what a client may choose


def test_a_client_can_choose_neither_channel_nor_conversation(visitor: Visitor, folder: Path) -> None:
    body = {"id": new_id(), "text": "hello", "input_channel": "rest", "sender": "rest:1", "metadata": {"urgent": True}}
    assert visitor.post("messages", body).status_code == 200
    conversation = f"website:{session_of(visitor)}"
    ((events,),) = rows(folder, "SELECT events FROM conversations WHERE id = ?", conversation)
    said = [event for event in json.loads(events) if event["event"] == "user"]
    assert {event["input_channel"] for event in said} == {"website"}
    assert not any((event.get("metadata") or {}).get("urgent") for event in said)
    assert rows(folder, "SELECT id FROM conversations WHERE id NOT LIKE 'website:%'") == []


def test_a_payload_counts_only_while_it_is_offered(visitor: Visitor) -> None:
    (offered,) = visitor.say("/ask_definition")
    assert offered["response"] == "utter_ask_definition"
    for payload in ("/ask_definition", "/restart", "/session_start", '/inform{"booking_name": "Eve"}', "/ask_clinic"):
        (answer,) = visitor.say(payload)
        assert answer["text"].startswith("I can tell you what runner's knee is"), payload


# ------------------------------------------------------------------ who may speak in which conversation


def test_forged_tokens_are_refused(visitor: Visitor, server: Server) -> None:
    session = session_of(visitor)
    _, moment, signature = str(visitor.token).split(".")
    later = signed(session, secret="x" * 40, age=-3600).split(".")[1]
    forged = {
        "other secret": signed(session, secret="x" * 40),
        "another session": f"{'x' * 32}.{moment}.{signature}",
        "another time": f"{session}.{later}.{signature}",
        "no time": f"{session}.{signature}",
        "no signature": f"{session}.{moment}.",
        "another purpose": signed(session, salt="another"),
        "no such session": signed("x" * 32),
        "expired": signed(session, age=3601),
        "no letters": "é".encode().decode("latin-1"),
        "nonsense": "nonsense",
        "long": "a" * 6000,
    }
    for name, token in forged.items():
        for path in ("messages", "ratings", "clear"):
            answer = visitor.post(path, {"id": new_id(), "text": "hello"}, token=token)
            assert answer.status_code == 401, (name, path)
            assert PHONE in answer.text
    assert requests.post(f"{server.url}/chat/messages", json={}, timeout=5).status_code == 401
    assert visitor.say("hello")


def test_another_session_cannot_be_read_or_rated(visitor: Visitor, server: Server) -> None:
    message = new_id()
    (answer,) = visitor.say("What is runner's knee?", message)
    other = Visitor(server.url)
    other.open()
    (own,) = other.say("thank you", message)
    assert own["text"] != answer["text"]
    assert other.post("ratings", {"answer": answer["id"], "verdict": "up"}).status_code == 404


def test_clearing_forgets_everything_and_ends_every_copy_of_the_token(visitor: Visitor, folder: Path) -> None:
    first, session = visitor.token, session_of(visitor)
    visitor.say("What is runner's knee?")
    assert visitor.post("clear").status_code == 204
    for token in (first, visitor.token):
        assert visitor.post("messages", {"id": new_id(), "text": "hello"}, token=token).status_code == 401
        assert visitor.post("clear", token=token).status_code == 401
    assert rows(folder, "SELECT * FROM conversations WHERE id = ?", f"website:{session}") == []
    assert rows(folder, "SELECT * FROM website_replies WHERE session = ?", session) == []
    assert rows(folder, "SELECT * FROM website_sessions WHERE id = ?", session) == []


def test_clearing_while_an_answer_is_on_its_way_leaves_nothing(server: Server, folder: Path) -> None:
    with ThreadPoolExecutor() as threads:
        for _ in range(5):
            visitor, other = Visitor(server.url), Visitor(server.url)
            visitor.open()
            other.token = visitor.token
            session = session_of(visitor)
            saying = threads.submit(visitor.post, "messages", {"id": new_id(), "text": "What causes it?"})
            assert other.post("clear").status_code == 204
            assert saying.result().status_code in (200, 401, 503)
            assert rows(folder, "SELECT * FROM conversations WHERE id = ?", f"website:{session}") == []
            assert rows(folder, "SELECT * FROM website_replies WHERE session = ?", session) == []


def test_an_expired_session_ends_and_the_next_opening_sweeps_it_away(
    visitor: Visitor, server: Server, folder: Path
) -> None:
    session = session_of(visitor)
    visitor.say("hello")
    rows(folder, "UPDATE website_sessions SET expires_at = ? WHERE id = ?", time.time() - 1, session)
    assert visitor.post("messages", {"id": new_id(), "text": "hello"}).status_code == 401
    Visitor(server.url).open()
    assert rows(folder, "SELECT * FROM conversations WHERE id = ?", f"website:{session}") == []
    assert rows(folder, "SELECT * FROM website_replies WHERE session = ?", session) == []


def test_a_message_lengthens_the_session(visitor: Visitor, folder: Path) -> None:
    query = "SELECT expires_at FROM website_sessions WHERE id = ?"
    ((before,),) = rows(folder, query, session_of(visitor))
    visitor.say("hello")
    ((after,),) = rows(folder, query, session_of(visitor))
    assert after > before


# ------------------------------------------------------------------ once and only once


def test_a_repeated_id_gets_the_same_reply_and_makes_no_turn(visitor: Visitor, folder: Path) -> None:
    message = new_id()
    first = visitor.say("What causes runner's knee?", message)
    assert visitor.say("What causes runner's knee?", message) == first
    assert visitor.say("another text", message) == first
    assert turns(visitor, folder) == 2


def test_retries_at_the_same_time_share_one_turn(visitor: Visitor, folder: Path) -> None:
    body = {"id": new_id(), "text": "What causes runner's knee?"}
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: visitor.post("messages", body).json()["messages"], range(2)))
    assert answers[0] == answers[1]
    assert turns(visitor, folder) == 2


def test_a_retry_after_a_crash_gets_the_reply_of_before(visitor: Visitor, server: Server) -> None:
    message = new_id()
    first = visitor.say("What is runner's knee?", message)
    server.kill()
    server.start()
    assert visitor.say("What is runner's knee?", message) == first
    (more,) = visitor.say("/ask_causes")
    assert more["response"] == "utter_ask_causes"


def turns(visitor: Visitor, folder: Path) -> int:
    """Return how often the assistant was spoken to, the opening included."""
    conversation = f"website:{session_of(visitor)}"
    ((events,),) = rows(folder, "SELECT events FROM conversations WHERE id = ?", conversation)
    return sum(event["event"] == "user" for event in json.loads(events))


# ------------------------------------------------------------------ ratings


def test_a_rating_is_kept_without_text_and_a_later_one_replaces_it(visitor: Visitor, folder: Path) -> None:
    (answer,) = visitor.say("What is runner's knee?")
    for verdict in ("up", "down"):
        assert visitor.post("ratings", {"answer": answer["id"], "verdict": verdict}).status_code == 204
    kept = rows(folder, "SELECT response, verdict FROM website_ratings WHERE answer = ?", answer["id"])
    assert kept == [("utter_ask_definition", "down")]
    ((columns,),) = rows(folder, "SELECT sql FROM sqlite_master WHERE name = 'website_ratings'")
    assert "text" not in columns.lower()
    assert visitor.post("clear").status_code == 204
    assert rows(folder, "SELECT verdict FROM website_ratings WHERE answer = ?", answer["id"]) == [("down",)]


def test_a_rating_has_a_reason_and_is_withdrawn(visitor: Visitor, folder: Path) -> None:
    (answer,) = visitor.say("What is runner's knee?")
    reasons = "SELECT reason FROM website_reasons WHERE answer = ?"
    for body, kept in (
        ({"verdict": "down", "reason": "unclear"}, [("unclear",)]),
        ({"verdict": "down"}, []),
        ({"verdict": "down", "reason": "wrong"}, [("wrong",)]),
        ({"verdict": None}, []),
    ):
        assert visitor.post("ratings", {"answer": answer["id"], **body}).status_code == 204
        assert rows(folder, reasons, answer["id"]) == kept
    assert rows(folder, "SELECT verdict FROM website_ratings WHERE answer = ?", answer["id"]) == []
    for body in ({"verdict": "up", "reason": "wrong"}, {"verdict": "down", "reason": "bad knee"}, {}):
        assert visitor.post("ratings", {"answer": answer["id"], **body}).status_code == 400


@pytest.mark.parametrize(
    ("answer", "verdict", "status"),
    [
        ("message-999999.0", "up", 404),
        ("opening-message.0", "up", 404),
        ("message-999999.0", "sideways", 400),
        (7, "up", 400),
        (None, None, 400),
    ],
)
def test_what_cannot_be_rated(visitor: Visitor, answer: Any, verdict: Any, status: int) -> None:
    assert visitor.post("ratings", {"answer": answer, "verdict": verdict}).status_code == status


# ------------------------------------------------------------------ origins


@pytest.mark.parametrize("origin", ["https://evil.example", f"{SITE}.evil.example", f"{SITE}:444", "https://"])
def test_a_foreign_origin_is_refused(visitor: Visitor, origin: str) -> None:
    answer = visitor.post("messages", {"id": new_id(), "text": "hello"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert PHONE in answer.text


@pytest.mark.parametrize("origin", [SITE, "http://localhost:8000", "null"])
def test_the_clinics_origin_and_local_pages_are_allowed(server: Server, origin: str) -> None:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    asked = requests.options(f"{server.url}/chat/messages", headers=headers, timeout=5)
    assert asked.headers["Access-Control-Allow-Origin"] == origin
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    answer = Visitor(server.url).post("session", headers={"Origin": origin})
    assert answer.status_code == 201
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_local_pages_are_foreign_to_a_server_that_is_not_local(server: Server) -> None:
    for origin in ("null", "http://localhost:8000"):
        headers = {"Origin": origin, "Host": "chat.clinic.example"}
        assert requests.post(f"{server.url}/chat/session", json={}, headers=headers, timeout=5).status_code == 403


@pytest.mark.parametrize(
    ("site", "allowed"),
    [(SITE, True), (f"{SITE}/a/page?x=1", True), ("www.clinic.example", True), ("http://www.clinic.example", False)],
)
def test_a_web_master_is_told_whether_a_site_may_hold_the_chat(server: Server, site: str, allowed: bool) -> None:
    asked = {"params": {"site": site}, "timeout": 5}
    told = requests.get(f"{server.url}/chat/check", headers={"Accept": "application/json"}, **asked)
    assert told.json()["allowed"] is allowed
    assert told.headers["Access-Control-Allow-Origin"] == "*"
    assert ("add it to origins in clinic.yml" in told.json()["advice"]) is not allowed
    page = requests.get(f"{server.url}/chat/check", **asked)
    assert ("Yes." if allowed else "Not yet.") in page.text


@pytest.mark.parametrize("site", ["", " ", "javascript:alert(1)", "https://", "<b>x</b>", "https://[::1", "x" * 3000])
def test_what_is_no_web_site_is_told_so(server: Server, site: str) -> None:
    page = requests.get(f"{server.url}/chat/check", params={"site": site}, timeout=5)
    assert page.status_code == 200
    assert "<b>x</b>" not in page.text
    assert "Yes." not in page.text


# ------------------------------------------------------------------ the page of its own


def test_the_form_without_a_script_is_answered_once(server: Server, folder: Path) -> None:
    form = {"id": new_id(), "text": "What is runner's knee?", "token": ""}
    page = requests.post(f"{server.url}/chat/talk", data=form, timeout=10)
    assert "Runner&#39;s knee is pain" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    token = page.text.split('name="token" value="')[1].split('"')[0]
    next_form = {"id": new_id(), "text": "<b>hello</b>", "token": token}
    for _ in range(2):
        page = requests.post(f"{server.url}/chat/talk", data=next_form, timeout=10)
        assert "<b>hello" not in page.text
    session = token.partition(".")[0]
    assert len(rows(folder, "SELECT * FROM website_replies WHERE session = ?", session)) == 2


def test_the_form_tells_what_is_wrong_with_the_phone(server: Server) -> None:
    good = {"id": new_id(), "text": "hello", "token": ""}
    for form, headers, status in (
        (good, {"Origin": "https://evil.example"}, 403),
        ({**good, "id": "x"}, {}, 400),
        ({**good, "text": "x" * 40_000}, {}, 413),
        ({**good, "token": "forged"}, {}, 200),
        ({**good, "text": " "}, {}, 200),
        ({}, {}, 200),
    ):
        page = requests.post(f"{server.url}/chat/talk", data=form, headers=headers, timeout=10)
        assert page.status_code == status, form
        assert PHONE in page.text
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"


# ------------------------------------------------------------------ sizes, floods and nonsense


def test_a_long_message_is_answered_and_a_huge_one_refused(visitor: Visitor) -> None:
    assert visitor.say("my knee hurts " * 1000)
    for body in (b"x" * 33_000, iter([b"x" * 10_000] * 4)):
        answer = visitor.post("messages", data=body)
        assert answer.status_code == 413
        assert PHONE in answer.text
    assert visitor.say("hello")


def test_floods_are_slowed(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.yml"
    few = {
        "requests_per_address": {"burst": 30, "per_minute": 1},
        "sessions_per_address": {"burst": 2, "per_minute": 1},
        "messages_per_session": {"burst": 3, "per_minute": 1},
    }
    credentials.write_text(yaml.safe_dump({CHANNEL: few}))
    with assistant(tmp_path, credentials=credentials) as server:
        visitor, other, third = (Visitor(server.url) for _ in range(3))
        visitor.open()
        other.open()
        openings = [third.post("session") for _ in range(3)]
        said = [visitor.post("messages", {"id": new_id(), "text": "hello"}) for _ in range(20)]
        assert [answer.status_code for answer in said] == [200] * 3 + [429] * 17
        assert other.say("hello")
        rest = [other.post("messages", {"id": new_id(), "text": "hello"}) for _ in range(6)]
        assert [answer.status_code for answer in rest] == [200] * 2 + [429] * 4
        for answer in openings + said[3:] + rest[2:]:
            assert answer.status_code == 429
            assert int(answer.headers["Retry-After"]) > 1
            assert PHONE in answer.text
        assert requests.get(f"{server.url}/chat/ready", timeout=5).status_code == 200


def test_a_fault_inside_is_answered_with_the_phone(server: Server, visitor: Visitor, folder: Path) -> None:
    rows(folder, "ALTER TABLE conversations RENAME TO lost")
    try:
        (apology,) = visitor.say("What is runner's knee?")
        assert PHONE in apology["text"]
        assert requests.get(f"{server.url}/chat/ready", timeout=10).status_code == 503
        assert requests.get(f"{server.url}/chat/health", timeout=5).status_code == 200
    finally:
        rows(folder, "ALTER TABLE lost RENAME TO conversations")
    rows(folder, "ALTER TABLE website_sessions RENAME TO lost")
    try:
        answer = visitor.post("messages", {"id": new_id(), "text": "hello"})
        assert answer.status_code == 503
        assert PHONE in answer.json()["error"]
        assert answer.headers["Retry-After"]
    finally:
        rows(folder, "ALTER TABLE lost RENAME TO website_sessions")
    assert visitor.say("hello")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda of: st.lists(of) | st.dictionaries(st.text(), of),
)
bodies = st.one_of(
    st.binary(max_size=300),
    anything.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({}, optional={"id": anything, "text": anything, "answer": anything, "verdict": anything}).map(
        lambda value: json.dumps(value).encode()
    ),
    st.sampled_from([b"[" * 20_000, b'{"id":"\\ud800"}', b'{"text":' + b"9" * 9000 + b"}", b"\xff\xfe", b"NaN"]),
)


@given(body=bodies, path=st.sampled_from(["session", "messages", "ratings", "clear"]), known=st.booleans())
@settings(
    max_examples=1000, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nonsense_by_the_thousand_is_refused_and_harms_nobody(
    server: Server, witness: Visitor, nobody: Visitor, body: bytes, path: str, known: bool
) -> None:
    sender = witness if known and path != "clear" else nobody
    answer = sender.post(path, data=body)
    assert answer.status_code in (201, 400, 401, 404, 413), answer.text
    assert PHONE in answer.text or answer.status_code == 201


@pytest.fixture(scope="module")
def witness(server: Server) -> Iterator[Visitor]:
    """Somebody whose conversation is still there after the nonsense."""
    visitor = Visitor(server.url)
    visitor.open()
    token, message = visitor.token, new_id()
    said = visitor.say("What is runner's knee?", message)
    yield visitor
    assert visitor.say("", message) == said
    assert visitor.post("clear", token=token).status_code == 204


@pytest.fixture(scope="module")
def nobody(server: Server) -> Visitor:
    return Visitor(server.url)


@given(
    id_=st.text(max_size=80).filter(lambda text: not re.fullmatch("[A-Za-z0-9-]{8,64}", text)),
    text=st.text(max_size=1200),
)
@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_is_answered_or_refused(server: Server, witness: Visitor, id_: str, text: str) -> None:
    answer = witness.post("messages", {"id": id_, "text": text})
    assert answer.status_code == 400
    assert witness.say(text)
