"""The Slack channel, with the real server, requests as Slack sends them, and its own library's signatures."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import SignatureVerifier

from tests.channels.journeys import PHONE, WORDS, Journeys, Told
from tests.channels.people import Installation, Person, installed, recorded, replaced
from tests.support.platforms import Answer, Call, Slack

BOT = "U0KNEEBOT"
PAYLOADS = recorded("slack")


class Colleague(Person):
    NAME = "slack"

    def __init__(self, at: Installation) -> None:
        super().__init__(at)
        self.id, self.channel = f"U1{self.number:07}", f"D1{self.number:07}"
        self.response_path = f"/commands/T0TESTS01/{self.number}/of-the-tests"
        self.started = int(time.time())
        self.events = 0

    def message(self, text: str) -> Any:
        return self.event(type="message", channel=self.channel, channel_type="im", text=text)

    def event(self, **event: Any) -> Any:
        """Return an event of this person's that is new."""
        stamp = self.stamp()
        return {
            "type": "event_callback",
            "team_id": "T0TESTS01",
            "api_app_id": "A0TESTS01",
            "event_id": f"Ev{self.number:05}{self.events:05}",
            "event_time": self.started,
            "event": {"user": self.id, "ts": stamp, "event_ts": stamp, "client_msg_id": f"{self.id}-{stamp}", **event},
            "authorizations": [{"team_id": "T0TESTS01", "user_id": BOT, "is_bot": True}],
        }

    def stamp(self) -> str:
        self.events += 1
        return f"{self.started}.{self.number % 1000:03}{self.events:03}"

    def press(self, button: dict[str, Any], is_ephemeral: bool = False, **more: Any) -> Any:
        container = {"type": "message", "channel_id": self.channel, "is_ephemeral": is_ephemeral}
        payload = {
            "type": "block_actions",
            "team": {"id": "T0TESTS01", "domain": "tests"},
            "user": {"id": self.id, "username": "annika.rudolfsen"},
            "channel": {"id": self.channel, "name": "directmessage"},
            "container": container,
            "trigger_id": self.stamp(),
            "response_url": self.at.platform.url + self.response_path,
            "actions": [{**button, "block_id": "x", "action_ts": self.stamp()}],
            **more,
        }
        return {"payload": payload}

    def command(self, text: str) -> Any:
        """Return a slash command, given in a channel."""
        return {
            "command": "/knee",
            "text": text,
            "team_id": "T0TESTS01",
            "channel_id": "C0TESTS01",
            "user_id": self.id,
            "user_name": "annika.rudolfsen",
            "trigger_id": self.stamp(),
            "response_url": self.at.platform.url + self.response_path,
        }

    def sign(self, body: bytes, at: float | None = None, secret: str = Slack.SIGNING_SECRET) -> dict[str, str]:
        stamp = str(int(time.time() if at is None else at))
        try:
            signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
        except UnicodeDecodeError:
            signature = "v0=of-what-is-no-text"
        return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": str(signature)}

    def encode(self, payload: Any, is_form: bool = False) -> tuple[bytes, dict[str, str]]:
        if not (is_form or "payload" in payload or "command" in payload):
            return super().encode(payload)
        form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in payload.items()}
        body = urlencode(form).encode()
        return body, {"Content-Type": "application/x-www-form-urlencoded", **self.sign(body)}

    def is_told(self, call: Call) -> bool:
        if call.path.startswith("/api/"):
            return bool(call.body["channel"] in (self.channel, self.channel.replace("D", "C", 1)))
        return call.path == self.response_path

    def text(self, call: Call) -> str:
        return str(call.body["blocks"][0]["text"]["text"])

    def buttons(self, call: Call) -> dict[str, dict[str, Any]]:
        elements = [element for block in call.body["blocks"] for element in block.get("elements", [])]
        return {element["text"]["text"]: element for element in elements}

    def anew(self, payload: Any) -> Any:
        group = self.channel.replace("D", "C", 1)
        hooks = "https://hooks.slack.com/commands/T0TESTS01/5550001/of-the-tests"
        values = {"D0TESTS01": self.channel, "C0TESTS01": group, "G0TESTS01": group, "G0TESTS02": group}
        values |= {"U0ANNIKA1": self.id, "1764000000.000100": self.stamp(), "1.2.tests": f"1.{self.number}.tests"}
        return replaced(payload, values | {hooks: self.at.platform.url + self.response_path})


Arrive = Callable[[], Colleague]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("slack"), Slack()) as installation:
        yield installation


@pytest.fixture(scope="module")
def arrive(at: Installation) -> Arrive:
    return lambda: Colleague(at)


@pytest.fixture(scope="module")
def told(at: Installation, arrive: Arrive) -> Told:
    return Told(at, arrive, PAYLOADS)


@pytest.mark.parametrize("name", PAYLOADS)
def test_each_kind_of_request_gets_its_reaction_in_its_place(told: Told, name: str) -> None:
    reaction = PAYLOADS[name]["reaction"]
    for call in told.check(name):
        assert call.path.startswith("/commands/") == reaction.endswith("to the response address")
        assert ("thread_ts" in call.body) == reaction.endswith("in the thread")


class TestSlack(Journeys):
    PLATFORM = "slack"
    SECRETS = (Slack.BOT_TOKEN, Slack.SIGNING_SECRET)

    def refusal(self, at: Installation) -> Answer:
        return Answer(200, {"ok": False, "error": "channel_not_found"})

    def forgeries(self, person: Person, body: bytes) -> list[dict[str, str]]:
        assert isinstance(person, Colleague)
        right, now = person.sign(body), time.time()
        stale = [person.sign(body, at=moment) for moment in (now - 301, now + 310, 0)]
        others = [person.sign(body, secret="another secret"), person.sign(body + b" ")]
        stamps = ["", "x", "-1", "9" * 5000, "1e9", str(int(now) - 1)]
        return [
            *stale,
            *others,
            *({**right, "X-Slack-Request-Timestamp": stamp} for stamp in stamps),
            {"X-Slack-Signature": right["X-Slack-Signature"]},
            {"X-Slack-Request-Timestamp": right["X-Slack-Request-Timestamp"]},
            {**right, "X-Slack-Signature": right["X-Slack-Signature"].replace("v0=", "v1=")},
            {**right, "X-Slack-Signature": "v0=\xe9"},
        ]


