"""The messages of an answer, whose text, card, source and choices are fields that each channel renders in its way."""

from collections.abc import Mapping
from typing import Any

# As Rasa gives it to an output channel: `text`, `buttons`, `card` (rows of label and value), `source` (its `section`
# and `reviewer`), `utter_action` and `metadata`, each where there is one.
Message = Mapping[str, Any]


def source_of(message: Message) -> str | None:
    """Return the source of an answer as people read it, or None."""
    source = message.get("source")
    return f"“{source['section']}”, reviewed by {source['reviewer']}." if source else None


def words_of(message: Message) -> str:
    """Return the text of a message with its card as lines, which stand after the first line of the text."""
    lines = str(message.get("text") or "").strip().split("\n")
    card = [f"{label}: {value}" for label, value in message.get("card") or []]
    return "\n".join([lines[0], *card, *lines[1:]])


def as_text(message: Message) -> str:
    """Return a message as plain text, for a channel that shows nothing else."""
    source = source_of(message)
    return "\n".join([words_of(message), *([f"Source: {source}"] if source else [])])
