"""The Telegram channel, with the real server and updates as Telegram sends them."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from assistant.messaging.__main__ import main
from assistant.messaging.messenger import MessengerChannel
from assistant.messaging.slack import SlackChannel
from assistant.messaging.telegram import TelegramChannel
from clinic.profile import the_clinic
from tests.channels.journeys import PHONE, Journeys, Told
from tests.channels.people import Installation, Person, installed, recorded, replaced
from tests.support.platforms import Answer, Call, Telegram
from tests.support.servers import ROOT

PAYLOADS = recorded("telegram")


class Telegrapher(Person):
    NAME = "telegram"

    def __init__(self, at: Installation) -> None:
        super().__init__(at)
        self.id = 610_000_000 + self.number
        self.updates = self.number * 1000

    def message(self, text: str) -> Any:
        self.updates += 1
        chat = {"id": self.id, "first_name": "Annika", "type": "private"}
        sender = {"id": self.id, "is_bot": False, "first_name": "Annika", "language_code": "en"}
        message = {"message_id": self.updates, "from": sender, "chat": chat, "date": 1764000000, "text": text}
        return {"update_id": self.updates, "message": message}

    def press(self, button: dict[str, Any]) -> Any:
        update = self.message("")
        shown = {**update["message"], "from": {"id": Telegram.BOT, "is_bot": True, "first_name": "In Motion"}}
        query = {"id": str(self.updates), "from": update["message"]["from"], "message": shown, "chat_instance": "1"}
        return {"update_id": self.updates, "callback_query": {**query, "data": button["callback_data"]}}

    def sign(self, body: bytes) -> dict[str, str]:
        return {"X-Telegram-Bot-Api-Secret-Token": Telegram.SECRET}

    def is_told(self, call: Call) -> bool:
        # The ids of a person's groups end with their own.
        return str(call.body["chat_id"]).endswith(str(self.id))

    def text(self, call: Call) -> str:
        return str(call.body["text"])

    def buttons(self, call: Call) -> dict[str, dict[str, Any]]:
        rows = call.body.get("reply_markup", {}).get("inline_keyboard", [])
        return {button["text"]: button for row in rows for button in row}

    def anew(self, payload: Any) -> Any:
        self.updates += 1
        return replaced(payload, {"555000111": str(self.id), "900000001": str(self.updates)})


Arrive = Callable[[], Telegrapher]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("telegram"), Telegram()) as installation:
        yield installation


@pytest.fixture(scope="module")
def arrive(at: Installation) -> Arrive:
    return lambda: Telegrapher(at)


@pytest.fixture(scope="module")
def told(at: Installation, arrive: Arrive) -> Told:
    return Told(at, arrive, PAYLOADS)


@pytest.mark.parametrize("name", PAYLOADS)
def test_each_kind_of_update_gets_its_reaction(told: Told, name: str) -> None:
    told.check(name)


class TestTelegram(Journeys):
    PLATFORM = "telegram"
    SECRETS = (Telegram.TOKEN, Telegram.SECRET, "AAtests")

    def refusal(self, at: Installation) -> Answer:
        return Answer(403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"})

    def forgeries(self, person: Person, body: bytes) -> list[dict[str, str]]:
        header = "X-Telegram-Bot-Api-Secret-Token"
        return [{header: value} for value in ("", "x", Telegram.SECRET[:-1], Telegram.SECRET + "x", Telegram.TOKEN)]


# ------------------------------------------------------------------ what only Telegram has


def test_a_pressed_button_comes_to_rest_and_is_taken_while_it_is_on_offer(at: Installation, arrive: Arrive) -> None:
    person = arrive()
    person.say("/start")
    old = person.buttons(person.heard()[-1])["How is it treated?"]
    before = len(at.platform.calls)
    (answer,) = person.told(person.press(old))
    assert "Runner’s Knee Treatment" in person.text(answer)
    rest, _ = at.platform.calls[before:]
    assert rest.path.endswith("/answerCallbackQuery")
    assert rest.body["callback_query_id"] == str(person.updates)
    person.say("What causes runner's knee?")
    (answer,) = person.told(person.press(old))
    assert "I can tell you what runner's knee is" in person.text(answer)


def test_a_button_of_plain_words_does_not_speak_once_it_is_old(arrive: Arrive) -> None:
    person = arrive()
    for text in (f"book me a visit, Ana Ruizinska, {PHONE}, any weekday morning", "skip"):
        said = person.say(text)
    assert "What is it about?" in said
    reason = person.buttons(person.heard()[-1])["Runner's knee"]
    assert "Shall I send it" in person.choose("Skip")
    (answer,) = person.told(person.press(reason))
    assert "About:" not in person.text(answer)
    assert "Your reference is" not in person.text(answer)


def test_an_album_is_one_message(at: Installation, arrive: Arrive) -> None:
    person = arrive()
    photos = [{"file_id": "AgAC", "file_unique_id": "AQAD", "width": 90, "height": 67}]
    for _ in range(5):
        update = person.message("")
        del update["message"]["text"]
        update["message"] |= {"media_group_id": f"13{person.id}", "photo": photos}
        person.post(update)
    at.settle()
    (answer,) = person.heard()
    assert "I can only read words" in person.text(answer)


def test_that_only_words_can_be_read_is_said_once(at: Installation, arrive: Arrive) -> None:
    person = arrive()
    for name in ("media: sticker", "media: voice", "media: location"):
        person.told(person.anew(PAYLOADS[name]["payload"]))
    (answer,) = person.heard()
    assert "I can only read words" in person.text(answer)
    assert "Source:" in person.say("What is runner's knee?")


def test_a_group_gets_a_reply_to_the_message_and_the_emergency_number(arrive: Arrive) -> None:
    person = arrive()
    update = person.anew(PAYLOADS["groups: reply to the bot"]["payload"])
    (answer,) = person.told(update)
    assert answer.body["chat_id"] == update["message"]["chat"]["id"]
    assert answer.body["reply_parameters"]["message_id"] == update["message"]["message_id"]
    assert the_clinic().emergency_number in person.text(answer)


def test_people_in_a_group_and_in_private_do_not_share_a_conversation(at: Installation, arrive: Arrive) -> None:
    person = arrive()
    person.say("book a visit")
    person.told(person.anew(PAYLOADS["groups: mention"]["payload"]))
    assert "reach you?" in person.say("Ana Ruizinska")


def test_markup_and_the_source_line_are_telegrams_own(arrive: Arrive) -> None:
    person = arrive()
    person.say("What is runner's knee?")
    (call,) = person.heard()
    assert call.body["parse_mode"] == "HTML"
    assert re.search(r"\n<i>Source: “What Is Runner’s Knee\?”, reviewed by [^<]+</i>$", call.body["text"])
    assert "<b>" not in person.say("<b>book a visit</b> & more")


def test_retry_after_stands_in_the_body_too(at: Installation, arrive: Arrive) -> None:
    limited = at.platform.limited(2)
    at.platform.script = [Answer(429, limited.body)]
    before = len(at.platform.calls)
    arrive().say("What is runner's knee?")
    first, second = at.platform.calls[before:]
    assert second.at - first.at >= 2


# ------------------------------------------------------------------ registering


PUBLIC = "https://chat.clinic.example"


@pytest.fixture
def telegram(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telegram]:
    with Telegram() as platform:
        for name, value in {**platform.environment(), "PUBLIC_URL": f"{PUBLIC}/"}.items():
            monkeypatch.setenv(name, value)
        yield platform


def test_registering_tells_telegram_the_address_and_may_be_repeated(telegram: Telegram) -> None:
    command = [sys.executable, "-m", "assistant.messaging", "register", "telegram"]
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    address = f"{PUBLIC}/webhooks/telegram/webhook"
    assert address in done.stdout
    assert telegram.webhook == {"url": address, "allowed_updates": ["message", "callback_query"]}
    assert telegram.calls[0].body["secret_token"] == Telegram.SECRET


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", ""),
        ("PUBLIC_URL", "http://chat.clinic.example"),
        ("TELEGRAM_BOT_TOKEN", ""),
        ("TELEGRAM_WEBHOOK_SECRET", ""),
        ("TELEGRAM_WEBHOOK_SECRET", "two words"),
        ("TELEGRAM_BOT_TOKEN", "7000001:AAnot-the-token"),
        ("TELEGRAM_API_URL", "http://127.0.0.1:9"),
    ],
)
def test_what_keeps_from_registering_is_one_sentence(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["register", "telegram"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"[A-Z][^\n]+\.\n", said.err)
    assert "AA" not in said.err
    assert telegram.webhook == {}


@pytest.mark.parametrize("platform", ["messenger", "slack", "twilio"])
def test_where_there_is_no_call_it_says_what_to_enter(
    telegram: Telegram, capsys: pytest.CaptureFixture[str], platform: str
) -> None:
    assert main(["register", platform]) == 0
    assert f"{PUBLIC}/webhooks/{platform}/webhook" in capsys.readouterr().out


def test_an_unknown_platform_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["register", "pigeon"])
    assert "pigeon" in capsys.readouterr().err


def test_a_channel_with_a_missing_secret_does_not_start_and_says_which(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for channel in (TelegramChannel, MessengerChannel, SlackChannel):
        for name in channel.REQUIRED:
            monkeypatch.delenv(name, raising=False)
        assert not channel.from_credentials(None).settings
        assert caplog.text == ""
        for missing in channel.REQUIRED:
            for name in channel.REQUIRED:
                monkeypatch.setenv(name, "" if name == missing else "a-secret-value")
            assert not channel.from_credentials(None).settings
            assert missing in caplog.text
            assert "a-secret-value" not in caplog.text
            caplog.clear()
