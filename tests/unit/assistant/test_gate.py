"""What every message passes."""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import pytest
from rasa.core.agent import Agent
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.shared.core.events import ActiveLoop, BotUttered, Event, Restarted, SlotSet, UserUttered
from rasa.shared.core.slots import AnySlot
from rasa.shared.core.trackers import DialogueStateTracker

from assistant import choices
from assistant.gate import LONGEST_MESSAGE, Gate, clean, latest_answer, stated
from assistant.nlu.alarms import AFTER_KEY
from assistant.nlu.signs import SIGN_KEY
from assistant.rasa.lock_store import ProcessLocks
from clinic.intents import ASK_HELP, NO_WORDS
from clinic.profile import the_clinic
from service.database import StoreUnavailable

SENDER = "rest:ana"


class FakeAgent:
    """An agent that understands what it is told to, and answers each turn with the intent's name.

    Attributes:
        questions: what `parse_message` finds beside the first intent, and `also` what else it says of a message.
        events: the conversation so far.
        handle: what happens at each turn instead of an answer.
        answered: what the turns of a message said before, by the message's id.
    """

    def __init__(self, *events: Event, questions: list[dict[str, Any]] | None = None) -> None:
        self.questions = questions
        self.also: dict[str, Any] = {}
        self.events = list(events)
        self.handle: Callable[[UserMessage], Awaitable[None]] = self._answer
        self.parsed: list[str] = []
        self.handled: list[UserMessage] = []
        self.answered: dict[str, list[list[dict[str, Any]]]] = {}
        self.processor = self.tracker_store = self
        self.domain = None
        self.lock_store = ProcessLocks()

    async def said(self, _sender: str, message: str) -> list[list[dict[str, Any]]]:
        return self.answered.get(message, [])

    async def parse_message(self, message: UserMessage) -> dict[str, Any]:
        self.parsed.append(message.text)
        understood = {"text": message.text, "intent": {"name": "ask_causes"}, "entities": [], **self.also}
        return understood | ({"questions": self.questions} if self.questions else {})

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        slots = [AnySlot(name, mappings=[]) for name in ("booking_status", "care")]
        return DialogueStateTracker.from_events(sender_id, self.events, slots=slots) if self.events else None

    async def fetch_tracker_and_update_session(self, sender_id: str, *_others: Any) -> DialogueStateTracker:
        slots = [AnySlot(name, mappings=[]) for name in ("booking_status", "care", "urgent", "requested_slot")]
        return DialogueStateTracker.from_events(sender_id, self.events, slots=slots)

    async def save_tracker(self, tracker: DialogueStateTracker) -> None:
        self.events = list(tracker.events)

    async def handle_message(self, message: UserMessage) -> None:
        self.handled.append(message)
        await self.handle(message)

    @property
    def intents(self) -> list[str]:
        return [message.parse_data["intent"]["name"] for message in self.handled]

    async def _answer(self, message: UserMessage) -> None:
        await message.output_channel.send_response(message.sender_id, {"text": message.parse_data["intent"]["name"]})


_in_use: dict[str, FakeAgent | None] = {}


@lru_cache
def _gate(seconds: float) -> Gate:
    return Gate(lambda: _in_use["agent"], seconds)  # type: ignore[arg-type, return-value]


async def said(
    text: str | None, agent: FakeAgent | None, seconds: float = 30, sender: str = SENDER, message: str | None = None
) -> list[str]:
    """Send a text through a gate and return what was said."""
    output = CollectingOutputChannel()
    _in_use["agent"] = agent
    await _gate(seconds)(UserMessage(text, output, sender, input_channel="rest", message_id=message))
    return [message["text"] for message in output.messages]


def is_apology(words: list[str]) -> bool:
    clinic = the_clinic()
    return len(words) == 1 and "sorry" in words[0] and clinic.phone in words[0] and clinic.emergency_number in words[0]


def asked(message: str) -> UserUttered:
    """Return a turn; those of one message bear its id."""
    return UserUttered(message, message_id=message)


def offered(tracker: DialogueStateTracker) -> list[str]:
    return [button["payload"] for button in choices.offer(latest_answer(tracker))]


def offer(*payloads: str) -> BotUttered:
    return BotUttered("Which?", {"buttons": [{"title": payload, "payload": payload} for payload in payloads]})


