"""Text messages and WhatsApp through Twilio, with the real server and requests as Twilio sends them."""

import itertools
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import requests
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from assistant.messaging.sms import in_gsm_7, segments
from assistant.messaging.twilio import TwilioChannel
from clinic.profile import the_clinic
from tests.channels.journeys import QUESTIONS, VISITOR, Journeys, Told
from tests.channels.people import Installation, Person, installed, recorded, replaced
from tests.support.platforms import Answer, Call, Twilio
from tests.support.servers import actions, rasa

PUBLIC = Twilio.PUBLIC_URL
CLINIC_NUMBER = "+19495550142"
PAYLOADS = recorded("twilio")
VALIDATOR = RequestValidator(Twilio.AUTH_TOKEN)
_SIDS = itertools.count(1)


class Texter(Person):
    NAME = "twilio"
    PREFIX = ""

    def __init__(self, at: Installation) -> None:
        super().__init__(at)
        self.phone = f"+1949555{2000 + self.number}"

    def message(self, text: str) -> Any:
        form = PAYLOADS["whatsapp: text" if self.PREFIX else "sms: text"]["payload"]
        return {**self.anew(form), "Body": text}

    def press(self, button: dict[str, Any]) -> Any:
        raise AssertionError("there are no buttons here")

    def sign(self, body: bytes, url: str = f"{PUBLIC}/webhooks/twilio/webhook") -> dict[str, str]:
        try:
            form = MultiDict(parse_qsl(body.decode(), keep_blank_values=True))
        except (UnicodeDecodeError, ValueError):
            form = MultiDict()
        return {"X-Twilio-Signature": VALIDATOR.compute_signature(url, form)}

    def encode(self, payload: Any, is_form: bool = False) -> tuple[bytes, dict[str, str]]:
        body = urlencode(payload).encode()
        return body, {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", **self.sign(body)}

    def is_told(self, call: Call) -> bool:
        return call.body["To"] == self.PREFIX + self.phone

    def text(self, call: Call) -> str:
        return str(call.body["Body"])

    def buttons(self, call: Call) -> dict[str, dict[str, Any]]:
        return {}

    def anew(self, payload: Any) -> Any:
        return replaced(payload, {"19495550133": self.phone[1:], "0" * 32: f"{next(_SIDS):032x}"})


class WhatsApper(Texter):
    PREFIX = "whatsapp:"


Arrive = Callable[[], Texter]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("twilio"), Twilio()) as installation:
        yield installation


@pytest.fixture(scope="module")
def arrive(at: Installation) -> Arrive:
    return lambda: Texter(at)


@pytest.fixture
def person(arrive: Arrive) -> Texter:
    return arrive()


@pytest.fixture(scope="module")
def told(at: Installation) -> Told:
    people = iter([WhatsApper(at) if "whatsapp" in name else Texter(at) for name in PAYLOADS])
    return Told(at, lambda: next(people), PAYLOADS)


@pytest.mark.parametrize("name", PAYLOADS)
def test_each_kind_of_request_gets_its_reaction(told: Told, name: str) -> None:
    told.check(name)


