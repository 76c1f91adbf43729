"""What the channel of every messaging platform must do; a test module makes a class of its own from `Journeys`."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.channels.people import Installation, Person, recorded
from tests.support.platforms import CLOSE, Answer, Call

WORDS = {
    "answer": "Source:",
    "greeting": "I am the automated assistant of",
    "help": "I can tell you what runner's knee is",
    "only words": "I can only read words",
    "private please": "I only talk in private",
}
# Questions, and the section of the article that answers each. A section is not named again within four messages, so
# that there must be five of them for each answer to name its own however often they are asked.
QUESTIONS = {
    "What is runner's knee?": "What Is Runner’s Knee?",
    "What causes runner's knee?": "What Causes Runner’s Knee?",
    "How is runner's knee diagnosed?": "Runner’s Knee Symptoms",
    "Does runner's knee need surgery?": "Surgery for Runner’s Knee",
    "How is runner's knee treated?": "Runner’s Knee Treatment",
}
VISITOR, PHONE, SHOWN = "Ana Ruizinska", "949-555-0133", "(949) 555-0133"
# Several platforms share these tests, and examples do not depend on the server.
_NO_FAULTS = [HealthCheck.differing_executors, HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
QUIET = settings(derandomize=True, deadline=None, suppress_health_check=_NO_FAULTS)
MANY = settings(QUIET, max_examples=1000)
SOME = settings(QUIET, max_examples=300)

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=8), of, max_size=3),
    max_leaves=5,
)
nonsense = st.one_of(
    st.binary(max_size=200),
    anything.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [b"", b"{}", b"[" * 20_000, b'{"update_id":' + b"9" * 9000 + b"}", b"\xff\xfe", b"NaN", b"payload=%7B"]
    ),
)
header_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=90)


class Told:
    """What people were told to each kept payload, every one sent twice and by somebody else."""

    def __init__(self, at: Installation, arrive: Callable[[], Person], payloads: dict[str, dict[str, Any]]) -> None:
        self._payloads = payloads
        self._people = {name: arrive() for name in payloads}
        sent = {name: self._people[name].anew(case["payload"]) for name, case in payloads.items()}
        for _ in range(2):
            self._statuses = {
                name: self._people[name].post(sent[name], bool(case.get("form"))).status_code
                for name, case in payloads.items()
            }
            at.settle()

    def check(self, name: str) -> list[Call]:
        """Check that what was said to a payload is one message of the expected kind, or nothing; return it."""
        assert self._statuses[name] == 200
        person = self._people[name]
        said = [person.text(call) for call in person.heard()]
        reaction = self._payloads[name]["reaction"].split(" in the ")[0].split(" to the ")[0]
        assert len(said) == (reaction != "silence"), said
        assert all(WORDS[reaction] in text for text in said), said
        return person.heard()


def assert_answers(person: Person, questions: list[str]) -> None:
    """Check that a person was told the answers to these questions, one message each and in this order."""
    said = [person.text(call) for call in person.heard()]
    sections = [re.search("Source: “(.*?)”", text) for text in said]
    assert [found and found[1] for found in sections] == [QUESTIONS[question] for question in questions]


class Journeys:
    """Tests that take `at`, an installation, and `arrive`, which brings a new person."""

    PLATFORM: ClassVar[str]
    # What stands in the calls to a platform and in its environment and must never be logged.
    SECRETS: ClassVar[tuple[str, ...]]

    def _assert_answers(self, person: Person, questions: list[str]) -> None:
        assert_answers(person, questions)

    @pytest.fixture
    def person(self, arrive: Callable[[], Person]) -> Person:
        return arrive()

    # ------------------------------------------------------------------ conversations

    def test_a_whole_booking(self, at: Installation, person: Person) -> None:
        assert "I am the automated assistant" in person.say("hello")
        assert "What is your name?" in person.choose("Book a visit")
        assert "reach you?" in person.say(VISITOR)
        assert "suit you?" in person.say(PHONE)
        assert "before?" in person.say("any weekday morning")
        assert "What is it about?" in person.choose("No, I am new")
        read_back = person.choose("Skip")
        for line in (f"Name: {VISITOR}", f"Contact: {SHOWN}", "Would suit: any weekday morning", "Patient: new"):
            assert line in read_back
        assert "Your reference is" in person.choose("Send it")
        assert at.bookings() == 1

    def test_a_label_typed_back_is_its_button(self, person: Person) -> None:
        person.say("hello")
        assert "what is your name" in person.say("book a visit").lower()

    def test_no_payload_is_ever_shown(self, person: Person) -> None:
        person.say("hello")
        for call in person.heard():
            assert "/ask_" not in person.text(call)
            assert not any("/" in label for label in person.buttons(call))

    def test_a_long_message_is_answered_once(self, person: Person) -> None:
        assert person.say("my knee hurts when I run " * 200)

    # ------------------------------------------------------------------ once, in order, at once

    def test_a_repeated_delivery_is_answered_once(self, at: Installation, person: Person) -> None:
        message = person.message("What is runner's knee?")
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: person.post(message), range(4)))
        at.settle()
        assert {answer.status_code for answer in answers} == {200}
        assert person.told(message) == []
        assert len(person.heard()) == 1

    def test_a_burst_is_answered_in_order(self, at: Installation, person: Person) -> None:
        questions = list(QUESTIONS) * 2
        for question in questions:
            assert person.post(person.message(question)).status_code == 200
        at.settle()
        self._assert_answers(person, questions)

    def test_what_comes_out_of_order_is_answered_as_it_was_written(self, at: Installation, person: Person) -> None:
        messages = [person.message(question) for question in QUESTIONS]
        with ThreadPoolExecutor(len(messages)) as threads:
            list(threads.map(person.post, reversed(messages)))
        at.settle()
        self._assert_answers(person, list(QUESTIONS))

    def test_people_do_not_wait_for_each_other(self, at: Installation, arrive: Callable[[], Person]) -> None:
        people = [arrive() for _ in range(5)]
        for question in QUESTIONS:
            for person in people:
                person.post(person.message(question))
        at.settle()
        for person in people:
            self._assert_answers(person, list(QUESTIONS))

    # ------------------------------------------------------------------ platforms that are busy, slow or away

    def test_a_busy_platform_is_left_alone_for_as_long_as_it_asks(self, at: Installation, person: Person) -> None:
        at.platform.script = [at.platform.limited(2)]
        before = len(at.platform.calls)
        assert "Source:" in person.say("What is runner's knee?")
        first, second = at.platform.calls[before:]
        assert second.at - first.at >= 2
        assert first.body == second.body

    def test_a_faulty_platform_is_asked_again(self, at: Installation, person: Person) -> None:
        at.platform.script = [Answer(502, "<html>Bad Gateway</html>"), CLOSE]
        assert "Source:" in person.say("What is runner's knee?")

    def test_the_webhook_does_not_wait_for_a_slow_platform(self, at: Installation, person: Person) -> None:
        at.platform.script = [1.5]
        assert person.post(person.message("What is runner's knee?")).status_code == 200
        assert person.heard() == []
        at.settle()
        assert len(person.heard()) == 1

    def test_a_platform_that_is_away_gets_the_answer_once_it_is_back(self, at: Installation, person: Person) -> None:
        with at.platform.away():
            assert person.post(person.message("What is runner's knee?")).status_code == 200
            assert person.post(person.message("What causes runner's knee?")).status_code == 200
        at.settle()
        self._assert_answers(person, list(QUESTIONS)[:2])

    def refusal(self, at: Installation) -> Answer:
        """Return how the platform says that a person cannot be written to."""
        raise NotImplementedError

    def test_a_refusal_is_final_and_logged_without_words(self, at: Installation, person: Person) -> None:
        at.platform.script = [self.refusal(at)]
        before, log = len(at.platform.calls), len(at.log())
        assert person.told(person.message("What is runner's knee?")) == []
        assert len(at.platform.calls) == before + 1
        assert at.log()[log:].count("was not delivered") == 1
        assert "Source:" in person.say("What causes runner's knee?")

    # ------------------------------------------------------------------ who may speak

    def forgeries(self, person: Person, body: bytes) -> list[dict[str, str]]:
        """Return headers that do not prove a body."""
        raise NotImplementedError

    def test_what_is_not_proven_is_refused(self, at: Installation, person: Person) -> None:
        body = json.dumps(person.message("my secret sorrow")).encode()
        before = at.taken()
        for headers in [{}, *self.forgeries(person, body)]:
            log = len(at.log())
            assert person.post_raw(body, headers).status_code == 403, headers
            assert re.fullmatch(r"[^\n]+ webhook was refused: [^\n]+\n", at.log()[log:])
        assert "sorrow" not in at.log()
        assert at.taken() == before
        at.settle()
        assert person.heard() == []

    def test_a_body_beyond_all_measure_is_not_read(self, at: Installation, person: Person) -> None:
        body = json.dumps(person.message("knee " * 100_000)).encode()
        before = at.taken()
        assert person.post_raw(body, person.sign(body)).status_code == 413
        assert at.taken() == before

    @given(body=nonsense, header=header_values)
    @MANY
    def test_unsigned_nonsense_by_the_thousand_is_refused(
        self, at: Installation, stranger: Person, connection: requests.Session, body: bytes, header: str
    ) -> None:
        headers = dict.fromkeys(stranger.sign(b""), header) if header else {}
        before = at.taken()
        answer = connection.post(stranger.url, data=body, headers=headers, timeout=30)
        assert answer.status_code == 403
        assert at.taken() == before

    @given(body=nonsense)
    @SOME
    def test_signed_nonsense_harms_nobody(
        self, at: Installation, stranger: Person, connection: requests.Session, body: bytes
    ) -> None:
        headers = {"Content-Type": "application/json", **stranger.sign(body)}
        assert connection.post(stranger.url, data=body, headers=headers, timeout=30).status_code in (200, 403)

    @given(data=st.data())
    @SOME
    def test_known_payloads_with_strange_values_harm_nobody(
        self, at: Installation, stranger: Person, connection: requests.Session, data: st.DataObject
    ) -> None:
        case = data.draw(st.sampled_from(list(recorded(self.PLATFORM).values())))
        payload = stranger.anew(case["payload"])
        *way, last = data.draw(st.sampled_from(list(_ways(payload))))
        place = payload
        for step in way:
            place = place[step]
        place[last] = data.draw(anything)
        body, headers = stranger.encode(payload, bool(case.get("form")))
        assert connection.post(stranger.url, data=body, headers=headers, timeout=30).status_code == 200

    @pytest.fixture(scope="class")
    def connection(self) -> requests.Session:
        return requests.Session()

    @pytest.fixture(scope="class")
    def stranger(self, at: Installation, arrive: Callable[[], Person]) -> Any:
        """Somebody who sends nonsense; afterwards the assistant still answers."""
        yield arrive()
        at.settle()
        assert "Source:" in arrive().say("What is runner's knee?")

    def test_nothing_personal_stands_in_the_logs(self, at: Installation) -> None:
        at.settle()
        log = at.log()
        for personal in (*self.SECRETS, "Annika", "annika", "Rudolfsen", "Ruizinska", PHONE, SHOWN, "9495550133"):
            assert personal not in log
        assert "runner's knee?" not in log


def _ways(payload: Any, way: tuple[Any, ...] = ()) -> Any:
    """Yield the way to each value in a payload, as keys and places."""
    steps = payload.items() if isinstance(payload, dict) else enumerate(payload) if isinstance(payload, list) else ()
    for step, value in steps:
        yield (*way, step)
        yield from _ways(value, (*way, step))