# ---------------------------------------------------------------- cleaning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what is it?", "what is it?"),
        ("  what\tis\r\n it?\u2028 ", "what is it?"),
        ("wh\u200bat\u202e is\x00it", "what is it"),
        ("\x1b[31mred", "[31mred"),
        ("ｗｈａｔ", "what"),
        ("ﬁne", "fine"),
        ("\ud800knee\udfff", "knee"),
        ("\ue000knee", "knee"),
        ("¿qué?", "¿qué?"),
        ("我的膝盖", "我的膝盖"),
        ("<b>what</b>", "<b>what</b>"),
        ("🏃 ok", "🏃 ok"),
        ("10", "10"),
        ("", ""),
        (" \t\n\u00a0\u3000", ""),
        ("\x00\x07\u200d", ""),
        ("?!...", ""),
        ("🦵🔥", ""),
        ("\ud83d", ""),
    ],
)
def test_a_message_becomes_one_line_of_readable_words(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("👍", "yes"),
        ("👍🏽", "yes"),
        ("👎!!", "no"),
        ("👋", "hello"),
        ("🙏🙏", "thank you"),
        ("❤️", "thank you"),
        ("👌", "ok"),
    ],
)
def test_an_emoji_that_says_something_is_read(text: str, words: str) -> None:
    assert clean(text) == words


def test_an_emoji_beside_words_says_nothing_more() -> None:
    assert clean("what causes it 👍") == "what causes it 👍"


@pytest.mark.parametrize("text", ["yes\u0301" * 500, "ﷺ" * 10_000, "a" * 10_000, "🦵" * 10_000, "\u200b" * 10_000])
async def test_a_long_or_strange_message_is_answered(text: str) -> None:
    agent = FakeAgent()
    assert len(await said(text, agent)) == 1
    assert all(len(message.text or "") <= LONGEST_MESSAGE for message in agent.handled)


async def test_who_begins_is_greeted_without_words_to_be_understood() -> None:
    agent, output = FakeAgent(), CollectingOutputChannel()
    message = UserMessage(None, output, "rest:ana", parse_data=stated("greet"), input_channel="rest")
    await Gate(lambda: agent)(message)
    (turn,) = agent.handled
    assert turn.parse_data["intent"]["name"] == "greet"


# ---------------------------------------------------------------- who it is


@pytest.mark.parametrize("sender", ["rest:ana", "web:A-b_c.9", f"sms:{'1' * 100}"])
async def test_an_id_of_a_channel_is_taken(sender: str) -> None:
    assert await said("hi there", FakeAgent(), sender=sender) == ["ask_causes"]


@pytest.mark.parametrize(
    "sender",
    [
        *("", "default", "ana", "rest:", ":ana", "REST:ana", "rest:a b", "rest:a\x00", "rest:a\n", "rest:\ud800"),
        *("rest:é", "rest:a:b", "rest:../x", f"rest:{'1' * 101}", "rest:a'--"),
    ],
)
async def test_any_other_id_is_refused(sender: str) -> None:
    agent = FakeAgent()
    with pytest.raises(ValueError, match="channel:id"):
        await said("hi there", agent, sender=sender)
    assert agent.handled == []


# ---------------------------------------------------------------- what it asks


@pytest.mark.parametrize("text", [None, "", "  ", "\x00", "🦵", "?!"])
async def test_a_message_without_words_is_an_intent_of_its_own(text: str | None) -> None:
    agent = FakeAgent()
    await said(text, agent)
    assert (agent.intents, agent.parsed) == ([NO_WORDS], [])


async def test_two_questions_are_two_turns_in_their_order() -> None:
    questions = [{"text": name, "intent": {"name": name}} for name in ("ask_treatments", "ask_causes")]
    agent = FakeAgent(questions=questions)
    assert await said("how is it treated and what causes it", agent) == ["ask_treatments", "ask_causes"]
    assert [message.text for message in agent.handled] == ["ask_treatments", "ask_causes"]


async def test_a_message_that_was_answered_is_answered_alike_and_not_gone_through_again() -> None:
    agent = FakeAgent()
    agent.answered["message-1"] = [[{"text": "as before"}, {"text": "and more"}]]
    assert await said("what causes it", agent, message="message-1") == ["as before", "and more"]
    assert not agent.handled
    assert await said("what causes it", agent, message="message-2") == ["ask_causes"]


