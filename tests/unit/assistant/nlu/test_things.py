"""Which things a question names."""

import pytest

from assistant.nlu.things import THINGS_FILE, People, Things

THINGS = Things(THINGS_FILE)
PEOPLE = People(THINGS_FILE)


def named(text: str) -> list[tuple[str, str]]:
    return [(thing.kind, thing.name) for thing in THINGS.find(text) if thing.kind not in {"body_part", "topic"}]


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("can I still bike", ("activity", "cycling")),
        ("would a knee sleeve help?", ("aid", "a knee sleeve")),
        ("what about the hot tub", ("treatment", "a hot tub")),
        ("should I take Tylenol", ("medicine", "Tylenol")),
        ("how long should I ice it", ("thing", "ice")),
        ("is it from a kneecap that is too low", ("thing", "low kneecap")),
    ],
)
def test_a_thing_of_the_lists_is_named_as_it_is_said_in_a_sentence(text: str, thing: tuple[str, str]) -> None:
    assert named(text) == [thing]


def test_of_two_names_the_longer_one_counts() -> None:
    assert named("what about ice baths") == [("treatment", "ice baths")]


@pytest.mark.parametrize("text", ["does pickle brine help", "what about pickle brine", "is pickle brine any good"])
def test_a_thing_of_no_list_is_known_by_where_it_stands(text: str) -> None:
    assert named(text) == [("other", "pickle brine")]


@pytest.mark.parametrize(
    "text",
    [
        "does it help",
        "what about my john",
        "does that shit help",
        "can you help",
        "is it bad",
        "does 949 555 0133 work",
    ],
)
def test_what_is_no_thing_or_not_fit_to_be_said_back_is_none(text: str) -> None:
    assert [name for name in named(text) if name[1] != "john"] == []


def test_whose_knee_it_is_is_what_was_said_last() -> None:
    assert PEOPLE.whose(["is that bad", "my daughter's knee hurts"]) == "your daughter's"
    assert PEOPLE.whose(["and my knee?", "my daughter's knee hurts"]) == "your"
    assert PEOPLE.whose([]) == "your"


@pytest.mark.parametrize(("text", "feeling"), [("I'm so scared", "fear"), ("i am fed up", "frustration"), ("ok", None)])
def test_a_feeling_is_heard(text: str, feeling: str | None) -> None:
    assert PEOPLE.feeling(text) == feeling


def test_the_names_of_the_condition_are_no_other_condition() -> None:
    assert [named.kind for named in THINGS.find("what does patellofemoral pain syndrome mean")] == ["condition_word"]


def test_a_sort_of_what_an_article_names_is_that() -> None:
    assert [named.kind for named in THINGS.find("would custom orthotics help")] == ["topic"]
