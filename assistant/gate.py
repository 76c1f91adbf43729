"""The gate: what every message of every channel passes before it becomes a turn of a conversation."""

import asyncio
import itertools
import logging
import re
import time
import unicodedata
from collections.abc import Callable
from typing import Any

import structlog
from prometheus_client import Counter
from rasa.core.actions.action import create_bot_utterance
from rasa.core.agent import Agent
from rasa.core.channels.channel import OutputChannel, UserMessage
from rasa.shared.core.constants import ACTION_LISTEN_NAME, REQUESTED_SLOT
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, BotUttered, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ENTITIES, INTENT, INTENT_NAME_KEY, PREDICTED_CONFIDENCE_KEY, TEXT
from sanic import Sanic

from assistant import metrics
from assistant.care import CARE_SLOT, Care, Reply
from assistant.choices import Button, chosen, is_closed, offer, pressed
from assistant.context import turns_of
from assistant.nlu.signs import SIGN_KEY, the_signs
from assistant.rasa.tracker_store import reading_once
from assistant.responses import ClinicResponses
from clinic.articles import the_library
from clinic.intents import ASK_HELP, NO_WORDS, REPORT_RED_FLAG, UNSURE
from service.database import StoreUnavailable
from service.logs import turn_id

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 1000
SECONDS_TO_ANSWER = 4.5
_LONGEST_CHOICE = 120
_CONVERSATION_ID = re.compile(r"[a-z]+:[A-Za-z0-9._-]{1,100}")
_COMMAND = re.compile(r"/+\s*\w+\s*(\{.*)?", re.DOTALL)
_EMOJI_WORDS = {
    "👍": "yes",
    "👌": "ok",
    "✅": "yes",
    "👎": "no",
    "❌": "no",
    "👋": "hello",
    "🙏": "thank you",
    "❤": "thank you",
}


class NoModel(Exception):
    """The server has no model to answer with."""


