"""How an answer becomes a channel's messages, for every messaging channel."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import spacy
from spacy.language import Language

from assistant.choices import Button, is_closed, key, offer
from clinic.profile import Clinic

_HINT = "Reply with a number, or in your own words."
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)]")


def unchanged(text: str) -> str:
    """Return a text as it is."""
    return text


@dataclass(frozen=True)
class Style:
    """What a channel can show.

    Attributes:
        longest: how long one message may be, as `measure` counts.
        measure: the length of a message's text as it is sent, in the channel's unit; characters unless given.
        dress: turns plain text into the channel's own form (markup escaped, source line, phone and links).
        most_buttons: how many native buttons fit on a message; 0 for none.
        longest_label: characters of a native button's label.
        word: what stands in place of a label that the channel cannot use.
    """

    longest: int
    measure: Callable[[str], int] = len
    dress: Callable[[str], str] = unchanged
    most_buttons: int = 0
    longest_label: int = 0
    word: Callable[[str], str] = unchanged

    def has_numbers(self, buttons: Sequence[Button]) -> bool:
        """Tell whether these buttons are shown as a numbered list, since the channel cannot show them as its own."""
        return bool(buttons) and (
            len(buttons) > self.most_buttons or any(len(button["title"]) > self.longest_label for button in buttons)
        )


@dataclass(frozen=True)
class Outgoing:
    """One message of a channel.

    Attributes:
        text: in the channel's form.
        buttons: native ones, each its label and what the platform sends back when it is pressed (at most 64 bytes):
            a connector hands that on as the text of an incoming message.
    """

    text: str
    buttons: tuple[tuple[str, str], ...] = field(default=())


def outgoing(said: Sequence[Mapping[str, Any]], style: Style) -> list[Outgoing]:
    """Return the messages that tell all that was said to one message: one, unless it is too long for the channel.

    Args:
        said: what Rasa gave to the output channel, each a `text` with `buttons` of `title` and `payload`.
        style: what the channel can show. A longer answer is split between sentences, and its buttons come last.
    """
    text = "\n\n".join(str(message["text"]).strip() for message in said if message.get("text"))
    buttons = offer(said)
    if style.has_numbers(buttons):
        # A list above a question that wants words would be taken for the answers to it.
        if is_closed(said):
            rows = [f"{place}. {style.word(button['title'])}" for place, button in enumerate(buttons, start=1)]
            text = "\n".join([text, *rows, _HINT])
        buttons = []
    parts = _split(text, style)
    native = tuple((style.word(button["title"]), key(button["payload"])) for button in buttons)
    return [Outgoing(part, native if place == len(parts) else ()) for place, part in enumerate(parts, start=1)]


def dressed(
    text: str,
    clinic: Clinic,
    escape: Callable[[str], str] = unchanged,
    source: Callable[[str], str] = unchanged,
    phone: Callable[[str, str], str] | None = None,
    link: Callable[[str], str] | None = None,
) -> str:
    """Return plain text in a channel's markup.

    Args:
        escape: makes plain text harmless in the markup.
        source: marks the line that names an answer's source; given escaped text.
        phone: makes a link of the clinic's number, given as it is shown and as `tel:+1...`.
        link: makes a link of a web address; given escaped text.
    """
    lines = []
    for line in text.split("\n"):
        shown = escape(line)
        if link:
            shown = re.sub(_LINK, partial(_linked, link), shown)
        if phone:
            shown = shown.replace(escape(clinic.phone), phone(escape(clinic.phone), clinic.phone_link))
        lines.append(source(shown) if line.startswith("Source: ") else shown)
    return "\n".join(lines)


def _linked(link: Callable[[str], str], found: re.Match[str]) -> str:
    return link(found.group())


def _split(text: str, style: Style) -> list[str]:
    """Return a text dressed, in parts that fit: cut between lines or sentences, else between words, else anywhere."""

    def fits(part: str) -> bool:
        return style.measure(style.dress(part)) <= style.longest

    parts, part = [], ""
    rest = [text]
    for cut in (_lines, _sentences, _spaces, list):
        if all(map(fits, rest)):
            break
        rest = [piece for whole in rest for piece in ([whole] if fits(whole) else cut(whole))]
    for piece in rest:
        if part.strip() and not fits((part + piece).strip()):
            parts.append(part)
            part = ""
        part += piece
    return [style.dress(part.strip()) for part in [*parts, part] if part.strip()]


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _sentences(text: str) -> list[str]:
    return [sentence.text_with_ws for sentence in _sentencizer()(text).sents]


def _spaces(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


@lru_cache
def _sentencizer() -> Language:
    language = spacy.blank("en")
    language.add_pipe("sentencizer")
    return language
