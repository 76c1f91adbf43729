"""The answers of `data/`: each fact of the article stands in one, and none says more than the article."""

import re
from typing import Any

import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.slots import AnySlot
from rasa.shared.core.trackers import DialogueStateTracker

from assistant.message import as_text
from assistant.nlu.signs import SIGN_KEY, the_signs
from assistant.responses import ClinicResponses
from clinic.articles import the_library
from clinic.profile import ROOT, the_clinic

ARTICLE = ROOT.parent / "shared" / "article.txt"
LONGEST_ANSWER = 600
LONGEST_SAFETY_SENTENCE = 20
HIGHEST_SAFETY_GRADE = 6
LONGEST_COPY = 8
# What code fills in: assistant/wordings.py and assistant/responses.py the first lines, the action server the others.
FILLED_BY_CODE = {
    "unsaid",
    "nearest",
    "text",
    "thing",
    "names",
    "rest",
    "your",
    "opening_now",
    "matter",
    "desk_answer",
    "other_condition",
    "reference",
    "when_answered",
    "next_open_day",
    "noted",
    "ending",
    "booking_reference",
    "meant",
    "unread",
    "relation",
    "change",
}

LIBRARY = the_library()
DOMAIN: dict[str, Any] = LIBRARY.domain()
RESPONSES: dict[str, dict[str, Any]] = {name: words[0] for name, words in DOMAIN["responses"].items()}

ANSWERED = sorted(LIBRARY.intents_of("answer"))
# Each text that tells facts of an article, with its metadata; a topic's short answers are among them.
TOLD = [
    (f"{name} {number}", variation)
    for name, variations in LIBRARY.responses.items()
    for number, variation in enumerate(variations, start=1)
    if variation["metadata"].get("kind") in ("answer", "told")
]


@pytest.fixture(scope="module")
def responses() -> ClinicResponses:
    return ClinicResponses(domain=Domain.from_dict(the_library().domain()))


async def shown(responses: ClinicResponses, name: str) -> dict[str, Any]:
    """Return a response as a channel gets it."""
    response = await responses.generate(name, DialogueStateTracker.from_events("rest:1", []), "rest")
    assert response
    return response


def answer(intent: str) -> dict[str, Any]:
    return RESPONSES[f"utter_{intent}"]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:\.[a-z0-9]+)*", text.lower().replace("’", "'").replace("'", ""))


def longest_run(one: list[str], other: list[str]) -> list[str]:
    """Return the longest sequence of words that stands in both."""
    best: list[str] = []
    lengths = [0] * (len(other) + 1)
    for end, word in enumerate(one, start=1):
        # Backwards, as each length rests on the one before it in the previous row.
        for place in range(len(other), 0, -1):
            lengths[place] = lengths[place - 1] + 1 if other[place - 1] == word else 0
            if lengths[place] > len(best):
                best = one[end - lengths[place] : end]
    return best


def tells(text: str, fact: str) -> bool:
    """Tell whether a text holds a fact's words, with others between them where it has a "…"."""
    return bool(re.search(".*".join(re.escape(part.strip()) for part in fact.lower().split("…")), text.lower()))


@pytest.mark.parametrize(("name", "variation"), TOLD, ids=lambda value: value if isinstance(value, str) else "")
def test_an_answer_tells_its_facts(name: str, variation: dict[str, Any]) -> None:
    metadata = variation["metadata"]
    facts = metadata.get("facts", []) if "rests_on" in metadata and "condition" in variation else metadata.get("facts")
    needed = "an answer needs `facts` in its metadata: the words that nobody may take out"
    assert facts or metadata.get("rests_on"), needed
    assert [fact for fact in facts if not tells(variation["text"], fact)] == []


@pytest.mark.parametrize(("name", "variation"), TOLD, ids=lambda value: value if isinstance(value, str) else "")
def test_an_answer_names_its_section(name: str, variation: dict[str, Any]) -> None:
    assert {"section", "article"} <= set(variation["metadata"])


@pytest.mark.parametrize("intent", ANSWERED)
def test_an_answer_has_a_name_for_its_button(intent: str) -> None:
    assert answer(intent)["metadata"]["topic"]


def test_every_response_has_a_kind() -> None:
    assert [name for name, texts in LIBRARY.responses.items() if "kind" not in texts[0]["metadata"]] == []


def test_sections_are_headings_of_the_article() -> None:
    if not ARTICLE.exists():
        pytest.skip("the article is not here")
    headings = {line.strip() for line in ARTICLE.read_text(encoding="utf-8").splitlines()}
    named = {
        response["metadata"]["section"] for response in RESPONSES.values() if "section" in response.get("metadata", {})
    }
    assert named - headings == set()


