"""The spaCy pipeline: a tokenizer and an `EntityRuler` for the words of `data/entities.yml` and `data/contrast.yml`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy
import yaml


def build(folder: Path, entities: Path, contrast: Path) -> None:
    """Write the pipeline to `folder`, where Rasa's `SpacyNLP` loads it by path."""
    language = spacy.blank("en")
    ruler: Any = language.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER", "overwrite_ents": True})
    ruler.add_patterns(list(_patterns(entities, contrast)))
    language.to_disk(folder)


def _patterns(entities: Path, contrast: Path) -> Iterator[dict[str, str]]:
    for label, names in yaml.safe_load(entities.read_text(encoding="utf-8")).items():
        for name, spellings in names.items():
            for spelling in spellings:
                yield {"label": label, "pattern": spelling, "id": name}
    lists = yaml.safe_load(contrast.read_text(encoding="utf-8"))
    for name in [*lists["conditions"], *lists["drugs"]]:
        for spelling in {name, f"{name}s", name.replace("'", "")}:
            yield {"label": "condition", "pattern": spelling, "id": name}
