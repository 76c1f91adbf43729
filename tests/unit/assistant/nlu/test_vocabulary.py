"""The words that the spaCy pipeline finds."""

from pathlib import Path

import pytest
import spacy
from spacy.language import Language

from assistant.nlu import vocabulary
from clinic.articles import the_library

LIBRARY = the_library()


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Language:
    folder = tmp_path_factory.mktemp("spacy")
    vocabulary.build(folder, LIBRARY)
    return spacy.load(folder)


def found(language: Language, text: str) -> list[tuple[str, str]]:
    """Return (type, the words at its offsets) of each entity."""
    return [(entity.label_, text[entity.start_char : entity.end_char]) for entity in language(text).ents]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my kneecap hurts", [("body_part", "kneecap"), ("symptom", "hurts")]),
        (
            "Swollen KNEE after a half marathon",
            [("symptom", "Swollen"), ("body_part", "KNEE"), ("activity", "half marathon")],
        ),
        ("is a cortisone shot better than surgery?", [("treatment", "cortisone shot"), ("treatment", "surgery")]),
        ("clam shells, then swimming", [("treatment", "clam shells"), ("activity", "swimming")]),
        ("how is frozen shoulder treated", [("condition", "frozen shoulder")]),
        ("what is Carpal Tunnel Syndrome?", [("condition", "Carpal Tunnel Syndrome")]),
        ("golfer's elbow or golfers elbow", [("condition", "golfer's elbow"), ("condition", "golfers elbow")]),
        ("inserts for bunions", [("treatment", "inserts"), ("condition", "bunions")]),
        ("ice for a twisted ankle", [("treatment", "ice"), ("other_body_part", "ankle")]),
        ("does physical therapy help", [("treatment", "physical therapy")]),
        ("pt or ice", [("treatment", "pt"), ("treatment", "ice")]),
        ("🦵 my knee", [("body_part", "my knee")]),
        ("I like nice weather", []),
        ("what is the price", []),
        ("", []),
    ],
)
def test_words_that_matter_are_found(language: Language, text: str, expected: list[tuple[str, str]]) -> None:
    assert found(language, text) == expected


def test_the_longest_name_wins(language: Language) -> None:
    assert found(language, "a pulled hamstring") == [("condition", "pulled hamstring")]


def test_every_condition_and_drug_is_found(language: Language) -> None:
    missed = [
        name
        for name in [*LIBRARY.conditions, *LIBRARY.drugs]
        if ("condition", name) not in found(language, f"what about {name} then")
    ]
    assert missed == []


def test_every_spelling_leads_to_its_name(language: Language) -> None:
    missed = [
        (spelling, name)
        for label, names in LIBRARY.words.items()
        for name, spellings in names.items()
        for spelling in spellings
        if (label, name) not in {(entity.label_, entity.ent_id_) for entity in language(spelling).ents}
    ]
    assert missed == []


def test_runners_knee_is_no_other_condition(language: Language) -> None:
    for name in ("runner's knee", "runners knee", "patellofemoral pain syndrome", "my knee pain"):
        assert "condition" not in {label for label, _ in found(language, f"what is {name}")}


def test_types_are_those_of_the_domain(language: Language) -> None:
    domain = the_library().domain()
    names = {name for entity in domain["entities"] for name in ([entity] if isinstance(entity, str) else entity)}
    assert set(language.get_pipe("entity_ruler").labels) <= names


def test_building_twice_changes_nothing(language: Language, tmp_path: Path) -> None:
    vocabulary.build(tmp_path, LIBRARY)
    vocabulary.build(tmp_path, LIBRARY)
    assert found(spacy.load(tmp_path), "my kneecap hurts") == found(language, "my kneecap hurts")