@pytest.mark.parametrize("intent", ANSWERED)
async def test_an_answer_is_short_and_shows_its_source(responses: ClinicResponses, intent: str) -> None:
    text = as_text(await shown(responses, f"utter_{intent}"))
    section = answer(intent)["metadata"]["section"]
    assert text.endswith(f"\nSource: “{section}”, reviewed by {LIBRARY.article.reviewer}.")
    assert len(text) <= LONGEST_ANSWER
    assert "\n\n" not in text
    assert "{" not in text


@pytest.mark.parametrize("intent", ANSWERED)
def test_an_answer_leads_on_with_two_or_three_buttons(intent: str) -> None:
    payloads = [button["payload"] for button in answer(intent)["buttons"]]
    assert 2 <= len(payloads) <= 3
    assert len(set(payloads)) == len(payloads)
    assert f"/{intent}" not in payloads


@pytest.mark.parametrize("intent", ANSWERED)
def test_an_answer_claims_no_number_dose_or_time(intent: str) -> None:
    text = re.sub(r"\{\w+\}|#1 ranked", "", answer(intent)["text"].lower())
    claim = r"\d|%|\b(mg|percent|minutes|days?|weeks?|months?|years?|daily|twice|guarantee\w*|cures?|always works)\b"
    assert re.findall(claim, text) == []


@pytest.mark.parametrize("name", sorted(RESPONSES))
def test_no_sentence_is_copied_from_the_article(name: str) -> None:
    if not ARTICLE.exists():
        pytest.skip("the article is not here")
    copied = longest_run(words(RESPONSES[name]["text"]), words(ARTICLE.read_text(encoding="utf-8")))
    assert len(copied) <= LONGEST_COPY, " ".join(copied)


@pytest.mark.parametrize("name", sorted(RESPONSES))
def test_placeholders_can_be_filled(name: str) -> None:
    named = set(re.findall(r"\{(\w*)\}", RESPONSES[name]["text"]))
    assert named <= {*the_clinic().placeholders(), *LIBRARY.article.placeholders(), *FILLED_BY_CODE}


def test_what_code_fills_is_asked_for() -> None:
    named = {found for response in RESPONSES.values() for found in re.findall(r"\{(\w+)\}", response["text"])}
    assert named >= FILLED_BY_CODE


@pytest.mark.parametrize("name", sorted(RESPONSES))
def test_words_are_one_message_and_buttons_lead_somewhere(name: str) -> None:
    for variation in DOMAIN["responses"][name]:
        assert "\n\n" not in variation["text"]
        commands = [button["payload"] for button in variation.get("buttons", []) if button["payload"].startswith("/")]
        assert {command.removeprefix("/") for command in commands} <= set(DOMAIN["intents"])


def test_every_intent_is_answered_somewhere() -> None:
    heard = {step.get("intent") for told in [*LIBRARY.rules, *LIBRARY.stories] for step in told["steps"]}
    # Rasa itself answers `restart`; the form alone hears the other two.
    unanswered = set(DOMAIN["intents"]) - heard
    assert unanswered <= {"restart", "inform", "change_answer"}


async def care_now(responses: ClinicResponses, sign: str | None) -> str:
    """Return what is said to a sign of an emergency."""
    message = UserUttered("help", parse_data={SIGN_KEY: sign} if sign else {})
    tracker = DialogueStateTracker.from_events("rest:1", [message])
    response = await responses.generate("utter_report_red_flag", tracker, "rest")
    assert response
    return response["text"]


@pytest.mark.parametrize("sign", ["chest or breathing", "stroke", "allergy"])
async def test_a_threat_to_life_is_told_to_call_at_once(responses: ClinicResponses, sign: str) -> None:
    text = await care_now(responses, sign)
    assert text.startswith(f"Please call {the_clinic().emergency_number} now.")
    assert "leg" not in text


async def test_self_harm_is_answered_with_the_crisis_line_first(responses: ClinicResponses) -> None:
    text = await care_now(responses, "self-harm")
    crisis_line, emergency_number = the_clinic().crisis_line, the_clinic().emergency_number
    assert text.index(crisis_line) < text.index(emergency_number)
    assert not re.search(r"\bleg\b|severe|clinic", text)
    assert the_clinic().phone not in text


async def test_an_emergency_in_spanish_is_answered_in_it(responses: ClinicResponses) -> None:
    text = await care_now(responses, "in Spanish")
    assert "llame al" in text
    assert {the_clinic().crisis_line, the_clinic().emergency_number} <= set(re.findall(r"\d+", text))