async def test_of_two_questions_only_the_one_that_was_not_answered_is() -> None:
    agent = FakeAgent(questions=[{"intent": {"name": "ask_causes"}}, {"intent": {"name": "ask_treatments"}}])
    agent.answered["message-1"] = [[{"text": "the causes"}]]
    assert await said("what causes it, what helps", agent, message="message-1") == ["the causes", "ask_treatments"]
    assert agent.intents == ["ask_treatments"]


async def test_the_questions_of_a_message_are_answered_before_the_next_message() -> None:
    two = FakeAgent(questions=[{"intent": {"name": "ask_causes"}}, {"intent": {"name": "ask_treatments"}}])

    async def answer_slowly(_message: UserMessage) -> None:
        await asyncio.sleep(0.05)

    two.handle = answer_slowly
    await asyncio.gather(said("first", two), said("second", two))
    texts = [message.message_id for message in two.handled]
    assert texts[0] == texts[1] != texts[2] == texts[3]


async def test_of_a_long_message_the_end_is_read() -> None:
    agent = FakeAgent()
    await said(f"{'a long story ' * 200}what causes it?", agent)
    assert agent.parsed[0].endswith("what causes it?")
    assert len(agent.parsed[0]) == LONGEST_MESSAGE


@pytest.mark.parametrize("before", ["", "I run a lot. " * 100, "I ran a marathon last year. "])
async def test_a_sign_of_an_emergency_anywhere_in_a_long_message_is_seen(before: str) -> None:
    agent = FakeAgent()
    words = await said(f"{before}I can't put any weight on my leg. {'I like to run. ' * 100}what causes it?", agent)
    assert "today" in words[0]
    assert agent.handled == []


# ---------------------------------------------------------------- an emergency, and after it


async def held(*messages: tuple[str, dict[str, Any]], events: tuple[Event, ...] = (), message: str = "") -> FakeAgent:
    """Hold a conversation of texts and what is understood of each; `replies` of the agent are what was said to each."""
    agent = FakeAgent(*events)
    agent.replies = []  # type: ignore[attr-defined]
    for text, also in messages:
        agent.also = also
        agent.replies.append(await said(text, agent))  # type: ignore[attr-defined]
    return agent


CHEST = ("my chest hurts", {SIGN_KEY: "chest or breathing"})
CALF = ("my calf is hot and swollen", {SIGN_KEY: "clot"})
DESPAIR = ("i want to die", {SIGN_KEY: "self-harm"})
DOCTOR = ("the doctor says it is fine", {AFTER_KEY: ["seen_to", 0.95]})


def intent(name: str) -> dict[str, Any]:
    return {"intent": {"name": name}}


async def test_an_emergency_is_answered_before_any_policy_and_kept() -> None:
    agent = await held(CHEST)
    assert "call 911 now" in agent.replies[0][0]
    assert agent.handled == []
    assert [event.intent_name for event in agent.events if isinstance(event, UserUttered)] == ["ask_causes"]
    assert any(isinstance(event, BotUttered) for event in agent.events)


async def test_an_emergency_pauses_the_booking() -> None:
    agent = await held(CALF, events=(asked("book"), FORM))
    assert "your booking waits" in agent.replies[0][1].lower()
    assert SlotSet("booking_status", "paused") in agent.events
    assert ActiveLoop(None) in agent.events


@pytest.mark.parametrize(
    "name", ["ask_exercises", "thank", "affirm", "deny", "greet", "nlu_fallback", "describe_symptoms"]
)
@pytest.mark.parametrize("sign", [CHEST, CALF, DESPAIR])
async def test_after_an_emergency_the_care_is_said_again_in_other_words(name: str, sign: Any) -> None:
    agent = await held(sign, *[("whatever", intent(name))] * 3)
    assert len({words for (words,) in agent.replies}) == 4
    assert all(re.search("911|988|today", words) for (words,) in agent.replies)
    assert agent.handled == []


@pytest.mark.parametrize("meaning", ["seen_to", "on_the_way", "mistaken"])
async def test_the_care_ends_when_it_is_seen_to(meaning: str) -> None:
    agent = await held(CALF, ("we are there", {AFTER_KEY: [meaning, 0.9]}), ("what causes it", {}))
    assert re.search("glad|good", agent.replies[1][0], re.IGNORECASE)
    assert agent.replies[2] == ["ask_causes"]


async def test_what_is_hardly_sure_ends_nothing() -> None:
    agent = await held(CALF, ("mm", {AFTER_KEY: ["seen_to", 0.4]}))
    assert "today" in agent.replies[1][0]