class Gate:
    """Cleans a message, bounds its length and time, and never leaves it without an answer.

    It is what Rasa's channels call `on_new_message`; the agent is asked for at each message, since a channel is set up
    before there is one.
    """

    def __init__(self, agent: Callable[[], Agent | None], seconds: float = SECONDS_TO_ANSWER) -> None:
        self._agent = agent
        self._seconds = seconds
        self._responses = ClinicResponses(domain=Domain.from_dict(the_library().domain()))
        self._signs = the_signs()
        self._care = Care(self._signs)

    @classmethod
    def of(cls, app: Sanic) -> "Gate":
        """Return the one gate of a server, made when it is first asked for."""
        if not hasattr(app.ctx, "gate"):
            app.ctx.gate = cls(lambda: getattr(app.ctx, "agent", None))
        return app.ctx.gate

    async def __call__(self, message: UserMessage) -> None:
        """Answer a message through its output channel.

        Raises:
            ValueError: the conversation id is not "channel:id" of letters, digits, dots, dashes and underscores.
        """
        if not _CONVERSATION_ID.fullmatch(message.sender_id):
            raise ValueError("A conversation id must be channel:id.")
        with structlog.contextvars.bound_contextvars(turn=turn_id(message.sender_id, message.message_id)):
            await self._answer(message)

    async def _answer(self, message: UserMessage) -> None:
        channel, begun = message.input_channel, time.perf_counter()
        output = RecordingOutput(message.output_channel, metrics.SEND_FAILURES.labels(channel))
        message.output_channel = output
        metrics.MESSAGES.labels(channel).inc()
        cause: str | None = None
        fault: BaseException | None = None
        try:
            await asyncio.wait_for(self._turn(message), self._seconds)
        except TimeoutError:
            cause = "timeout"
        except StoreUnavailable as error:
            cause, fault = "store", error
        except NoModel:
            cause = "no_model"
        except Exception as error:
            cause, fault = "send" if output.has_failed else "other", error
        if not cause and not output.has_spoken:
            cause = "nothing_said"
        try:
            if cause and not output.has_cared:
                metrics.APOLOGIES.labels(cause).inc()
                await self._apologise(message)
        finally:
            seconds = time.perf_counter() - begun
            metrics.SECONDS.labels(channel).observe(seconds)
            about = {"channel": channel, "outcome": cause or "answered", "seconds": round(seconds, 3)}
            logger.log(logging.ERROR if cause else logging.INFO, "message", exc_info=fault, extra=about)

    async def _turn(self, message: UserMessage) -> None:
        text = clean(message.text or "")
        agent = self._agent()
        if agent is None or agent.processor is None:
            raise NoModel
        async with agent.lock_store.lock(message.sender_id), reading_once():
            # A message that comes again, since the server that answered it ended, is not gone through twice.
            said = await agent.tracker_store.said(message.sender_id, message.message_id)
            for words in itertools.chain(*said):
                await message.output_channel.send_response(message.sender_id, words)
            turns = await self._turns(text, message, agent)
            tracker = await agent.tracker_store.retrieve(message.sender_id)
            reply = None if said else self._care.reply(turns[0].parse_data, tracker, message.sender_id)
            if reply and not await self._cared(reply, turns[0], agent):
                return
            for turn in turns[len(said) :]:
                _count(turn)
                await agent.processor.handle_message(turn)

    async def _cared(self, reply: Reply, turn: UserMessage, agent: Agent) -> bool:
        """Say what care says to a turn, keep it in the conversation, and tell whether the turn goes on.

        The words need no more than the channel: where the conversation cannot be kept, they are remembered here.
        """
        for words in reply.words:
            await turn.output_channel.send_response(turn.sender_id, dict(words))
        turn.output_channel.has_cared = not reply.goes_on
        tracker = await agent.processor.fetch_tracker_and_update_session(
            turn.sender_id, turn.output_channel, turn.metadata
        )
        kept = SlotSet(CARE_SLOT, reply.warned and reply.warned.as_slot())
        if reply.goes_on:
            tracker.update(kept)
        else:
            _count(turn)
            tracker.update_with_events([*_told(turn, reply, tracker), kept], agent.domain)
        await agent.processor.save_tracker(tracker)
        return reply.goes_on

    async def _turns(self, text: str, message: UserMessage, agent: Agent) -> list[UserMessage]:
        """Return a message as the turns it makes: one for each of its questions."""
        if message.parse_data is not None:
            return [_turn_of(message, message.parse_data)]
        if not text:
            return [_turn_of(message, _understood("", NO_WORDS))]
        choice = await self._choice(text, message, agent)
        if choice and choice.startswith("/"):
            return [_turn_of(message, _understood(choice, choice.lstrip("/")))]
        text = choice or text
        if text.startswith("/"):
            if _COMMAND.fullmatch(text):
                return [_turn_of(message, _understood("", ASK_HELP))]
            return await self._turns(clean(text.lstrip("/ ")), message, agent)
        sign = self._signs.find(text) if len(text) > LONGEST_MESSAGE else None
        if sign:
            return [_turn_of(message, _understood(text[:LONGEST_MESSAGE], REPORT_RED_FLAG) | {SIGN_KEY: sign})]
        # Of a story that is too long, the end is where people ask.
        message.text = text[-LONGEST_MESSAGE:].lstrip("/ ")
        understood = await agent.processor.parse_message(message)
        tracker = await agent.tracker_store.retrieve(message.sender_id)
        return [_turn_of(message, turn) for turn in turns_of(understood, tracker)]

    async def _choice(self, text: str, message: UserMessage, agent: Agent) -> str | None:
        """Return the payload of a button of the latest offer that was pressed, or typed as its label or number."""
        if len(text) > _LONGEST_CHOICE:
            return None
        tracker = await agent.tracker_store.retrieve(message.sender_id)
        if tracker is None:
            return None
        said = latest_answer(tracker)
        payload = pressed(text, offer(said))
        # While a form waits for words, what is typed is an answer to it and not to something said before.
        if payload or (tracker.active_loop_name and not is_closed(_last_said(tracker))):
            return payload
        is_numbered = is_closed(said) and _has_numbers(message.output_channel, offer(said))
        return chosen(text, offer(said), is_numbered, is_in_sight=is_closed(said) and not tracker.active_loop_name)

    async def _apologise(self, message: UserMessage) -> None:
        """Say that something failed, or what care says to the message.

        This is said outside the conversation and leaves no trace in the tracker.
        """
        reply = await self.emergency(message)
        if reply:
            metrics.RED_FLAGS.inc(reply.is_alarm)
            words = reply.words
        else:
            tracker = DialogueStateTracker.from_events(message.sender_id, [])
            apology = await self._responses.generate("utter_apology", tracker, message.output_channel.name())
            words = [apology] if apology else []
        for each in words:
            await message.output_channel.send_response(message.sender_id, dict(each))

    async def emergency(self, message: UserMessage) -> Reply | None:
        """Return what care says to a message, by what this process alone can tell of it: no store, no quota."""
        text, agent = clean(message.text or ""), self._agent()
        if agent and agent.processor and text:
            part = UserMessage(text[-LONGEST_MESSAGE:], message.output_channel, message.sender_id)
            understood = await agent.processor.parse_message(part)
        else:
            understood = _understood(text, UNSURE)
        if not (agent and agent.processor) or len(text) > LONGEST_MESSAGE:
            understood = understood | {SIGN_KEY: self._signs.find(text) or understood.get(SIGN_KEY)}
        return self._care.without_store(understood, message.sender_id)


