"""The Messenger channel, with the real server and events as the platform sends them."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.channels.journeys import PHONE, QUESTIONS, Journeys, Told, assert_answers
from tests.channels.people import Installation, Person, installed, recorded, replaced
from tests.support.platforms import Answer, Call, Messenger

PAGE = "100200300400500"
PAYLOADS = recorded("messenger")


class Messager(Person):
    NAME = "messenger"

    def __init__(self, at: Installation) -> None:
        super().__init__(at)
        self.id = str(7_800_000_000_000_000 + self.number)
        self.events = 0

    def message(self, text: str) -> Any:
        return self.page(self.event(message={"text": text}))

    def press(self, button: dict[str, Any]) -> Any:
        message = {"text": button["title"], "quick_reply": {"payload": button["payload"]}}
        return self.page(self.event(message=message))

    def event(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the event of a message that is new."""
        self.events += 1
        return {
            "sender": {"id": self.id},
            "recipient": {"id": PAGE},
            "timestamp": int(time.time()) * 1000 + self.events,
            "message": {"mid": f"m_{self.id}-{self.events}", **message},
        }

    def page(self, *events: dict[str, Any]) -> Any:
        """Return a notice of these events."""
        entry = {"id": PAGE, "time": events[0]["timestamp"], "messaging": list(events)}
        return {"object": "page", "entry": [entry]}

    def sign(self, body: bytes) -> dict[str, str]:
        digest = hmac.new(Messenger.APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
        return {"X-Hub-Signature-256": f"sha256={digest}"}

    def is_told(self, call: Call) -> bool:
        return bool(call.body["recipient"]["id"] == self.id)

    def text(self, call: Call) -> str:
        return str(call.body["message"]["text"])

    def buttons(self, call: Call) -> dict[str, dict[str, Any]]:
        return {reply["title"]: reply for reply in call.body["message"].get("quick_replies", [])}

    def anew(self, payload: Any) -> Any:
        return replaced(payload, {"7700110022003300": self.id, "m_tests-AAA111": f"m_{self.id}-kept"})


Arrive = Callable[[], Messager]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("messenger"), Messenger()) as installation:
        yield installation


@pytest.fixture(scope="module")
def arrive(at: Installation) -> Arrive:
    return lambda: Messager(at)


@pytest.fixture(scope="module")
def told(at: Installation, arrive: Arrive) -> Told:
    return Told(at, arrive, PAYLOADS)


@pytest.mark.parametrize("name", PAYLOADS)
def test_each_kind_of_event_gets_its_reaction(told: Told, name: str) -> None:
    told.check(name)


class TestMessenger(Journeys):
    PLATFORM = "messenger"
    SECRETS = (Messenger.PAGE_TOKEN, Messenger.APP_SECRET, Messenger.VERIFY_TOKEN)

    def refusal(self, at: Installation) -> Answer:
        body = {
            "error": {"message": "(#551) This person isn't available right now.", "type": "OAuthException", "code": 551}
        }
        return Answer(400, body)

    def forgeries(self, person: Person, body: bytes) -> list[dict[str, str]]:
        right = person.sign(body)["X-Hub-Signature-256"]
        of_another = person.sign(body + b" ")["X-Hub-Signature-256"]
        sha1 = hmac.new(Messenger.APP_SECRET.encode(), body, hashlib.sha1).hexdigest()
        unkeyed = hashlib.sha256(body).hexdigest()
        forged = [
            "",
            "sha256=",
            right[:-1],
            right.upper(),
            right.removeprefix("sha256="),
            of_another,
            f"sha256={unkeyed}",
        ]
        return [{"X-Hub-Signature-256": value} for value in forged] + [
            {"X-Hub-Signature": f"sha1={sha1}"},
            {"X-Hub-Signature-256": f"sha1={sha1}"},
        ]


# ------------------------------------------------------------------ what only Messenger has


def test_the_handshake_needs_the_verify_token(at: Installation) -> None:
    url = f"{at.server.url}/webhooks/messenger/webhook"
    asked = {"hub.mode": "subscribe", "hub.verify_token": Messenger.VERIFY_TOKEN, "hub.challenge": "1158201444"}
    answer = requests.get(url, params=asked, timeout=5)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["Content-Type"].startswith("text/plain")
    for changed in ({"hub.verify_token": "another"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"}):
        assert requests.get(url, params=asked | changed, timeout=5).status_code == 403
    for given in ({}, {"hub.challenge": "1"}, {"hub.verify_token": "\udcff".encode(errors="surrogateescape")}):
        assert requests.get(url, params=given, timeout=5).status_code == 403


@pytest.mark.parametrize("channel", ["telegram", "slack", "twilio"])
def test_channels_whose_variables_are_not_set_are_off(at: Installation, channel: str) -> None:
    assert requests.post(f"{at.server.url}/webhooks/{channel}/webhook", json={}, timeout=5).status_code == 404
    assert "does not start" not in at.log()


def test_each_message_of_a_batch_is_answered(at: Installation, arrive: Arrive) -> None:
    person, other = arrive(), arrive()
    first, second = (person.event({"text": question}) for question in list(QUESTIONS)[:2])
    batch = person.page(second, other.event({"text": "hello"}), first)
    batch["entry"].append({"id": PAGE, "time": 1})
    assert person.post(batch).status_code == 200
    at.settle()
    assert_answers(person, list(QUESTIONS)[:2])
    assert len(other.heard()) == 1


def test_short_labels_are_quick_replies_and_long_ones_a_list(arrive: Arrive) -> None:
    person = arrive()
    greeting = person.say("hello")
    assert "1. What is runner's knee?\n2. How is it treated?\n3. Book a visit" in greeting
    assert not person.buttons(person.heard()[-1])
    assert "Runner’s Knee Treatment" in person.say("2")
    for text in (f"book me a visit, Ana Ruizinska, {PHONE}, any weekday morning",):
        person.say(text)
    assert list(person.buttons(person.heard()[-1])) == ["Yes, I have", "No, I am new", "Skip"]


def test_answers_are_responses_and_are_proven_with_the_app_secret(arrive: Arrive) -> None:
    person = arrive()
    person.say("What is runner's knee?")
    (call,) = person.heard()
    assert call.body["messaging_type"] == "RESPONSE"
    assert "tag" not in call.body
    proof = hmac.new(Messenger.APP_SECRET.encode(), Messenger.PAGE_TOKEN.encode(), hashlib.sha256).hexdigest()
    assert call.query == {"access_token": Messenger.PAGE_TOKEN, "appsecret_proof": proof}


def test_too_often_is_also_told_by_a_code(at: Installation, arrive: Arrive) -> None:
    at.platform.script = [at.platform.throttled()]
    assert "Source:" in arrive().say("What is runner's knee?")


def test_an_old_quick_reply_is_not_taken(arrive: Arrive) -> None:
    person = arrive()
    person.say(f"book me a visit, Ana Ruizinska, {PHONE}, any weekday morning")
    old = person.buttons(person.heard()[-1])["Skip"]
    assert "What is it about?" in person.choose("No, I am new")
    assert "Shall I send it" in person.choose("Skip")
    (answer,) = person.told(person.press(old))
    assert "Your reference is" not in person.text(answer)