async def test_a_question_to_the_desk_is_answered_after_the_care() -> None:
    agent = await held(CALF, ("where are you", intent("ask_clinic_admin")))
    assert "today" in agent.replies[1][0]
    assert agent.replies[1][1] == "ask_clinic_admin"


async def test_after_words_of_self_harm_there_is_nothing_else() -> None:
    agent = await held(DESPAIR, ("where are you", intent("ask_clinic_admin")), ("book me", intent("book_appointment")))
    assert [len(reply) for reply in agent.replies] == [1, 1, 1]
    assert all("988" in reply[0] for reply in agent.replies)


@pytest.mark.parametrize("text", ["continue", "can we resume", "ok go on with it"])
async def test_a_paused_booking_goes_on(text: str) -> None:
    agent = await held(CALF, (text, intent("affirm")), events=(asked("book"), FORM))
    assert agent.replies[1][-1] == "book_appointment"


async def test_a_booking_goes_on_once_the_sign_is_seen_to() -> None:
    agent = await held(CALF, DOCTOR, ("tuesday at 3", intent("inform")), events=(asked("book"), FORM))
    assert agent.replies[2] == ["book_appointment"]


ORDER = ["self-harm", "violence", "chest or breathing", "clot"]


@pytest.mark.parametrize(("first", "second"), itertools.product(ORDER, ORDER))
async def test_the_graver_sign_keeps_its_words(first: str, second: str) -> None:
    agent = await held(("a", {SIGN_KEY: first}), ("b", {SIGN_KEY: second}), ("c", intent("thank")))
    graver = min(first, second, key=ORDER.index)
    number = {"self-harm": "988", "violence": "1-800-799", "clot": "today"}.get(graver, "911")
    assert number in agent.replies[2][0]


@pytest.mark.parametrize("name", ["stop", "inform", "ask_exercises"])
async def test_a_grave_meaning_beats_stop_form_and_topic(name: str) -> None:
    for sign in ORDER:
        agent = await held(("text", {SIGN_KEY: sign, **intent(name)}), events=(asked("book"), FORM))
        assert agent.handled == []
        assert re.search("911|988", agent.replies[0][0])


async def test_where_the_conversation_cannot_be_kept_the_care_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_arguments: Any) -> None:
        raise StoreUnavailable("OperationalError")

    agent = FakeAgent()
    monkeypatch.setattr(agent, "retrieve", fails)
    monkeypatch.setattr(agent, "said", fails)
    agent.also = {SIGN_KEY: "clot"}
    assert "today" in (await said("my calf is hot", agent, sender="rest:outage"))[0]
    agent.also = {}
    assert "today" in (await said("so can i run", agent, sender="rest:outage"))[0]
    assert is_apology(await said("so can i run", agent, sender="rest:other"))


# ---------------------------------------------------------------- what nobody may trigger by typing it


async def test_a_button_of_the_latest_offer_is_pressed() -> None:
    agent = FakeAgent(asked("hi"), offer("/ask_causes", "/deny"))
    assert await said("/deny", agent) == ["deny"]
    assert agent.parsed == []


async def test_a_button_of_an_earlier_offer_is_not() -> None:
    agent = FakeAgent(asked("hi"), offer("/deny"), asked("more"), offer("/affirm"))
    assert await said("/deny", agent) == [ASK_HELP]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "/restart",
            "/session_start",
            "/back",
            "/ask_causes",
            "//restart",
            "/ restart",
            "／restart",
            "\u200b/restart",
        ),
        *('/inform{"booking_name": "Eve"}', "/ask_causes{", "  /restart  ", "/affirm"),
    ],
)
async def test_a_typed_command_asks_for_help(text: str) -> None:
    agent = FakeAgent(asked("hi"), offer("/deny"))
    assert await said(text, agent) == [ASK_HELP]
    assert [message.text for message in agent.handled] == [""]


@pytest.mark.parametrize("text", ["/what causes it?", "// /what causes it?", "/affirm or /deny, which", "/affirm@1.0"])
async def test_words_after_a_slash_are_read_without_it(text: str) -> None:
    agent = FakeAgent(asked("hi"), offer("/affirm"))
    await said(text, agent)
    assert not agent.parsed[0].startswith("/")


@pytest.mark.parametrize("gap", ["", " "])
async def test_a_command_at_the_cut_of_a_long_message_is_not_read_as_one(gap: str) -> None:
    agent = FakeAgent()
    start, end = gap + '/restart{"a": "', '"}'
    await said("x" + start + "a" * (LONGEST_MESSAGE - len(start) - len(end)) + end, agent)
    assert not agent.parsed[0].strip().startswith("/")


