"""Conversations with the assistant as YAML files, held with the real server.

A file `tests/conversations/<theme>/<sentence>.yml` holds `test_cases`, each a test of its own and a new conversation:

    test_cases:
      - test_case: the causes, then one of them
        steps:
          - user: what causes runner's knee?
          - utter: utter_ask_causes
          - user: /ask_cause_overuse
          - bot: doing too much is its most common cause
          - buttons: ["May I keep running?", "...", "Book a visit"]

`user` is what is typed, or the payload of a button that is pressed; `{repeat: text, times: n}` is a long one.
Whatever the assistant says to it must be expected, message by message and in order, and nothing more may be said.
`utter` expects one of the wordings of that response under `data/`, filled from `clinic.yml`: with its source, unless
one of the last messages named it, and under the first message with the notice of who is speaking. Under a wording of
one aspect the first button offers the topic as a whole.
`bot` expects a message in which these words stand as written (line breaks and spaces count as one space).
`buttons` expects the titles under the message before it, instead of those of the response; "..." stands for any titles.
"""

import itertools
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests
import yaml

from clinic.articles import the_library
from clinic.profile import the_clinic
from tests.support.servers import Server, assistant

_SECONDS_TO_ANSWER = 30
_LONGEST_LINE_SHOWN = 300
_ANY_TITLES = "..."
_RECENT = 4
_WITHOUT_NOTICE = frozenset({"utter_greet", "utter_ask_bot_identity", "utter_speak_other_language"})
_CARE = "utter_care_"
_MORE = "More on this"
# What begins a new session, in which the notice stands anew.
_RESTARTS = "utter_restart"
_SERVER = pytest.StashKey[Server]()

Said = dict[str, Any]


class Different(Exception):
    """A conversation went otherwise than expected; the message is its transcript."""


@dataclass
class Expected:
    """One message that the assistant must say."""

    kind: str
    words: str
    titles: list[str] | None = None

    def difference(self, said: Said, spoken: list[str]) -> str | None:
        """Return what is wrong with a message that was said after others, or None."""
        text = _one_line(said.get("text", ""))
        fitting = [titles for pattern, titles in self._wanted(spoken) if re.search(pattern, text)]
        if not fitting:
            return f"expected {self.kind}: {self.words}"
        shown = [button["title"] for button in said.get("buttons", [])]
        if fitting[0] is not None and not _fits(fitting[0], shown):
            return f"expected buttons: {fitting[0]}"
        return None

    def _wanted(self, spoken: list[str]) -> Iterator[tuple[str, list[str] | None]]:
        """Yield a pattern of each wording and the buttons' titles, None when any will do."""
        if self.kind == "bot":
            yield re.escape(_one_line(self.words)), self.titles
            return
        whole, *others = _domain()["responses"][self.words]
        is_care = self.words.startswith(_CARE)
        notice = (
            "" if spoken or is_care or self.words in _WITHOUT_NOTICE else f" {_responses()['utter_notice']['text']}"
        )
        titles = [button["title"] for button in whole.get("buttons", [])]
        yield rf"^{_filled(whole, notice, spoken)}$", titles if self.titles is None else self.titles
        for wording in others:
            yield rf"^{_filled(wording, notice, spoken)}$", self.titles or ([_MORE, _ANY_TITLES] if titles else [])


@dataclass
class Turn:
    """What the user says, and what must come of it."""

    user: str
    expected: list[Expected] = field(default_factory=list)


class ConversationFile(pytest.File):
    def collect(self) -> Iterable[pytest.Item]:
        for case in yaml.safe_load(self.path.read_text(encoding="utf-8"))["test_cases"]:
            turns = _turns(case["steps"])
            yield Conversation.from_parent(self, name=case["test_case"], turns=turns)


class Conversation(pytest.Item):
    def __init__(self, turns: list[Turn], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._turns = turns

    def runtest(self) -> None:
        url = f"{_server(self.session).url}/webhooks/rest/webhook"
        sender = uuid.uuid4().hex
        answers = []
        for turn in self._turns:
            message = {"sender": sender, "message": turn.user}
            answer = requests.post(url, json=message, timeout=_SECONDS_TO_ANSWER)
            answer.raise_for_status()
            answers.append(answer.json())
        transcript, is_as_expected = _transcript(self._turns, answers)
        if not is_as_expected:
            raise Different(transcript)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, Different) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.parent.name}/{self.path.stem}: {self.name}"


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> ConversationFile | None:
    if file_path.suffix != ".yml":
        return None
    return ConversationFile.from_parent(parent, path=file_path)


