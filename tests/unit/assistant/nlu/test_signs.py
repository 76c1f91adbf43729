"""The patterns of signs, what denies them, and the repair of misspelt words."""

import sys
from types import FrameType

import pytest

from assistant.nlu.signs import LONGEST_SCAN, Signs, the_signs


@pytest.fixture(scope="module")
def signs() -> Signs:
    return the_signs()


def test_each_sign_says_where_it_sends_people_and_by_whose_guidance(signs: Signs) -> None:
    assert len(signs.signs) > 20
    for sign in signs.signs.values():
        assert sign.guidance
        assert sign.patterns
        assert {"plain", "minimised", "third person", "misspelt", "in a booking", "in a story"} <= sign.seen.keys()
        assert {"negated", "historical", "general", "other person's past", "idiom", "everyday"} <= sign.not_seen.keys()


def test_no_pattern_rests_on_a_single_everyday_word_or_a_digit(signs: Signs) -> None:
    for pattern in signs._patterns:
        for group in pattern.groups:
            assert all(not word.isdigit() or word == "911" for phrase in group for word in phrase)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("my chest is tight", "chest or breathing"),
        ("Chest pain!", "chest or breathing"),
        ("i can’t breathe", "chest or breathing"),
        ("CAN'T PUT ANY WEIGHT ON IT", "cannot bear weight"),
        ("no fever, but my chest hurts", "chest or breathing"),
        ("it isn't swollen. my chest hurts though", "chest or breathing"),
        ("the scar was red last year. now the wound is leaking yellow stuff", "infection"),
        ("i am pregnant. by the way the calf is sore", "clot"),
        ("i take eliquis. since the bump the knee is swelling", "sudden big swelling"),
    ],
)
def test_words_near_each_other_tell_of_a_sign(signs: Signs, text: str, sign: str) -> None:
    assert signs.find(text) == sign


@pytest.mark.parametrize(
    "text",
    [
        "no chest pain",
        "i have neither chest pain nor a cough",
        "without any chest pain",
        "chest pain two years ago",
        "chest pain in 2014, all clear",
        "can knee trouble cause chest pain",
        "my uncle had a stroke and chest pain",
        "i take eliquis. no swelling at all",
        "chest press machine hurts",
        "",
        "!?",
    ],
)
def test_what_is_denied_past_general_or_of_others_tells_of_none(signs: Signs, text: str) -> None:
    assert signs.find(text) is None


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("chets pian", "chest pain"),
        ("short of breth", "short of breath"),
        ("he had a siezure", "he had a seizure"),
        ("call an ambulence", "call an ambulance"),
        ("I play chess", "i play chess"),
        ("the 9th or 11th", "the 9th or 11th"),
    ],
)
def test_misspelt_words_of_safety_are_read_as_meant(signs: Signs, text: str, repaired: str) -> None:
    assert signs.repaired(text) == repaired


def _steps(signs: Signs, text: str) -> int:
    """Return how many lines of Python a search takes."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        signs.find(text)
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize("unit", ["no ", "is chest pain ", "cant walk but ", "a", "chest. "])
def test_a_search_takes_time_in_proportion_to_the_message(signs: Signs, unit: str) -> None:
    short, long = ((unit * length)[:length] for length in (1_000, LONGEST_SCAN))
    signs.find(short)
    assert _steps(signs, long) < 25 * (_steps(signs, short) + 1_000)


def test_a_longer_message_is_cut_before_it_is_searched(signs: Signs) -> None:
    assert signs.find("a " * LONGEST_SCAN + "i have chest pain") is None