def test_the_latest_offer_is_that_of_the_latest_turn_with_buttons() -> None:
    events = [asked("a"), offer("/one"), asked("b"), offer("/two"), offer("/three"), asked("c"), BotUttered("bye")]
    tracker = DialogueStateTracker.from_events(SENDER, events)
    assert set(offered(tracker)) == {"/two", "/three"}
    assert offered(DialogueStateTracker.from_events(SENDER, [])) == []


def test_both_answers_to_two_questions_of_one_message_offer_buttons() -> None:
    events = [asked("a"), offer("/one"), asked("b"), offer("/two"), asked("b"), offer("/three"), asked("c")]
    tracker = DialogueStateTracker.from_events(SENDER, events)
    assert set(offered(tracker)) == {"/two", "/three"}


def test_a_restart_offers_its_own_buttons_alone() -> None:
    events = [asked("a"), offer("/one"), asked("restart"), offer("/two"), Restarted()]
    assert offered(DialogueStateTracker.from_events(SENDER, events)) == ["/two"]


# ---------------------------------------------------------------- choices that are typed


class Numbered(CollectingOutputChannel):
    """A channel that shows buttons as a numbered list."""

    def has_numbers(self, _buttons: list[Any]) -> bool:
        return True


YES_OR_NO = BotUttered(
    "Before?", {"buttons": [{"title": "Yes, I have", "payload": "/affirm"}, {"title": "Skip it", "payload": "skip"}]}
)
FORM = ActiveLoop("booking_form")


async def chosen(text: str, *events: Event, numbered: bool = True) -> list[str]:
    """Return the intents and the words that the turns of a typed text are about."""
    agent = FakeAgent(*events)
    _in_use["agent"] = agent
    output = Numbered() if numbered else CollectingOutputChannel()
    await _gate(30)(UserMessage(text, output, SENDER, input_channel="rest"))
    return [message.parse_data["intent"]["name"] for message in agent.handled] + agent.parsed


@pytest.mark.parametrize("text", ["1", "1.", "number 1", "Yes, I have", "yes i have!"])
async def test_a_number_or_a_label_typed_back_is_the_choice(text: str) -> None:
    assert await chosen(text, asked("hi"), YES_OR_NO) == ["affirm"]
    assert await chosen(text, asked("hi"), FORM, YES_OR_NO) == ["affirm"]


@pytest.mark.parametrize("text", ["2", "skip it"])
async def test_a_choice_of_words_is_read_as_those(text: str) -> None:
    assert await chosen(text, asked("hi"), YES_OR_NO) == ["ask_causes", "skip"]


async def test_a_number_is_words_where_buttons_are_shown_or_too_few() -> None:
    assert await chosen("1", asked("hi"), YES_OR_NO, numbered=False) == ["ask_causes", "1"]
    assert await chosen("3", asked("hi"), YES_OR_NO) == ["ask_causes", "3"]
    assert await chosen("yes i have", asked("hi"), YES_OR_NO, numbered=False) == ["affirm"]


async def test_a_number_counts_through_both_answers_to_one_message() -> None:
    assert await chosen("3", asked("b"), offer("/one"), asked("b"), offer("/two", "/three"), offer("/one")) == ["three"]


async def test_only_the_latest_offer_is_chosen_from() -> None:
    assert await chosen("2", asked("hi"), offer("/one", "/two"), asked("more"), offer("/three")) == ["ask_causes", "2"]
    assert await chosen("1", asked("hi"), offer("/one"), asked("bye"), BotUttered("Goodbye.")) == ["one"]


@pytest.mark.parametrize("said", [[BotUttered("When?")], [offer("/one", "/two"), BotUttered("When?")]])
async def test_while_a_form_waits_for_words_a_number_is_an_answer_to_it(said: list[Event]) -> None:
    assert await chosen("2", asked("hi"), offer("/one", "/two"), asked("book"), FORM, *said) == ["ask_causes", "2"]


@pytest.mark.parametrize(("events", "intent"), [((FORM,), "stop"), ((), "restart")])
async def test_a_typed_restart_reaches_an_open_form_as_a_wish_to_stop(events: tuple[Event, ...], intent: str) -> None:
    agent = FakeAgent(asked("book"), *events, questions=[{"text": "new", "intent": {"name": "restart"}}])
    await said("new", agent)
    assert (agent.intents, agent.handled[0].text) == ([intent], "new")