class TestTwilio(Journeys):
    PLATFORM = "twilio"
    SECRETS = (Twilio.AUTH_TOKEN, Twilio.ACCOUNT, "94955520", "5550133", "IRVINE")

    # Twilio tells neither when a message was written nor in which order.
    test_what_comes_out_of_order_is_answered_as_it_was_written = None  # type: ignore[assignment]

    def refusal(self, at: Installation) -> Answer:
        return Answer(400, {"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400})

    def forgeries(self, person: Person, body: bytes) -> list[dict[str, str]]:
        assert isinstance(person, Texter)
        wrong = RequestValidator("another token").compute_signature(f"{PUBLIC}/webhooks/twilio/webhook", {})
        elsewhere = person.sign(body, "https://elsewhere.example/webhooks/twilio/webhook")
        as_called = person.sign(body, person.url)
        return [{"X-Twilio-Signature": value} for value in ("", "x", wrong)] + [elsewhere, as_called]

    def test_a_whole_booking(self, at: Installation, person: Person) -> None:
        """Numbers only, but for the name."""
        before = at.bookings()
        assert "I am the automated assistant" in person.say("hello")
        assert "What is your name?" in person.choose("Book a visit")
        ending = f"ending in {str(person.phone)[-2:]}"  # type: ignore[attr-defined]
        assert ending in person.say(VISITOR)
        assert "suit you?" in person.choose("Yes, this number")
        assert "before?" in person.choose("A weekday morning")
        assert "What is it about?" in person.choose("No, I am new")
        read_back = person.say("1")
        assert f"Contact: the number you are writing from, {ending}" in read_back
        assert "Would suit: any weekday morning" in read_back
        assert "Your reference is" in person.say("1")
        assert at.bookings() == before + 1
        contact, channel = at.rows("SELECT contact, channel FROM requests ORDER BY id DESC LIMIT 1", "bookings.db")[0]
        assert (contact, channel) == (person.phone, "sms")  # type: ignore[attr-defined]

    def _assert_answers(self, person: Person, questions: list[str]) -> None:
        said = [re.findall('Source: "(.*?)"', person.text(call)) for call in person.heard()]
        assert said == [[in_gsm_7(QUESTIONS[question])] for question in questions]

    def test_no_number_stands_in_the_conversations(self, at: Installation) -> None:
        at.settle()
        for (table,) in at.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
            kept = str(at.rows(f"SELECT * FROM {table}"))
            assert not re.search("9495552|5550133", kept), table
        ids = [conversation for (conversation,) in at.rows("SELECT id FROM conversations")]
        assert ids
        assert all(re.fullmatch("(sms|whatsapp|website):[A-Za-z0-9_-]{32}", conversation) for conversation in ids)


# ------------------------------------------------------------------ bookings


def test_a_booking_on_whatsapp_with_another_contact(at: Installation) -> None:
    person = WhatsApper(at)
    before = at.bookings()
    person.say("book me a visit")
    person.say("my name is Bea Ruizinska")
    assert "What phone number or e-mail address" in person.choose("Another way")
    assert "suit you?" in person.say("bea@mail.example")
    person.choose("As soon as possible")
    person.say("3")
    assert "Contact: bea@mail.example" in person.say("2")
    assert "Your reference is" in person.say("send it")
    assert at.bookings() == before + 1
    assert all(call.body["From"] == f"whatsapp:{CLINIC_NUMBER}" for call in person.heard())


def test_a_number_is_an_answer_where_none_was_offered(person: Texter) -> None:
    person.say("book me a visit")
    person.say("my name is Ana Ruizinska")
    person.choose("Another way")
    assert "suit you?" in person.say("949 555 0177")
    assert "before?" in person.say("2 pm on tuesday")
    person.choose("Yes, I have")
    read_back = person.say("2")
    assert "(949) 555-0177" in read_back
    assert "2 pm on tuesday" in read_back


def test_a_question_in_between_offers_no_numbers_that_would_be_taken_for_the_answer(person: Texter) -> None:
    person.say("book me a visit")
    said = person.say("What causes runner's knee?")
    assert "Source:" in said
    assert said.endswith("What is your name?")


def test_the_number_one_writes_from_is_corrected_by_its_end(person: Texter) -> None:
    for text in (f"book me a visit, {VISITOR}, any weekday morning", "1", "3", "2"):
        said = person.say(text)
    assert "ending in" in said
    assert "-0199" in person.say("my number ends in 0199")


# ------------------------------------------------------------------ what carriers do


def test_stop_is_the_carriers_word_and_nothing_is_sent_until_start(at: Installation, person: Texter) -> None:
    before = at.bookings()
    for text in (f"book me a visit, {VISITOR}, any weekday morning", "1", "3", "2"):
        said = person.say(text)
    assert "Shall I send it" in said
    for text in ("STOP", "1", "hello?", "What causes runner's knee?", "Help"):
        assert person.told(person.message(text)) == []
    assert at.bookings() == before
    assert person.told(person.message("Start")) == []
    assert "Your reference is" in person.say("1")
    assert at.bookings() == before + 1


def test_yes_undoes_stop_as_at_the_carrier_and_is_an_answer_otherwise(person: Texter) -> None:
    for text in (f"book me a visit, {VISITOR}, any weekday morning", "Yes"):
        said = person.say(text)
    assert "before?" in said
    assert person.told(person.message("STOP")) == []
    assert person.told(person.message("YES")) == []
    assert "What is it about?" in person.say("yes, I have")


def test_on_whatsapp_stop_is_a_word_of_ours(at: Installation) -> None:
    person = WhatsApper(at)
    person.say("book me a visit")
    assert "nothing was sent" in person.say("Stop")


def test_stop_for_text_messages_does_not_silence_whatsapp(at: Installation) -> None:
    texter, whatsapper = Texter(at), WhatsApper(at)
    whatsapper.phone = texter.phone
    assert texter.told(texter.message("stop")) == []
    assert "assistant" in whatsapper.say("hello")


def test_advanced_opt_out_says_what_is_meant(person: Texter) -> None:
    assert "Source:" in person.say("What causes runner's knee?")
    assert person.told({**person.message("ARRET"), "OptOutType": "STOP"}) == []
    assert person.told(person.message("hello")) == []
    assert person.told({**person.message("REPRENDRE"), "OptOutType": "START"}) == []
    assert "assistant" in person.say("hello")


def test_who_has_opted_out_elsewhere_is_left_alone(at: Installation, person: Texter) -> None:
    at.platform.opted_out.add(person.phone)
    before = len(at.platform.calls)
    for _ in range(3):
        assert person.told(person.message("hello")) == []
    assert len(at.platform.calls) == before + 1


# ------------------------------------------------------------------ what is sent


def test_an_answer_is_one_plain_text_message(person: Texter) -> None:
    for question in QUESTIONS:
        said = person.say(question)
        assert said.isascii()
        assert segments(said) <= 5
    assert the_clinic().emergency_number in person.say("my calf is hot and swollen and I cannot breathe")


def test_an_answer_comes_from_the_number_that_was_written_to(person: Texter) -> None:
    (call,) = person.told({**person.message("hello"), "To": "+19495550199"})
    assert call.body["From"] == "+19495550199"


def test_the_address_may_have_a_query_and_stand_behind_a_proxy(at: Installation, person: Texter) -> None:
    body, headers = person.encode(person.message("hello"))
    headers |= person.sign(body, f"{PUBLIC}/webhooks/twilio/webhook?clinic=1&to=a%20b")
    headers |= {"Host": "rasa:5005", "X-Forwarded-Proto": "https", "X-Forwarded-For": "3.80.20.25"}
    answer = requests.post(f"{person.url}?clinic=1&to=a%20b", data=body, headers=headers, timeout=30)
    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (200, "<Response/>", "text/xml")
    at.settle()
    assert len(person.heard()) == 1


def test_a_database_that_is_away_is_told_to_twilio(at: Installation, person: Texter) -> None:
    message = person.message("What is runner's knee?")
    with sqlite3.connect(at.folder / "conversations.db", timeout=10) as database:
        database.execute("ALTER TABLE messaging_inbox RENAME TO messaging_away")
    try:
        answer = person.post(message)
    finally:
        with sqlite3.connect(at.folder / "conversations.db", timeout=10) as database:
            database.execute("ALTER TABLE messaging_away RENAME TO messaging_inbox")
    assert answer.status_code == 503
    assert len(person.told(message)) == 1


# ------------------------------------------------------------------ servers that end


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Servers of their own, which may be killed."""
    folder = tmp_path_factory.mktemp("twilio-apart")
    token = secrets.token_hex(16)
    helper = actions(folder, {"ACTION_TOKEN": token})
    with Twilio() as platform:
        environment = {"ACTION_TOKEN": token, "ACTION_URL": f"{helper.url}/webhook"}
        server = rasa(folder, {**environment, **platform.environment()})
        for one in (helper, server):
            one.start()
        yield Installation(server, platform, folder)
        for one in (server, helper):
            one.kill()


def test_what_was_taken_is_answered_by_the_next_server_once(apart: Installation) -> None:
    people = [Texter(apart) for _ in range(4)]
    for person in people:
        for question in QUESTIONS:
            assert person.post(person.message(question)).status_code == 200
    apart.server.kill()
    answered = len(apart.platform.calls)
    apart.server.start()
    apart.settle()
    assert answered < len(people) * len(QUESTIONS)
    for person in people:
        said = [person.text(call) for call in person.heard()]
        # One that was on its way to Twilio at that moment is not sent twice.
        assert len(said) == len(set(said))
        assert len(said) >= len(QUESTIONS) - 1
        assert in_gsm_7(list(QUESTIONS.values())[-1]) in said[-1]


def test_an_answer_that_waits_for_twilio_outlives_its_server(apart: Installation) -> None:
    person = Texter(apart)
    with apart.platform.away():
        person.post(person.message(f"book me a visit, {VISITOR}, any weekday morning"))
        while apart.rows("SELECT count(*) FROM messaging_inbox WHERE tries > 0 AND NOT is_on_its_way") == [(0,)]:
            pass
        apart.server.kill()
    apart.server.start()
    apart.settle()
    (call,) = person.heard()
    assert "ending in" in person.text(call)
    assert "before?" in person.say("1")


def test_a_server_that_is_told_to_end_answers_first(apart: Installation) -> None:
    person = Texter(apart)
    apart.platform.script = [1.0]
    person.post(person.message("What is runner's knee?"))
    while not apart.platform.calls or apart.platform.calls[-1].body["To"] != person.phone:
        pass
    apart.server.stop()
    assert len(person.heard()) == 1
    apart.server.start()
    apart.settle()
    assert len(person.heard()) == 1


@pytest.mark.parametrize("missing", ["TWILIO_AUTH_TOKEN", "PUBLIC_URL"])
def test_a_channel_without_its_secret_does_not_start_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    for name, value in (("TWILIO_ACCOUNT_SID", "AC1"), ("TWILIO_AUTH_TOKEN", "secret"), ("PUBLIC_URL", PUBLIC)):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    assert not TwilioChannel.from_credentials(None).settings
    assert f"The twilio channel does not start: {missing} is not set." in caplog.text
    caplog.clear()
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert not TwilioChannel.from_credentials(None).settings
    assert not caplog.text