class RecordingOutput(OutputChannel):
    """An output channel that remembers whether anything was said through it, and counts what could not be."""

    def __init__(self, channel: OutputChannel, failures: Counter) -> None:
        self._channel = channel
        self._failures = failures
        self.has_spoken = False
        self.has_failed = False
        # Whether care has said all that is to be said.
        self.has_cared = False

    def name(self) -> str:
        return self._channel.name()

    def has_numbers(self, buttons: list[Button]) -> bool:
        return _has_numbers(self._channel, buttons)

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        try:
            await self._channel.send_response(recipient_id, message)
        except Exception:
            self.has_failed = True
            self._failures.inc()
            raise
        self.has_spoken = True


def _told(turn: UserMessage, reply: Reply, tracker: DialogueStateTracker) -> list[Event]:
    """Return a turn that care has answered as a conversation keeps it; an alarm pauses the booking."""
    understood = turn.parse_data
    events: list[Event] = [
        UserUttered(
            turn.text,
            understood[INTENT],
            understood.get(ENTITIES) or [],
            understood,
            input_channel=turn.input_channel,
            message_id=turn.message_id,
            metadata=turn.metadata,
        )
    ]
    if reply.is_alarm:
        events.append(SlotSet("urgent", True))
    if reply.is_alarm and tracker.active_loop_name:
        events += [ActiveLoop(None), SlotSet(REQUESTED_SLOT), SlotSet("booking_status", "paused")]
    for words in reply.words:
        events += [ActionExecuted(words["utter_action"]), create_bot_utterance(dict(words))]
    return [*events, ActionExecuted(ACTION_LISTEN_NAME)]


def _count(turn: UserMessage) -> None:
    intent = turn.parse_data[INTENT][INTENT_NAME_KEY]
    metrics.TURNS.labels(turn.input_channel).inc()
    if the_library().kind(intent) in metrics.REFUSED_KINDS:
        metrics.REFUSALS.labels(intent).inc()
    elif intent == UNSURE:
        metrics.FALLBACKS.inc()
    elif intent == REPORT_RED_FLAG:
        metrics.RED_FLAGS.inc()


def clean(text: str) -> str:
    """Return a text as one line of what a person can read, or "" when nothing in it can be."""
    text = unicodedata.normalize("NFKC", text.encode("utf-8", "ignore").decode("utf-8"))
    text = "".join(" " if unicodedata.category(character) in {"Cc", "Zl", "Zp"} else character for character in text)
    text = "".join(character for character in text if unicodedata.category(character) not in {"Cf", "Cs", "Co", "Cn"})
    text = re.sub(r"\s+", " ", text).strip()
    if not any(character.isalnum() for character in text):
        return next((words for emoji, words in _EMOJI_WORDS.items() if emoji in text), "")
    return text


def latest_answer(tracker: DialogueStateTracker) -> list[dict[str, Any]]:
    """Return what was said to the latest message that brought any buttons, each with its `buttons`."""
    answer: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    message, is_found = None, False
    for event in reversed(tracker.events):
        if isinstance(event, BotUttered):
            said.insert(0, event.data)
        elif isinstance(event, UserUttered):
            if is_found and (event.message_id is None or event.message_id != message):
                break
            # Two questions of one message are two turns with one id.
            if offer(said):
                message, is_found = event.message_id, True
            answer, said = (said + answer, []) if is_found else ([], [])
    return answer or said


def _last_said(tracker: DialogueStateTracker) -> list[dict[str, Any]]:
    said = next((event.data for event in reversed(tracker.events) if isinstance(event, BotUttered)), None)
    return [] if said is None else [said]


def _has_numbers(channel: OutputChannel, buttons: list[Button]) -> bool:
    """Tell whether a channel shows an offer with numbers; those that say nothing of it show buttons."""
    return bool(getattr(channel, "has_numbers", lambda _buttons: False)(buttons))


def stated(intent: str) -> dict[str, Any]:
    """Return the `parse_data` of a message that is no words of a person: one who begins, or asks a menu for help."""
    return _understood(f"/{intent}", intent)


def _understood(text: str, intent: str) -> dict[str, Any]:
    return {TEXT: text, INTENT: {INTENT_NAME_KEY: intent, PREDICTED_CONFIDENCE_KEY: 1.0}, ENTITIES: []}


def _turn_of(message: UserMessage, understood: dict[str, Any]) -> UserMessage:
    return UserMessage(
        understood[TEXT],
        message.output_channel,
        message.sender_id,
        parse_data=understood,
        input_channel=message.input_channel,
        message_id=message.message_id,
        metadata=message.metadata,
    )
