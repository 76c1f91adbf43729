"""Whether an alarm means an alarm: every sentence of every sign, and sentences that nothing is trained on."""

from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from assistant.nlu.alarms import AFTER_FILE, AFTER_KEY
from assistant.nlu.signs import SIGN_KEY, sentences_of, the_signs
from tests.nlu.test_understanding import parse

HELD_OUT = sorted((Path(__file__).parent / "alarms").glob("*.yml"))
# Of the sentences that nothing is trained on; what is no sign was gathered because it looks like one, and a false alarm
# beats a missed cry.
LEAST_SEEN = 0.9
MOST_FALSE = 0.12

CELLS = [
    *((name, cell, True) for name, sign in the_signs().signs.items() for cell in sign.seen),
    *((name, cell, False) for name, sign in the_signs().signs.items() for cell in sign.not_seen),
]


@lru_cache
def signs_of(texts: tuple[str, ...]) -> list[str | None]:
    """Return the sign that the model finds in each text."""
    return [understood.get(SIGN_KEY) for understood in parse(list(texts))]


@pytest.mark.parametrize(("name", "cell", "counts"), CELLS)
def test_every_sentence_of_a_sign_is_read_as_it_says(name: str, cell: str, counts: bool) -> None:
    sign = the_signs().signs[name]
    lines = (sign.seen if counts else sign.not_seen)[cell]
    texts = tuple(text for text, _ in sentences_of({cell: lines}))
    wrong = [text for text, found in zip(texts, signs_of(texts), strict=True) if bool(found) is not counts]
    assert not wrong


def test_of_two_signs_the_more_urgent_is_answered() -> None:
    texts = (
        "I can't put weight on my leg and I want to kill myself",
        "my knee is locked and my chest hurts since this morning",
        "so much pain, I'm afraid of what I'll do to myself tonight",
    )
    assert [the_signs().signs[name].door if name else None for name in signs_of(texts)] == ["emergency"] * 3


def test_a_sign_beside_another_that_is_denied_is_seen() -> None:
    texts = (
        "my knee isn't locked but my throat is closing up after the ibuprofen",
        "i don't have chest pain, i just coughed up blood",
        "no i'm not suicidal, but my foot has gone blue and cold",
        "doctor ruled out a clot last week but now i am short of breath",
        "no me duele el pecho, pero no puedo respirar",
    )
    assert all(signs_of(texts))


@pytest.mark.parametrize("cell", the_signs().harmless)
def test_what_only_sounds_alarming_is_no_alarm(cell: str) -> None:
    texts = tuple(text for text, _ in sentences_of({cell: the_signs().harmless[cell]}))
    assert not [text for text, found in zip(texts, signs_of(texts), strict=True) if found]


@pytest.mark.parametrize("path", HELD_OUT, ids=lambda path: path.stem)
def test_sentences_of_other_hands_are_told_apart(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for kind, least, most in (("seen", LEAST_SEEN, 1.0), ("not_seen", 0.0, MOST_FALSE)):
        texts = tuple(text for text, _ in sentences_of({kind: content[kind]}))
        found = [bool(sign) for sign in signs_of(texts)]
        wrong = [text for text, is_found in zip(texts, found, strict=True) if is_found is not (kind == "seen")]
        assert least <= sum(found) / len(found) <= most, wrong


@pytest.mark.parametrize("meaning", ["seen_to", "on_the_way", "mistaken", "still"])
def test_what_is_said_after_an_alarm_is_understood(meaning: str) -> None:
    lines = yaml.safe_load(AFTER_FILE.read_text(encoding="utf-8"))["after"][meaning]
    texts = [text for text, _ in sentences_of({meaning: lines})]
    assert not [
        text for text, understood in zip(texts, parse(texts), strict=True) if understood[AFTER_KEY][0] != meaning
    ]