# ------------------------------------------------------------------ what only Slack has


def test_the_handshake_is_answered_only_when_signed(arrive: Arrive) -> None:
    person = arrive()
    asked = {"token": "x", "challenge": "3eZbrw1aB10FEMAGAZd4FyFQ", "type": "url_verification"}
    answer = person.post(asked)
    assert (answer.status_code, answer.json()) == (200, {"challenge": asked["challenge"]})
    unsigned = person.post_raw(json.dumps(asked).encode(), {"Content-Type": "application/json"})
    assert unsigned.status_code == 403
    assert asked["challenge"] not in unsigned.text


def test_a_signature_of_nearly_five_minutes_ago_still_counts(at: Installation, arrive: Arrive) -> None:
    person = arrive()
    body = json.dumps(person.message("hello")).encode()
    assert person.post_raw(body, person.sign(body, at=time.time() - 290)).status_code == 200
    at.settle()
    assert len(person.heard()) == 1


def test_a_mention_that_comes_as_two_events_is_answered_once(at: Installation, arrive: Arrive) -> None:
    person = arrive()
    mention = person.anew(PAYLOADS["messages: mention"]["payload"])
    same = json.loads(json.dumps(mention))
    same["event_id"] = "Ev0ANOTHER"
    same["event"] |= {"type": "message", "channel_type": "channel"}
    for payload in (mention, same, mention):
        assert person.post(payload).status_code == 200
    at.settle()
    (answer,) = person.heard()
    assert answer.body["thread_ts"] == mention["event"]["ts"]


def test_a_retry_is_answered_once(at: Installation, arrive: Arrive) -> None:
    person = arrive()
    body, headers = person.encode(person.message("What is runner's knee?"))
    for number, reason in enumerate(("http_timeout", "http_error", "connection_failed"), start=1):
        retry = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
        assert person.post_raw(body, headers | (retry if number > 1 else {})).status_code == 200
    at.settle()
    assert len(person.heard()) == 1


def test_a_booking_in_a_thread_belongs_to_who_began_it(at: Installation, arrive: Arrive) -> None:
    person, other = arrive(), arrive()
    group, thread = person.channel.replace("D", "C", 1), f"{person.started}.000001"

    def mention(who: Colleague, text: str) -> Any:
        return who.event(type="app_mention", channel=group, thread_ts=thread, text=f"<@{BOT}> {text}")

    person.told(mention(person, "book a visit"))
    (question,) = person.told(mention(person, "Ana Ruizinska"))
    assert "reach you?" in person.text(question)
    other.post(mention(other, "hello"))
    at.settle()
    assert WORDS["greeting"] in person.text(person.heard()[-1])
    (question,) = person.told(mention(person, PHONE))
    assert "suit you?" in person.text(question)
    assert {call.body["thread_ts"] for call in person.heard()} == {thread}


def test_a_button_in_a_thread_goes_on_there(arrive: Arrive) -> None:
    person = arrive()
    group = person.channel.replace("D", "C", 1)
    mention = person.event(type="app_mention", channel=group, text=f"<@{BOT}> hello")
    (answer,) = person.told(mention)
    thread = mention["event"]["ts"]
    place = {"container": {"channel_id": group, "thread_ts": thread}, "channel": {"id": group}}
    (answer,) = person.told(person.press(person.buttons(answer)["How is it treated?"], **place))
    assert "Runner’s Knee Treatment" in person.text(answer)
    assert (answer.body["channel"], answer.body["thread_ts"]) == (group, thread)


def test_a_slash_command_is_answered_to_who_gave_it_alone(arrive: Arrive) -> None:
    person = arrive()
    (answer,) = person.told(person.command("hello"), is_form=True)
    assert answer.body["response_type"] == "ephemeral"
    button = person.buttons(answer)["How is it treated?"]
    (answer,) = person.told(person.press(button, is_ephemeral=True, channel={"id": "C0TESTS01"}), is_form=True)
    assert "Runner’s Knee Treatment" in person.text(answer)
    assert answer.path == person.response_path
    assert answer.body["replace_original"] is False


def test_markup_is_slacks_own(arrive: Arrive) -> None:
    person = arrive()
    person.say("What is runner's knee?")
    (call,) = person.heard()
    assert "_Source: “What Is Runner’s Knee?”" in person.text(call)
    assert "<tel:+19495550142|+1 949-555-0142>" in person.say("can I talk to a person?")


def test_what_a_person_types_comes_back_harmless(arrive: Arrive) -> None:
    person = arrive()
    person.say("book a visit")
    person.say("Ana Ruizinska")
    said = person.say("<mailto:ana@example.com|ana@example.com>")
    assert "suit you?" in said
    for text in ("any weekday morning", "no"):
        person.say(text)
    read_back = person.say("knee &amp; shin hurt <!channel>")
    assert "Contact: ana@example.com" in read_back
    assert "About: knee &amp; shin hurt\n" in read_back


@pytest.mark.parametrize(("typed", "words"), [(":+1:", "Good."), (":wave:", WORDS["greeting"])])
def test_emoji_come_as_names(arrive: Arrive, typed: str, words: str) -> None:
    assert words in arrive().say(typed)