def _server(session: pytest.Session) -> Server:
    """Return the server of this run of the tests, started when it is first asked for."""
    if _SERVER not in session.stash:
        running = ExitStack()
        session.addfinalizer(running.close)
        folder = running.enter_context(TemporaryDirectory())
        has_booking = "forms" in _domain()
        session.stash[_SERVER] = running.enter_context(assistant(Path(folder), with_actions=has_booking))
    return session.stash[_SERVER]


def _turns(steps: list[dict[str, Any]]) -> list[Turn]:
    """Read the steps of a test case.

    Raises:
        ValueError: a step is none of those that the top of this file tells of, or stands in the wrong place.
    """
    turns: list[Turn] = []
    for step in steps:
        ((kind, value),) = step.items()
        if kind == "user":
            turns.append(Turn(value if isinstance(value, str) else value["repeat"] * value["times"]))
        elif kind in {"utter", "bot"} and turns:
            turns[-1].expected.append(Expected(kind, value))
        elif kind == "buttons" and turns and turns[-1].expected:
            turns[-1].expected[-1].titles = value
        else:
            raise ValueError(f"A step that cannot stand here: {step}")
        if kind == "utter" and value not in _responses():
            raise ValueError(f"data/ has no response {value}")
    return turns


def _transcript(turns: list[Turn], answers: list[list[Said]]) -> tuple[str, bool]:
    """Return the conversation as lines with the first difference marked, and whether there is none."""
    lines = [""]
    spoken: list[str] = []
    difference: str | None = None
    for turn, answer in zip(turns, answers, strict=True):
        lines.append(f"    user: {_shown(turn.user)}")
        for expected, said in itertools.zip_longest(turn.expected, answer):
            found = None
            if difference is None:
                found = difference = _difference(expected, said, spoken)
            mark = ">>>" if found else "   "
            if said:
                spoken.append(said.get("text", ""))
                lines.append(f"{mark}  bot: {_shown(said.get('text', ''))}")
                if said.get("buttons"):
                    lines.append(f"{mark}       {[button['title'] for button in said['buttons']]}")
            if found:
                lines.append(f"{mark}       {found}")
            if expected and expected.words == _RESTARTS:
                spoken = []
    return "\n".join(lines), difference is None


def _difference(expected: Expected | None, said: Said | None, spoken: list[str]) -> str | None:
    if expected is None:
        return "nothing more was expected"
    if said is None:
        return f"nothing was said, expected {expected.kind}: {expected.words}"
    return expected.difference(said, spoken)


def _fits(wanted: list[str], shown: list[str]) -> bool:
    if not wanted:
        return not shown
    if wanted[0] == _ANY_TITLES:
        return any(_fits(wanted[1:], shown[start:]) for start in range(len(shown) + 1))
    return bool(shown) and wanted[0] == shown[0] and _fits(wanted[1:], shown[1:])


def _filled(response: dict[str, Any], notice: str, spoken: list[str]) -> str:
    """Return a pattern of a response's words after others; what `clinic.yml` does not fill may be anything."""
    values = {**the_clinic().placeholders(), **the_library().article.placeholders()}
    section = response.get("metadata", {}).get("section")
    cited = f"Source: “{section}”, reviewed by {the_library().article.reviewer}."
    source = f" {cited}" if section and not any(cited in text for text in spoken[-_RECENT:]) else ""
    # A card stands after the first line.
    words = response["text"].strip().replace("\n", " {card}", 1)
    pieces = re.split(r"\{(\w+)\}", _one_line(words + notice + source))
    for index in range(1, len(pieces), 2):
        pieces[index] = (
            "(?:.+ )?"
            if pieces[index] == "card"
            else re.escape(values[pieces[index]])
            if pieces[index] in values
            else "(.+)"
        )
    pieces[::2] = map(re.escape, pieces[::2])
    return "".join(pieces)


@lru_cache
def _domain() -> dict[str, Any]:
    return the_library().domain()


def _responses() -> dict[str, dict[str, Any]]:
    return {name: variations[0] for name, variations in _domain()["responses"].items()}


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _shown(text: str) -> str:
    line = _one_line(text)
    return line if len(line) <= _LONGEST_LINE_SHOWN else f"{line[:_LONGEST_LINE_SHOWN]}… ({len(text)} characters)"
