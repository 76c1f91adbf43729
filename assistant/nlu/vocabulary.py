"""The spaCy pipeline: a tokenizer and an `EntityRuler` for the words of `data/lookups/` and of each `article.yml`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy

from clinic.articles import Library


def build(folder: Path, library: Library) -> None:
    """Write the pipeline to `folder`, where Rasa's `SpacyNLP` loads it by path."""
    language = spacy.blank("en")
    ruler: Any = language.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER", "overwrite_ents": True})
    ruler.add_patterns(list(_patterns(library)))
    language.to_disk(folder)


def _patterns(library: Library) -> Iterator[dict[str, str]]:
    for label, names in library.words.items():
        for name, spellings in names.items():
            for spelling in spellings:
                yield {"label": label, "pattern": spelling, "id": name}
    for name in [*library.conditions, *library.drugs]:
        for spelling in {name, f"{name}s", name.replace("'", "")}:
            yield {"label": "condition", "pattern": spelling, "id": name}
