"""The words that each article has for the aspects and things people ask about: true to it, short and plain."""

import re
from typing import Any

import pytest
import yaml

from assistant.wordings import Wordings
from clinic.articles import DATA, the_library
from clinic.profile import ROOT
from tests.support.readability import grade, longest_sentence, sentences

ARTICLE = ROOT.parent / "shared" / "article.txt"
FOLDER = DATA / "articles" / "runners_knee"
FACTS: dict[str, dict[str, str]] = yaml.safe_load((FOLDER / "facts.yml").read_text(encoding="utf-8"))["facts"]
LONGEST, LONGEST_SENTENCE, HIGHEST_GRADE, LONGEST_COPY = 250, 20, 8, 8
MOST_ON_AVERAGE = 130
# What answers a question by its polarity, so that the question's opposite gets a lie.
VERDICT = re.compile(
    r"(yes|no|sure|of course|certainly|definitely|absolutely|probably|possibly|maybe|most likely|usually"
    r"|(it|they|that|this|these|those) (might|may|can|could|will|would|do|does|is|are|should)( not)?( be)?)[.,!]"
    r"|(yes|no|sure|of course|certainly|definitely|absolutely|probably|most likely|they might|it might)\b",
    re.IGNORECASE,
)
CLAIM = re.compile(r"\d|%|\b(mg|percent|twice|daily|guarantee\w*|cures?|always works)\b", re.IGNORECASE)

Variation = dict[str, Any]
RESPONSES: dict[str, list[Variation]] = the_library().responses
CELLS = [
    (f"{name.removeprefix('utter_')}: {' '.join(each['value'] for each in variation['condition'])} {index}", variation)
    for name, variations in RESPONSES.items()
    for index, variation in enumerate(variations)
    if variation.get("condition") and "rests_on" in variation.get("metadata", {})
]
TOPICS = sorted({name for name, variations in RESPONSES.items() if "it" in variations[0].get("metadata", {})})
WORDINGS = Wordings(RESPONSES, FOLDER.name)
each_cell = pytest.mark.parametrize("cell", [cell for _, cell in CELLS], ids=[name for name, _ in CELLS])


def plain(text: str) -> str:
    return re.sub(r"[\s•]+", " ", text).replace("… ", "").strip()


def filled(text: str) -> str:
    return text.replace("{your}", "your").replace("{clinic_name}", "the clinic").replace("{clinic_phone}", "the phone")


@pytest.mark.parametrize("name", sorted(FACTS))
def test_each_fact_stands_in_the_article_in_its_words(name: str) -> None:
    if not ARTICLE.exists():
        pytest.skip("the article is not here")
    text = ARTICLE.read_text(encoding="utf-8")
    assert FACTS[name]["heading"] in {line.strip() for line in text.splitlines()}
    missing = [fact for fact, quoted in FACTS[name].items() if plain(quoted) not in plain(text)]
    assert missing == []


def test_every_fact_is_told_by_some_answer() -> None:
    told = {fact for variations in RESPONSES.values() for each in variations for fact in _facts(each)}
    known = {f"{section}.{fact}" for section, facts in FACTS.items() for fact in facts if fact != "heading"}
    assert told - known == set()
    assert known - told == set()


def _facts(variation: Variation) -> list[str]:
    rests_on: list[str] = variation.get("metadata", {}).get("rests_on", [])
    return rests_on


@each_cell
def test_words_name_the_section_of_a_fact_they_rest_on(cell: Variation) -> None:
    assert _facts(cell)
    headings = {FACTS[fact.split(".")[0]]["heading"] for fact in _facts(cell)}
    assert cell["metadata"]["section"] in headings


@each_cell
def test_words_open_with_no_verdict(cell: Variation) -> None:
    assert not VERDICT.match(cell["text"])


@each_cell
def test_words_claim_no_number_or_dose(cell: Variation) -> None:
    assert not CLAIM.search(cell["text"])


