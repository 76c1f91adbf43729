"""How an answer becomes a channel's messages, for every messaging channel."""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import NamedTuple

import spacy
from spacy.language import Language

from assistant.choices import Button, is_closed, key, offer
from assistant.message import Message, source_of, words_of
from clinic.profile import Clinic

_HINT = "Reply with a number, or in your own words."
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)]")


def unchanged(text: str) -> str:
    """Return a text as it is."""
    return text


@dataclass(frozen=True)
class Capabilities:
    """What a channel can show.

    Attributes:
        longest: how long one message may be, as `measure` counts.
        measure: the length of a message's text as it is sent, in the channel's unit; characters unless given.
        format: turns plain text into the channel's own form (markup escaped, phone and links).
        format_source: turns the line that names an answer's source into it; `format` unless given.
        most_buttons: how many native buttons fit on a message; 0 for none.
        longest_label: characters of a native button's label.
        replace_label: gives what stands in place of a label that the channel cannot use.
    """

    longest: int
    measure: Callable[[str], int] = len
    format: Callable[[str], str] = unchanged
    format_source: Callable[[str], str] | None = None
    most_buttons: int = 0
    longest_label: int = 0
    replace_label: Callable[[str], str] = unchanged

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


class _Piece(NamedTuple):
    """A stretch of plain text that is formatted in one way."""

    text: str
    is_source: bool = False


def outgoing(said: Sequence[Message], capabilities: Capabilities) -> list[Outgoing]:
    """Return the messages that tell all that was said to one message: one, unless it is too long for the channel.

    Args:
        said: what Rasa gave to the output channel.
        capabilities: what the channel can show. A longer answer is split between sentences, and its buttons come last.
    """
    pieces: list[_Piece] = []
    for message in said:
        words, source = words_of(message), source_of(message)
        if words:
            pieces.append(_Piece(f"\n\n{words}" if pieces else words))
        if source:
            pieces += [_Piece("\n"), _Piece(f"Source: {source}", is_source=True)]
    buttons = offer(said)
    if capabilities.has_numbers(buttons):
        # A list above a question that wants words would be taken for the answers to it.
        if is_closed(said):
            labels = [capabilities.replace_label(button["title"]) for button in buttons]
            rows = [f"{place}. {label}" for place, label in enumerate(labels, start=1)]
            pieces.append(_Piece("\n".join(["", *rows, _HINT])))
        buttons = []
    parts = _split(pieces, capabilities)
    native = tuple((capabilities.replace_label(button["title"]), key(button["payload"])) for button in buttons)
    return [Outgoing(part, native if place == len(parts) else ()) for place, part in enumerate(parts, start=1)]


def format_text(
    text: str,
    clinic: Clinic,
    escape: Callable[[str], str] = unchanged,
    phone: Callable[[str, str], str] | None = None,
    link: Callable[[str], str] | None = None,
) -> str:
    """Return plain text in a channel's markup.

    Args:
        escape: makes plain text harmless in the markup.
        phone: makes a link of the clinic's number, given as it is shown and as `tel:+1...`.
        link: makes a link of a web address; given escaped text.
    """
    shown = escape(text)
    if link:
        shown = re.sub(_LINK, partial(_linked, link), shown)
    if phone:
        shown = shown.replace(escape(clinic.phone), phone(escape(clinic.phone), clinic.phone_link))
    return shown


def _linked(link: Callable[[str], str], found: re.Match[str]) -> str:
    return link(found.group())


def _split(pieces: list[_Piece], capabilities: Capabilities) -> list[str]:
    """Return pieces formatted, in parts that fit: cut between lines or sentences, else between words, else anywhere."""

    def fits(part: list[_Piece]) -> bool:
        return capabilities.measure(_formatted(part, capabilities)) <= capabilities.longest

    if fits(pieces):
        whole = _formatted(pieces, capabilities)
        return [whole] if whole else []
    rest = [_Piece(line, piece.is_source) for piece in pieces for line in _lines(piece.text)]
    for cut in (_sentences, _spaces, list):
        rest = [
            _Piece(text, piece.is_source)
            for piece in rest
            for text in ([piece.text] if fits([piece]) else cut(piece.text))
        ]
    parts: list[list[_Piece]] = [[]]
    for piece in rest:
        if _formatted(parts[-1], capabilities) and not fits([*parts[-1], piece]):
            parts.append([])
        parts[-1].append(piece)
    return [text for part in parts if (text := _formatted(part, capabilities))]


def _formatted(pieces: list[_Piece], capabilities: Capabilities) -> str:
    """Return pieces in the channel's form, neighbours of one kind together."""
    formats = {False: capabilities.format, True: capabilities.format_source or capabilities.format}
    groups = itertools.groupby(pieces, key=lambda piece: piece.is_source)
    return "".join(formats[is_source]("".join(piece.text for piece in group)) for is_source, group in groups).strip()


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
