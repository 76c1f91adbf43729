"""Prints docs/intents.md: `python -m clinic > docs/intents.md`."""

import re
import sys

from clinic.articles import Library, the_library

_HEAD = """# The intents

What people may want, and what answers it. Tests, reports and measurements rely on these names, so they do not change.
This page is printed by `python -m clinic` from the files of `data/`.

| intent | kind | answered with |
|---|---|---|
"""


def table_of_intents(library: Library) -> str:
    """Return the page: a row for each intent, in the order of the alphabet."""
    return _HEAD + "".join(
        f"| `{intent}` | {_kind(library, intent)} | {_answer(library, intent)} |\n"
        for intent in sorted(library.intents)
    )


def _kind(library: Library, intent: str) -> str:
    variations = library.responses.get(f"utter_{intent}", [{}])
    kind: str = variations[0].get("metadata", {}).get("kind", "")
    return kind.replace("_", " ")


def _answer(library: Library, intent: str) -> str:
    """Return the topic and section of an article's answer, the first sentence of any other."""
    variations = library.responses.get(f"utter_{intent}")
    if not variations:
        return "decided by the conversation"
    metadata = variations[0].get("metadata", {})
    if "section" in metadata:
        return f"{metadata.get('topic', 'the article')} (article: {metadata['section']})"
    return re.split(r"(?<=[.?!]) ", " ".join(variations[0]["text"].split()))[0]


if __name__ == "__main__":
    sys.stdout.write(table_of_intents(the_library()))
