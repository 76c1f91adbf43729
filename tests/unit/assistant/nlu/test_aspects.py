"""The aspects that questions may have, and the examples that teach them."""

from collections import Counter

import yaml

from assistant.nlu.aspects import ASPECTS_FILE, aspect_examples
from clinic.articles import the_library

LISTS = yaml.safe_load(ASPECTS_FILE.read_text(encoding="utf-8"))
FEWEST_SHAPES, FEWEST_OF_AN_ASPECT = 500, 20
# What is never asked, but said: in the place of an aspect, beside what the article is silent on.
SAID = {"nearest"}


def test_the_examples_are_the_same_each_time() -> None:
    assert list(aspect_examples(ASPECTS_FILE)) == list(aspect_examples(ASPECTS_FILE))


def test_there_are_many_shapes_and_none_stands_under_two_aspects() -> None:
    shapes = [shape for listed in LISTS["aspects"].values() for shape in listed]
    assert len(shapes) >= FEWEST_SHAPES
    assert [shape for shape, count in Counter(shapes).items() if count > 1] == []
    assert [aspect for aspect, listed in LISTS["aspects"].items() if len(listed) < FEWEST_OF_AN_ASPECT] == []


def test_every_hole_of_a_shape_can_be_filled() -> None:
    assert [text for _, _, text in aspect_examples(ASPECTS_FILE) if "{" in text] == []


def test_every_text_of_an_aspect_can_be_asked_for() -> None:
    answered = {
        condition["value"]
        for variations in the_library().responses.values()
        for variation in variations
        for condition in variation.get("condition", [])
        if condition["name"] == "aspect"
    }
    assert answered - SAID <= set(LISTS["aspects"])