@pytest.mark.parametrize("sign", [None, "locked"])
async def test_any_other_emergency_is_told_where_care_is(responses: ClinicResponses, sign: str | None) -> None:
    assert re.search("urgent care or (an )?emergency department", await care_now(responses, sign))


@pytest.mark.parametrize("sign", the_signs().signs)
async def test_each_sign_has_words_that_name_its_door_and_no_other(responses: ClinicResponses, sign: str) -> None:
    text, door = await care_now(responses, sign), the_signs().signs[sign].door
    if door == "visit":
        assert "see a doctor" in text
    else:
        assert the_clinic().emergency_number in text
    assert ("today" in text) is (door == "today")
    assert (the_clinic().crisis_line in text) is (sign in ("self-harm", "in Spanish"))


@pytest.mark.parametrize("name", [name for name in RESPONSES if name.startswith("utter_care")])
def test_words_of_safety_are_short_and_plain(name: str) -> None:
    for variation in DOMAIN["responses"][name]:
        text = re.sub(r"\{\w+\}", "911", variation["text"])
        sentences = [re.findall(r"[A-Za-z']+", part) for part in re.split(r"[.!?;:]\s", text) if part]
        assert max(map(len, sentences)) <= LONGEST_SAFETY_SENTENCE
        if "spanish" not in name:
            told = [word for sentence in sentences for word in sentence]
            syllables = sum(len(re.findall(r"[aeiouy]+(?!$)|[aiouy]+$|ee$|le$", word.lower())) or 1 for word in told)
            # Flesch and Kincaid's grade.
            grade = 0.39 * len(told) / len(sentences) + 11.8 * syllables / len(told) - 15.59
            assert grade <= HIGHEST_SAFETY_GRADE, (round(grade, 1), text)


def test_other_languages_get_the_emergency_numbers_before_the_clinic() -> None:
    text = RESPONSES["utter_speak_other_language"]["text"]
    assert text.index("{emergency_number}") < text.index("{crisis_line}") < text.index("{clinic_phone}")


async def told(
    responses: ClinicResponses, name: str, text: str, ranking: dict[str, float] | None = None, **slots: str
) -> dict[str, Any]:
    """Return what a response becomes after a message."""
    ranked = [{"name": intent, "confidence": confidence} for intent, confidence in (ranking or {}).items()]
    message = UserUttered(text, parse_data={"text": text, "intent_ranking": ranked})
    known = [AnySlot(slot, initial_value=value, mappings=[]) for slot, value in slots.items()]
    tracker = DialogueStateTracker.from_events("rest:1", [message], slots=known)
    response = await responses.generate(name, tracker, "rest")
    assert response
    return response


async def test_a_question_about_a_request_is_answered_by_what_was_sent(responses: ClinicResponses) -> None:
    sent = await told(responses, "utter_ask_booking_status", "did it go through", booking_reference="PXC-4CM")
    assert "PXC-4CM" in sent["text"]
    assert the_clinic().phone in sent["text"]
    assert "not sent a request" in (await told(responses, "utter_ask_booking_status", "did it go through"))["text"]


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("what are your hours", True),
        ("are you open on Friday?", True),
        ("do you take Blue Cross", False),
        ("how much does a visit cost", False),
        ("can I pay online", False),
    ],
)
async def test_what_the_clinic_file_holds_is_told_first(responses: ClinicResponses, text: str, is_told: bool) -> None:
    words = (await told(responses, "utter_ask_clinic_admin", text))["text"]
    assert words.startswith(the_clinic().hours_in_words()) is is_told
    assert the_clinic().phone in words


async def test_only_likely_topics_are_offered(responses: ClinicResponses) -> None:
    ranking = {"ask_causes": 0.4, "out_of_scope": 0.3, "ask_symptoms": 0.12, "ask_treatments": 0.04}
    likely = await told(responses, "utter_did_you_mean", "hm", ranking)
    assert [button["payload"] for button in likely["buttons"]] == ["/ask_causes", "/ask_symptoms", "/ask_help"]
    lonely = await told(responses, "utter_did_you_mean", "hm", {"ask_causes": 0.4, "ask_treatments": 0.04})
    assert [button["payload"] for button in lonely["buttons"]] == ["/ask_causes", "/ask_treatments", "/ask_help"]
    unlikely = await told(responses, "utter_did_you_mean", "hm", {"out_of_scope": 0.4, "ask_treatments": 0.04})
    assert [button["payload"] for button in unlikely["buttons"]] == ["/ask_help", "/ask_human"]


async def test_no_answer_doubles_the_full_stop_of_the_clinics_name(responses: ClinicResponses) -> None:
    for name in (name for name, response in RESPONSES.items() if "condition" not in response):
        assert ".." not in (await shown(responses, name))["text"], name