@pytest.mark.parametrize(
    ("text", "events", "intent"),
    [
        ("cancel my request", (FORM,), "stop"),
        ("cancel my request", (), "ask_booking_status"),
        ("did it go through", (FORM,), "ask_booking_status"),
    ],
)
async def test_an_open_form_is_what_is_cancelled(text: str, events: tuple[Event, ...], intent: str) -> None:
    agent = FakeAgent(asked("hi"), *events, questions=[{"text": text, "intent": {"name": "ask_booking_status"}}])
    await said(text, agent)
    assert agent.intents == [intent]


@pytest.mark.parametrize(
    ("text", "events", "intent"),
    [
        ("ana@mail.com", (), "book_appointment"),
        ("Ann Lee, (949) 555-0133", (), "book_appointment"),
        ("friday morning", (), "inform"),
        ("ana@mail.com", (FORM,), "inform"),
        ("my number is 949-555-0133", (SlotSet("booking_status", "sent"),), "inform"),
    ],
)
async def test_a_contact_told_out_of_a_form_is_a_wish_for_a_visit(
    text: str, events: tuple[Event, ...], intent: str
) -> None:
    agent = FakeAgent(asked("hi"), *events, questions=[{"text": text, "intent": {"name": "inform"}}])
    await said(text, agent)
    assert (agent.intents, agent.handled[0].text) == ([intent], text)


# ---------------------------------------------------------------- never silence


async def _nothing(_message: UserMessage) -> None:
    pass


async def _endless(_message: UserMessage) -> None:
    await asyncio.Event().wait()


async def _fault(_message: UserMessage) -> None:
    raise KeyError("anything")


async def _no_store(_message: UserMessage) -> None:
    raise StoreUnavailable("OperationalError")


@pytest.mark.parametrize(("handle", "seconds"), [(_nothing, 30), (_endless, 0.01), (_fault, 30), (_no_store, 30)])
async def test_a_message_that_is_not_answered_gets_an_apology(
    handle: Callable[[UserMessage], Awaitable[None]], seconds: float
) -> None:
    agent = FakeAgent()
    agent.handle = handle
    assert is_apology(await said("what causes it", agent, seconds))


async def test_a_store_that_fails_while_a_button_is_looked_up_gets_an_apology(monkeypatch: pytest.MonkeyPatch) -> None:
    async def retrieve(_sender: str) -> None:
        raise StoreUnavailable("OperationalError")

    agent = FakeAgent()
    monkeypatch.setattr(agent, "retrieve", retrieve)
    assert is_apology(await said("/deny", agent))


@pytest.mark.parametrize(
    ("text", "words"),
    [("I want to die", "Please call or text 988 now"), ("my chest hurts", "Please call 911 now")],
)
async def test_where_nothing_works_an_emergency_is_still_told_where_help_is(text: str, words: str) -> None:
    (answer,) = await said(text, None, sender=f"rest:{len(text)}")
    assert words in answer


async def test_without_a_model_there_is_an_apology() -> None:
    assert is_apology(await said("what causes it", None))
    unloaded = FakeAgent()
    unloaded.processor = None  # type: ignore[assignment]
    assert is_apology(await said("what causes it", unloaded))


async def test_what_was_said_before_a_fault_is_kept() -> None:
    agent = FakeAgent()

    async def answer_then_fail(message: UserMessage) -> None:
        await message.output_channel.send_response(message.sender_id, {"text": "first"})
        raise KeyError("anything")

    agent.handle = answer_then_fail
    words = await said("what causes it", agent)
    assert words[0] == "first"
    assert is_apology(words[1:])


async def test_cancelling_is_not_swallowed() -> None:
    agent = FakeAgent()
    agent.handle = _endless
    task = asyncio.create_task(said("what causes it", agent))
    while not agent.handled:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_agent_is_asked_for_at_each_message() -> None:
    agents: list[FakeAgent] = [FakeAgent(), FakeAgent()]
    given = iter(agents)

    def agent() -> Agent | None:
        return next(given)  # type: ignore[return-value]

    gate = Gate(agent)
    for _ in agents:
        await gate(UserMessage("hi there", CollectingOutputChannel(), SENDER, input_channel="rest"))
    assert [len(each.handled) for each in agents] == [1, 1]
