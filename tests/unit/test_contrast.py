"""The contrastive examples."""

from collections import defaultdict

import pytest
import yaml

from assistant.nlu.contrast import CONTRAST_FILE, ContrastImporter, contrastive_examples
from assistant.nlu.decision import ARTICLE_INTENTS
from clinic.profile import ROOT

LISTS = yaml.safe_load(CONTRAST_FILE.read_text(encoding="utf-8"))
EXAMPLES = list(contrastive_examples(CONTRAST_FILE))
OTHERS = {*LISTS["conditions"], *LISTS["drugs"]}


def test_they_are_the_same_each_time() -> None:
    assert list(contrastive_examples(CONTRAST_FILE)) == EXAMPLES


def test_every_name_and_shape_is_used() -> None:
    texts = "\n".join(text for _, text in EXAMPLES)
    assert [name for name in [*OTHERS, *LISTS["topics"], *LISTS["knee"]] if name not in texts] == []
    shapes = [shape for shapes in LISTS["shapes"].values() for shape in shapes]
    assert [shape for shape in shapes if shape.format(x="").strip() and shape.count("{x}") != 1] == []
    assert "{" not in texts


def test_a_shape_is_ours_with_the_knee_and_not_with_another_condition() -> None:
    intents = defaultdict(set)
    for intent, text in EXAMPLES:
        intents[text].add(intent)
    for intent, shapes in LISTS["shapes"].items():
        for shape in shapes:
            assert {name for knee in LISTS["knee"] for name in intents.get(shape.format(x=knee), ())} == {intent}
            others = [intents[shape.format(x=name)] for name in LISTS["conditions"] if shape.format(x=name) in intents]
            assert others
            assert all(found == {"ask_other_condition"} for found in others)


def test_a_condition_alone_is_another_condition() -> None:
    assert {("ask_other_condition", name) for name in OTHERS} <= set(EXAMPLES)


def test_the_knee_is_no_other_condition() -> None:
    assert OTHERS.isdisjoint(LISTS["knee"])
    assert {name.lower() for name in OTHERS}.isdisjoint({"runner's knee", "knee pain", "patellofemoral pain syndrome"})


@pytest.mark.parametrize("kind", ["conditions", "drugs", "topics", "knee"])
def test_no_name_stands_twice(kind: str) -> None:
    names = [name.lower() for name in LISTS[kind]]
    assert sorted(names) == sorted(set(names))


def test_intents_are_those_of_the_domain() -> None:
    domain = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
    assert {intent for intent, _ in EXAMPLES} <= set(domain["intents"])
    assert set(LISTS["shapes"]) <= ARTICLE_INTENTS | {"ask_beyond_article"}


def test_rasa_trains_on_them() -> None:
    importer = ContrastImporter(training_data_paths=[str(ROOT / "data" / "nlu" / "condition.yml")])
    taught = {(example.get("intent"), example.get("text")) for example in importer.get_nlu_data().intent_examples}
    assert set(EXAMPLES) <= taught
    assert len(taught) > len(set(EXAMPLES))