@each_cell
def test_words_are_short_and_plain(cell: Variation) -> None:
    if cell["condition"][0]["name"] == "kind" or cell["condition"][0]["value"] == "nearest":
        pytest.skip("a part of an answer is measured with the frame around it")
    text = filled(cell["text"])
    assert len(text) <= LONGEST
    assert longest_sentence(text) <= LONGEST_SENTENCE
    assert grade(text) <= HIGHEST_GRADE


def test_words_are_short_on_average() -> None:
    lengths = [len(cell["text"]) for _, cell in CELLS]
    assert sum(lengths) / len(lengths) <= MOST_ON_AVERAGE


@each_cell
def test_words_are_not_copied_from_the_article(cell: Variation) -> None:
    if not ARTICLE.exists():
        pytest.skip("the article is not here")
    article = f" {' '.join(_words(ARTICLE.read_text(encoding='utf-8')))} "
    said = _words(cell["text"])
    runs = [" ".join(said[start : start + LONGEST_COPY + 1]) for start in range(len(said) - LONGEST_COPY)]
    assert [run for run in runs if f" {run} " in article] == []


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:\.[a-z0-9]+)*", text.lower().replace("’", "'").replace("'", ""))


@each_cell
def test_what_opens_with_silence_is_marked_as_such(cell: Variation) -> None:
    opens_silent = re.match(r"The article (does not|names no |gives no |ranks no )", cell["text"])
    assert bool(opens_silent) is bool(cell["metadata"].get("is_silent"))


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_has_words_for_short_and_for_what_is_nearest(name: str) -> None:
    assert WORDINGS.under(name, aspect="simpler")
    assert WORDINGS.under(name, aspect="nearest")
    assert all(longest_sentence(each["text"]) <= LONGEST_SENTENCE for each in RESPONSES[name][:1])
    assert grade(filled(RESPONSES[name][0]["text"])) <= HIGHEST_GRADE


# A question and its opposite get the same words, and these are true of both.
@pytest.mark.parametrize("aspect", ["help", "bad", "need", "can", "fails", "lasting", "serious", "risk"])
@pytest.mark.parametrize("name", TOPICS)
def test_an_answer_is_true_whichever_way_it_is_asked(name: str, aspect: str) -> None:
    asked = {"aspect": aspect, "sureness": 0.9}
    text = WORDINGS.answer(name.removeprefix("utter_"), asked, [])["text"]
    assert not VERDICT.match(text)


@pytest.mark.parametrize("aspect", ["long", "often", "when", "get", "home", "risk", "how"])
@pytest.mark.parametrize("name", TOPICS)
def test_silence_opens_no_two_answers_in_a_row(name: str, aspect: str) -> None:
    topic, asked = name.removeprefix("utter_"), {"aspect": aspect, "sureness": 0.9}
    first = WORDINGS.answer(topic, asked, [])["text"]
    second = WORDINGS.answer(topic, {**asked, "aspect": "often" if aspect == "long" else "long"}, [first])["text"]
    assert not (first.startswith("The article does not") and second.startswith("The article does not"))


@pytest.mark.parametrize("aspect", ["long", "help", "why", "fails", "whole"])
@pytest.mark.parametrize("name", TOPICS)
def test_a_question_that_is_asked_again_gets_other_words(name: str, aspect: str) -> None:
    topic, asked = name.removeprefix("utter_"), {"aspect": aspect, "sureness": 0.9}
    said: list[str] = []
    for _ in range(3):
        text = WORDINGS.answer(topic, asked, said)["text"]
        assert text not in said
        said.insert(0, text)


@pytest.mark.parametrize("kind", sorted(yaml.safe_load((DATA / "lookups" / "things.yml").read_text())["unmentioned"]))
def test_a_thing_that_is_not_mentioned_is_named_in_plain_sentences(kind: str) -> None:
    asked = {"aspect": "help", "sureness": 0.9, "thing": "knitting", "kind": kind}
    said: list[str] = []
    for _ in range(3):
        text = WORDINGS.answer("ask_treatments", asked, said)["text"]
        assert "knitting" in text
        assert longest_sentence(text) <= LONGEST_SENTENCE
        assert grade(text) <= HIGHEST_GRADE + 2
        assert len(sentences(text)) <= 3
        said.insert(0, text)
