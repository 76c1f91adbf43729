"""What is read from `data/`, with one article and with a second one that comes as a folder alone."""

import re
from pathlib import Path
from typing import Any

import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.slots import TextSlot
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ENTITIES, INTENT, INTENT_NAME_KEY, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message

from assistant.nlu.decision import Decision
from assistant.nlu.importer import Importer, contrastive_examples
from assistant.responses import ClinicResponses
from clinic.articles import DATA, ArticleError, Library, the_library
from clinic.profile import ROOT

SECOND = ROOT / "tests" / "articles" / "shin_splints"
BOTH = Library([DATA, SECOND])
PLACES = (("assistant", "*.py"), ("actions", "*.py"), ("booking", "*.py"), ("widget/src", "*.ts*"))
OURS = r"knee|patell|runner"


async def said(name: str, **slots: str) -> dict[str, Any]:
    """Return what a response becomes where these slots are set."""
    own = [TextSlot(slot, mappings=[{}], initial_value=slots.get(slot)) for slot in ("article", "aspect")]
    tracker = DialogueStateTracker("rest:1", own)
    responses = ClinicResponses(domain=Domain.from_dict(BOTH.domain()), library=BOTH)
    response = await responses.generate(name, tracker, "rest")
    assert response
    return response


def decided(text: str, intent: str) -> Message:
    """Return a message as it is decided where it is surely of an intent."""
    likely = {intent: 0.98, "report_red_flag": 0.0, "greet": 0.0}
    ranking = [{"name": name, "confidence": confidence} for name, confidence in likely.items()]
    message = Message({TEXT: text, INTENT_RANKING_KEY: ranking})
    return Decision(Decision.get_default_config(), BOTH).process([message])[0]


async def test_each_article_answers_for_itself() -> None:
    knee, shin = await said("utter_ask_causes"), await said("utter_ask_causes", article="shin_splints")
    assert "kneecap" in knee["text"]
    assert knee["source"]["reviewer"] == the_library().article.reviewer
    assert "shinbone" in shin["text"]
    assert shin["source"] == {"section": "What Causes Shin Splints?", "reviewer": "Dr. Example Reviewer, DPT"}


async def test_what_the_second_article_does_not_tell_is_answered_from_the_first() -> None:
    source = (await said("utter_ask_exercises", article="shin_splints"))["source"]
    assert source["reviewer"] == the_library().article.reviewer


async def test_the_most_particular_answer_is_given() -> None:
    assert "two weeks" in (await said("utter_ask_treatments", article="shin_splints", aspect="how_long"))["text"]
    assert "ice" in (await said("utter_ask_treatments", article="shin_splints", aspect="why"))["text"]
    assert "orthotics" in (await said("utter_ask_treatments", aspect="how_long"))["text"]


@pytest.mark.parametrize(
    ("text", "article"),
    [
        ("what causes shin splints", "shin_splints"),
        ("why do my shins hurt", "shin_splints"),
        ("what causes runner's knee", "runners_knee"),
        ("my knee hurts, why", "runners_knee"),
        ("what causes it", None),
        ("is it my shin or my knee", None),
    ],
)
def test_the_article_that_is_named_becomes_the_slot(text: str, article: str | None) -> None:
    message = decided(text, "ask_causes")
    named = [entity["value"] for entity in message.get(ENTITIES) or [] if entity["entity"] == "article"]
    assert named == ([article] if article else [])
    assert message.get(INTENT)[INTENT_NAME_KEY] == "ask_causes"
    domain = Domain.from_dict(BOTH.domain())
    assert [slot.name for slot in domain.slots if slot.name == "article"]


def test_a_condition_with_an_article_is_no_other_condition() -> None:
    assert "shin splints" in the_library().conditions
    assert "shin splints" not in BOTH.conditions
    assert "shin pain" not in {spelling for part in BOTH.words["other_body_part"].values() for spelling in part}
    examples = set(contrastive_examples(BOTH))
    assert ("ask_other_condition", "shin splints") not in examples
    assert {intent for intent, text in examples if "medial tibial stress" in text} <= set(BOTH.shapes)


def test_rasa_reads_both() -> None:
    importer = Importer(domain_path=str(ROOT / "domain.yml"), training_data_paths=[str(DATA), str(SECOND)])
    domain = importer.get_domain()
    for name in ("utter_ask_causes", "utter_ask_treatments"):
        assert {each["metadata"]["article"] for each in domain.responses[name]} == {"runners_knee", "shin_splints"}
    assert "ask_cause_shoes" in domain.intents
    assert "ask_cause_shoes" in BOTH.intents_of("answer")
    assert ("ask_causes", "what gives you shin splints") in BOTH.examples


def test_a_short_answer_inherits_its_topics_kind_and_a_message_carries_no_facts() -> None:
    metadata = [variation["metadata"] for variation in BOTH.responses["utter_ask_treatments"]]
    (short,) = [each for each in metadata if each.get("section") == "Back to Running"]
    assert (short["kind"], short["topic"]) == ("answer", "How it is treated")
    assert not any("facts" in text["metadata"] for texts in BOTH.domain()["responses"].values() for text in texts)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("responses: {utter_x: [{text: Hello, metadata: {kind: anwser}}]}", "`kind`"),
        ("responses: {utter_x: [{text: A, metadata: {kind: told}}, {text: B}]}", "`condition`"),
        ("- a list", "names and values"),
        ("a: b: c", "cannot be read"),
        ("stories: [{story: no, steps: []}]", "quotation marks"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, content: str, named: str) -> None:
    (tmp_path / "topic.yml").write_text(content, encoding="utf-8")
    with pytest.raises(ArticleError, match=re.escape(named)):
        Library([tmp_path])


def test_a_faulty_article_names_its_values(tmp_path: Path) -> None:
    folder = tmp_path / "articles" / "elbow"
    folder.mkdir(parents=True)
    (folder / "article.yml").write_text("title: Elbows\nreviewr: Dr. X\n", encoding="utf-8")
    with pytest.raises(ArticleError, match=r"(?s)article\.yml.*reviewer.*reviewr"):
        Library([tmp_path])


def test_no_code_knows_a_condition_or_a_set_of_intents() -> None:
    """Conditions are named in `data/`, and intents in `clinic/intents.py` alone."""
    library, found = the_library(), []
    # The one-word names of small talk are words of English too.
    names = "|".join(sorted((name for name in library.intents if "_" in name), key=len, reverse=True))
    for folder, pattern in PLACES:
        for path in sorted((ROOT / folder).rglob(pattern)):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                line = re.sub(r"rasa\.engine\.runner|GraphRunner|SequentialRunner|_?runner\b", "", line)
                if re.search(OURS, line, re.IGNORECASE) or re.search(rf"[\"'](?:{names})[\"']", line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
