"""People who write to the clinic through the balancer, and go on where the assistant is, as the widget lets them."""

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from clinic.profile import the_clinic

Said = list[dict[str, Any]]

_FIRST_NAMES = ("Ana", "Ben", "Carla", "David", "Elena", "Frank", "Grace", "Henry")
_LAST_NAMES = ("Ruiz", "Miller", "Nguyen", "Olsen", "Parker", "Quinn", "Rossi", "Silva")
# As widget/src/server.ts and conversation.ts have it.
_LONGEST_WAIT = 15
# The ways in which the form asks for one.
_FOR_A_NAME = ("What is your name?", "I did not catch a name", "I still need a name", "Under what name shall")
_PAUSE = 2
_SECONDS_TO_BE_ANSWERED = 90
_MOST_APOLOGIES = 20
_NUMBERS = itertools.count(1)


class Unreachable(Exception):
    """The server cannot be reached, took too long, or has a fault: the same message is sent again after a while."""


class Unfit(AssertionError):
    """What came back is not what the assistant may say."""


def from_address(address: str) -> HTTPAdapter:
    """Return what lets a session of `requests` connect from an address of 127.0.0.0/8, as another client."""
    adapter = HTTPAdapter()
    adapter.init_poolmanager(10, 10, source_address=(address, 0))
    return adapter


@dataclass
class Chat:
    """One conversation.

    Attributes:
        sent: the ids of its messages, in the order in which they were sent.
        replies: what each was answered with.
        reference: of the request for a visit, once it was told.
        unsure: whether the request may have been sent without its reference being told, after an apology.
    """

    session: str
    sent: list[str] = field(default_factory=list)
    replies: dict[str, Said] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    reference: str | None = None
    unsure: bool = False

    def transcript(self) -> str:
        """Return what was said, a line a message."""
        lines = []
        for message in self.sent:
            lines.append(f"> {self.texts[message]}")
            lines += [said["text"] for said in self.replies.get(message, [])]
        return "\n".join(lines)


