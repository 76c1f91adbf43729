"""The contrastive examples."""

from collections import defaultdict

import pytest

from assistant.nlu.importer import Importer, contrastive_examples
from clinic.articles import DATA, the_library

LIBRARY = the_library()
ANSWERED = LIBRARY.intents_of("answer")
EXAMPLES = list(contrastive_examples(LIBRARY))
OTHERS = {*LIBRARY.conditions, *LIBRARY.drugs}


def test_they_are_the_same_each_time() -> None:
    assert list(contrastive_examples(LIBRARY)) == EXAMPLES


def test_every_name_and_shape_is_used() -> None:
    texts = "\n".join(text for _, text in EXAMPLES)
    assert [name for name in [*OTHERS, *LIBRARY.topics, *LIBRARY.names] if name not in texts] == []
    shapes = [shape for shapes in LIBRARY.shapes.values() for shape in shapes]
    assert [shape for shape in shapes if shape.format(x="").strip() and shape.count("{x}") != 1] == []
    assert "{" not in texts


def test_a_shape_is_ours_with_the_knee_and_not_with_another_condition() -> None:
    intents = defaultdict(set)
    for intent, text in EXAMPLES:
        intents[text].add(intent)
    for intent, shapes in LIBRARY.shapes.items():
        for shape in shapes:
            assert {name for knee in LIBRARY.names for name in intents.get(shape.format(x=knee), ())} == {intent}
            others = [intents[shape.format(x=name)] for name in LIBRARY.conditions if shape.format(x=name) in intents]
            assert others
            assert all(found == {"ask_other_condition"} for found in others)


def test_a_condition_alone_is_another_condition() -> None:
    assert {("ask_other_condition", name) for name in OTHERS} <= set(EXAMPLES)


def test_the_knee_is_no_other_condition() -> None:
    assert OTHERS.isdisjoint(LIBRARY.names)
    assert {name.lower() for name in OTHERS}.isdisjoint({"runner's knee", "knee pain", "patellofemoral pain syndrome"})


@pytest.mark.parametrize("kind", ["conditions", "drugs", "topics", "names"])
def test_no_name_stands_twice(kind: str) -> None:
    names = [name.lower() for name in getattr(LIBRARY, kind)]
    assert sorted(names) == sorted(set(names))


def test_intents_are_those_of_the_domain() -> None:
    domain = the_library().domain()
    assert {intent for intent, _ in EXAMPLES} <= set(domain["intents"])
    assert set(LIBRARY.shapes) <= ANSWERED | {"ask_beyond_article"}


def test_rasa_trains_on_them() -> None:
    importer = Importer(training_data_paths=[str(DATA)])
    taught = {(example.get("intent"), example.get("text")) for example in importer.get_nlu_data().intent_examples}
    assert set(EXAMPLES) <= taught
    assert len(taught) > len(set(EXAMPLES))
