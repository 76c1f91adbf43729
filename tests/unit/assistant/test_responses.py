"""The answers of `data/`: each fact of the article stands in one, and none says more than the article."""

import re
from typing import Any

import pytest
import yaml
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.slots import AnySlot
from rasa.shared.core.trackers import DialogueStateTracker

from assistant.message import as_text
from assistant.nlu.decision import ARTICLE_INTENTS
from assistant.nlu.red_flags import RED_FLAGS_FILE, SIGN_KEY
from assistant.responses import ClinicResponses
from clinic.articles import the_library
from clinic.profile import ROOT, the_clinic

ARTICLE = ROOT.parent / "shared" / "article.txt"
LONGEST_ANSWER = 600
LONGEST_COPY = 8
# What code fills in: assistant/responses.py the first, the action server the others.
FILLED_BY_CODE = {
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

DOMAIN: dict[str, Any] = the_library().domain()
RESPONSES: dict[str, dict[str, Any]] = {name: words[0] for name, words in DOMAIN["responses"].items()}

# answer -> (the article's section it rests on, the facts it tells: each a pattern)
FACTS: dict[str, tuple[str, list[str]]] = {
    "ask_definition": (
        "What Is Runner’s Knee?",
        [
            r"pain .*under the kneecap \(the patella\)",
            r"many possible causes",
            r"around or behind the kneecap",
            r"\brun\b.*\bsquat\b.*\bsit for a long time",
            r"exercise .*very hard",
            r"patellofemoral joint",
        ],
    ),
    "ask_causes": (
        "What Causes Runner’s Knee?",
        [
            r"most often .*exercising too much",
            r"pressure on the knee joint",
            r"walking, running,? squatting and jumping",
            r"overwork a knee",
            r"running or knee bending",
            r"kneecap sitting too high",
            r"weak thigh muscles",
            r"tight hamstrings",
            r"tight achilles tendons",
            r"feet that lack support",
        ],
    ),
    "ask_cause_overuse": (
        "What Causes Runner’s Knee?",
        [
            r"most common cause",
            r"addictive",
            r"results",
            r"faster or more often",
            r"breaks tissue down",
            r"muscles need rest to recover",
            r"without that recovery",
        ],
    ),
    "ask_cause_kneecap_alignment": (
        "Poor Alignment of Your Kneecap",
        [
            r"floating bone",
            r"groove of the thighbone \(femur\)",
            r"bend and straighten",
            r"glide up and down",
            r"glides the wrong way",
            r"friction",
            r"inflammation and pain",
        ],
    ),
    "ask_cause_weak_muscles": (
        "Weak Leg Muscles",
        [
            r"quadriceps",
            r"hip flexors",
            r"hold the kneecap in place",
            r"up, down, left and right",
            r"scrape the cartilage",
            r"irritation and pain",
        ],
    ),
    "ask_symptoms": (
        "Runner’s Knee Symptoms",
        [
            r"\bwalk up or down stairs or hills",
            r"\bexercise\b",
            r"\bsquat\b",
            r"sit with the knee bent for a long time",
            r"most common .*under the kneecap",
            r"clicking or grinding",
            r"dull ache that lasts for hours",
            r"less often.*touched",
        ],
    ),
    "ask_symptom_pain_to_touch": (
        "Kneecap Is Painful To the Touch",
        [r"when the kneecap is touched", r"less common", r"injury of the bones", r"outside of the kneecap"],
    ),
    "ask_symptom_pain_location": (
        "Burning Pain Under the Kneecap",
        [r"most common", r"sharp or burning pain under the kneecap", r"side .*top", r"another knee problem"],
    ),
    "ask_symptom_crepitus": (
        "Knee Crepitus",
        [r"clicking, grinding or crunching", r"crepitus", r"certain movements", r"resting for a long while"],
    ),
    "ask_diagnosis": (
        "Runner’s Knee Symptoms",
        [r"signs are quite specific", r"rule out other knee problems", r"bursitis", r"doctor or therapist", r"\bmri\b"],
    ),
    "ask_treatments": (
        "Runner’s Knee Treatment",
        [
            r"most common treatments",
            r"physical therapy",
            r"orthotics",
            r"rest .*ice, compression and elevation",
            r"anti-inflammatory medication",
            r"severe cases .*surgery",
            r"exercises and a change of activity",
        ],
    ),
    "ask_treatment_physical_therapy": (
        "Runner’s Knee Physical Therapy — Will PT Help?",
        [
            r"right physical therapy .*easily resolved",
            r"reduce swelling and pain",
            r"more blood",
            r"speed up healing",
            r"doctor of physical therapy shows",
            r"strengthen other parts of the leg .*support the knee",
            r"stretches may help",
            r"avoid surgery for now",
        ],
    ),
    "ask_treatment_orthotics": (
        "Runner’s Knee Treatment",
        [
            r"biomechanics",
            r"may add to the symptoms",
            r"fit properly may ease",
            r"therapist can examine your feet",
            r"the way you run",
        ],
    ),
    "ask_treatment_rice": (
        "Runner’s Knee Treatment",
        [r"rest, ice, compression and elevation", r"r\.i\.c\.e\.", r"first symptoms", r"early pain or swelling"],
    ),
    "ask_treatment_medication": (
        "Anti-Inflammatory Medications",
        [
            r"doctor or physical therapist might recommend",
            r"anti-inflammatories taken by mouth .*over the counter",
            r"prescribed corticosteroid injection",
        ],
    ),
    "ask_treatment_surgery": (
        "Surgery for Runner’s Knee",
        [
            r"generally for severe cases only",
            r"other options have been used up",
            r"before deciding .*talk it over with your doctor of physical therapy",
            r"weigh all your options",
        ],
    ),
    "ask_exercises": (
        "Best Runner’s Knee Exercises",
        [
            r"weak legs can strain the knee",
            r"doctor or therapist might suggest",
            r"muscles around it",
            r"hamstring stretches, leg lifts and clam exercises",
            r"bending, jumping or running",
            r"rest may be the best thing",
            r"professional check you before you start any stretch or exercise",
            r"does not get worse",
            r"the article does not say how to do them, how often, or which to avoid",
        ],
    ),
    "ask_activity_modification": (
        "Modifying Activities and Exercises for Runner’s Knee",
        [
            r"one of the best things",
            r"alter it",
            r"a little differently",
            r"less strenuous",
            r"swimming",
            r"indoors on a treadmill instead of on flat ground",
        ],
    ),
    "ask_clinic": (
        "How In Motion O.C. Can Help With Runner’s Knee",
        [
            r"experience of exercise injuries",
            r"dozens of people get past knee pain",
            r"exact cause",
            r"plan for healing",
            r"specific exercises and changes",
            r"#1 ranked physical therapist in the country on yelp",
            r"call \{clinic_phone\}",
        ],
    ),
}


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


def test_the_table_holds_every_answer() -> None:
    assert set(FACTS) == ARTICLE_INTENTS


@pytest.mark.parametrize("intent", sorted(FACTS))
def test_an_answer_tells_its_facts(intent: str) -> None:
    _, facts = FACTS[intent]
    assert [fact for fact in facts if not re.search(fact, answer(intent)["text"].lower())] == []


@pytest.mark.parametrize("intent", sorted(FACTS))
def test_an_answer_names_its_section(intent: str) -> None:
    section, _ = FACTS[intent]
    assert answer(intent)["metadata"]["section"] == section
    assert answer(intent)["metadata"]["topic"]


def test_sections_are_headings_of_the_article() -> None:
    if not ARTICLE.exists():
        pytest.skip("the article is not here")
    headings = {line.strip() for line in ARTICLE.read_text(encoding="utf-8").splitlines()}
    named = {
        response["metadata"]["section"] for response in RESPONSES.values() if "section" in response.get("metadata", {})
    }
    assert named - headings == set()


@pytest.mark.parametrize("intent", sorted(FACTS))
async def test_an_answer_is_short_and_shows_its_source(responses: ClinicResponses, intent: str) -> None:
    text = as_text(await shown(responses, f"utter_{intent}"))
    section, _ = FACTS[intent]
    assert text.endswith(f"\nSource: “{section}”, reviewed by {the_clinic().article.reviewer}.")
    assert len(text) <= LONGEST_ANSWER
    assert "\n\n" not in text
    assert "{" not in text


@pytest.mark.parametrize("intent", sorted(FACTS))
def test_an_answer_leads_on_with_two_or_three_buttons(intent: str) -> None:
    payloads = [button["payload"] for button in answer(intent)["buttons"]]
    assert 2 <= len(payloads) <= 3
    assert len(set(payloads)) == len(payloads)
    assert f"/{intent}" not in payloads


@pytest.mark.parametrize("intent", sorted(FACTS))
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
    assert named <= {*the_clinic().placeholders(), *FILLED_BY_CODE}


def test_what_code_fills_is_asked_for() -> None:
    named = {found for response in RESPONSES.values() for found in re.findall(r"\{(\w+)\}", response["text"])}
    assert named >= FILLED_BY_CODE


@pytest.mark.parametrize("name", sorted(RESPONSES))
def test_words_are_one_message_and_buttons_lead_somewhere(name: str) -> None:
    variations = DOMAIN["responses"][name]
    assert len(variations) == 1
    assert "\n\n" not in variations[0]["text"]
    commands = [button["payload"] for button in variations[0].get("buttons", []) if button["payload"].startswith("/")]
    assert {command.removeprefix("/") for command in commands} <= set(DOMAIN["intents"])


def test_every_intent_is_answered_somewhere() -> None:
    heard = {step.get("intent") for told in [*the_library().rules, *the_library().stories] for step in told["steps"]}
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


@pytest.mark.parametrize("sign", ["chest and breathing", "stroke", "allergy or overdose"])
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
    assert "urgent care or emergency department" in await care_now(responses, sign)


def test_signs_that_words_are_for_exist() -> None:
    signs = yaml.safe_load(RED_FLAGS_FILE.read_text(encoding="utf-8"))["signs"]
    named = [sign for words in RESPONSES.values() for sign in words.get("metadata", {}).get("signs", [])]
    assert named
    assert set(named) <= set(signs)
    assert len(set(named)) == len(named)


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
    for name in RESPONSES:
        assert ".." not in (await shown(responses, name))["text"], name