class Person:
    """Holds one conversation after another: a question, a request for a visit, and another question.

    Attributes:
        chats: the conversations so far.
        token: the newest of the conversation that is held.
        apologies: how often something had failed.
    """

    def __init__(self, number: int, server: str, pause: float) -> None:
        """Prepare a person.

        Args:
            server: the balancer's address.
            pause: how long they think between two messages, in seconds, on average.
        """
        self.chats: list[Chat] = []
        self.apologies = 0
        self._server = server
        self._name = f"{_FIRST_NAMES[number % 8]} {_LAST_NAMES[number // 8 % 8]}"
        self._phone = f"949-555-01{number % 100:02}"
        self._pause = pause
        self._random = random.Random(number)
        self._http = requests.Session()
        self._http.mount("http://", from_address(f"127.1.{number // 200}.{number % 200 + 1}"))
        self.token = ""
        self._answers = {
            **dict.fromkeys(_FOR_A_NAME, self._name),
            "may the clinic use to reach you?": self._phone,
            "I did not find a phone number": self._phone,
            "I still need a number": self._phone,
            "How can the front desk reach you?": self._phone,
            "When would a visit suit you?": "any weekday morning",
            "I did not understand when": "any weekday morning",
            "I still need a day": "any weekday morning",
            "Which day suits you?": "any weekday morning",
            "Have you been to": "skip",
            "To find your records": "skip",
            "or a returning patient?": "skip",
            "What is it about?": "skip",
            "Shall I send it": "yes",
            "I could not send your request": "yes",
        }

    def talk(self, until: threading.Event) -> None:
        """Hold whole conversations until `until` is set; the one that is held then is brought to its end."""
        while not until.is_set() or not self.chats:
            self.hold()

    def hold(self) -> Chat:
        """Hold a whole conversation with a request for a visit.

        Raises:
            Unfit: something else came back than what the assistant may say there.
        """
        chat = self.open()
        self._ask(chat, "what causes runner's knee?", "Source: ")
        said = self._ask(chat, "I would like to book a visit", *_FOR_A_NAME)
        question, apologies = "", 0
        while not chat.reference and not chat.unsure:
            place, latest = max((said.rfind(question), question) for question in self._answers)
            if place >= 0:
                # Also where an apology follows a question that was reached.
                question = latest
            elif not _is_apology(said):
                if not apologies or self._answers[question] != "yes":
                    raise Unfit(f"nothing was asked: {said}")
                chat.unsure = True
                break
            apologies = apologies + 1 if _is_apology(said) else 0
            if apologies > _MOST_APOLOGIES:
                raise Unfit(f"{apologies} apologies in a row")
            said = self._say_after_a_while(chat, self._answers[question])
            if "Your reference is " in said:
                chat.reference = said.partition("Your reference is ")[2][:7]
        self._ask(chat, "how is it treated?", "Source: ")
        return chat

    def ask_again(self, chat: Chat) -> None:
        """Send the latest messages once more, which must bring the replies they had.

        Raises:
            Unfit: another reply came.
        """
        for message in chat.sent[-4:]:
            if self._deliver(message, chat.texts[message]) != chat.replies[message]:
                raise Unfit("a message that was repeated got another reply")

    def open(self) -> Chat:
        """Begin a conversation."""
        self.token = ""
        self._until_answered("session", {})
        chat = Chat(self.token.partition(".")[0])
        self.chats.append(chat)
        return chat

    def say(self, chat: Chat, text: str, message: str | None = None, server: str | None = None, times: int = 1) -> str:
        """Say something; return all that is said to it.

        Args:
            message: the id; a new one unless given.
            server: where it is sent; to the balancer unless given.
            times: how often it is sent at once.

        Raises:
            Unfit: nothing was said, or not the same each time.
        """
        message = message or f"message-{next(_NUMBERS):08}"
        chat.sent.append(message)
        chat.texts[message] = text
        with ThreadPoolExecutor(times) as senders:
            reply, *others = senders.map(lambda _: self._deliver(message, text, server), range(times))
        chat.replies[message] = reply
        if not reply or any(other != reply for other in others):
            raise Unfit(f"{text!r} did not get one reply: {[reply, *others]}")
        return "\n".join(said["text"] + (f"\nSource: {said['source']}" if said["source"] else "") for said in reply)

    def _say_after_a_while(self, chat: Chat, text: str) -> str:
        """Say something; return all that is said to it, which may be an apology."""
        time.sleep(self._random.uniform(0.5, 1.5) * self._pause)
        # Some press the button twice.
        said = self.say(chat, text, times=2 if self._random.random() < 0.1 else 1)
        if _is_apology(said):
            self.apologies += 1
            if the_clinic().phone not in said:
                raise Unfit(f"an apology without the phone: {said}")
        return said

    def _ask(self, chat: Chat, text: str, *wanted: str) -> str:
        """Say something until no apology comes back, but something that is wanted."""
        for _ in range(_MOST_APOLOGIES):
            said = self._say_after_a_while(chat, text)
            if not _is_apology(said):
                break
        if not any(part in said for part in wanted):
            raise Unfit(f"{text!r} was answered with: {said}")
        return said

    def _deliver(self, message: str, text: str, server: str | None = None) -> Said:
        return self._until_answered("messages", {"id": message, "text": text}, server)

    def _until_answered(self, path: str, body: dict[str, str], server: str | None = None) -> Said:
        """Post as the widget does: again while the server cannot be reached, later when it is asked to wait."""
        deadline = time.monotonic() + _SECONDS_TO_BE_ANSWERED
        while time.monotonic() < deadline:
            try:
                return self._post(f"{server or self._server}/chat/{path}", body)
            except Unreachable:
                time.sleep(_PAUSE)
        raise Unfit(f"no answer to {path} within {_SECONDS_TO_BE_ANSWERED} seconds")

    def _post(self, address: str, body: dict[str, str]) -> Said:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            answer = self._http.post(address, json=body, headers=headers, timeout=_LONGEST_WAIT)
        except requests.RequestException as error:
            raise Unreachable from error
        if answer.status_code == 429:
            time.sleep(float(answer.headers.get("Retry-After", 2)))
            raise Unreachable
        if answer.status_code >= 500:
            if the_clinic().phone not in answer.text:
                raise Unfit(f"a fault without the phone: {answer.text[:300]}")
            raise Unreachable
        if not answer.ok:
            raise Unfit(f"{address} refused with {answer.status_code}: {answer.text[:300]}")
        self.token = answer.json()["token"]
        return list(answer.json()["messages"])


def _is_apology(said: str) -> bool:
    return "something went wrong on my side" in said
