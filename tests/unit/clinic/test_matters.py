"""The front desk's matters are found by their words, and answered by what the clinic has filled in."""

import datetime

import pytest

from assistant.desk import Desk
from clinic.articles import the_library
from clinic.matters import check_desk, the_matters
from clinic.profile import ClinicError
from tests.support.samples import CLINIC

FOUND = {
    "does your place take Humana": "insurance",
    "what would one visit cost me without a plan": "price",
    "got two invoices for the same tuesday": "bill",
    "where can I park my truck": "parking",
    "is there a parking lot": "parking",
    "what's the address please": "address",
    "r u open on saturdays": "hours",
    "do I need a referral from my GP": "referral",
    "can I do a video visit": "telehealth",
    "what should I bring along": "bring",
    "what do i wear": "wear",
    "does anyone speak Korean": "languages",
    "please send my records to Dr Wu": "records",
    "I left my water bottle there": "lost_property",
    "the receptionist was rude to my mother": "complaint",
    "are you guys hiring": "jobs",
    "running 10 minutes late sorry": "late",
    "I'm stuck in traffic": "late",
    "need to reschedule thursday": "cancelling",
    "the intake form won't open": "forms",
    "is Dr Thomas still with you": "therapists",
    "whats your phone number": "phone",
    "how soon could you see me": "wait",
    "what causes runner's knee": None,
    "my knee hurts on stairs": None,
    "should I rest or run": None,
    "the pain comes late in the run": None,
    "my kneecap clicks when I open the door": None,
}
SUNDAY = datetime.datetime(2026, 11, 29, 5, 25, tzinfo=CLINIC.zone)


@pytest.mark.parametrize("text", FOUND)
def test_a_matter_is_found_by_its_words(text: str) -> None:
    found = the_matters().find(text)
    assert (found.name if found else None) == FOUND[text]


@pytest.mark.parametrize("text", ["what would one visit cost", "hours", "first available slot"])
def test_what_is_not_sure_counts_in_a_question_to_the_desk_alone(text: str) -> None:
    desk = Desk(CLINIC, {})
    assert desk.matter(text, is_to_the_desk=True)
    assert desk.matter(text, is_to_the_desk=False) is None


def test_the_clinics_own_answer_comes_before_all_others() -> None:
    responses = the_library().responses
    matters = the_matters()
    hours, gift = matters.find("what are your hours"), matters.find("gift card?")
    assert hours
    assert gift
    empty = Desk(CLINIC, responses, lambda: SUNDAY)
    assert [empty.response(hours), empty.response(gift)] == ["utter_desk_hours", "utter_desk_matter"]
    filled = Desk(CLINIC.model_copy(update={"desk": {"gift": "We sell gift cards at the desk."}}), responses)
    assert filled.response(gift) == "utter_desk_answer"
    assert filled.values(gift)["desk_answer"] == "We sell gift cards at the desk."
    assert empty.values(gift) == {
        "opening_now": "Today, Sunday, it is closed; it opens tomorrow, Monday, at 7 am.",
        "matter": "gift cards",
        "desk_answer": "",
    }


def test_an_answer_to_no_matter_is_named() -> None:
    with pytest.raises(ClinicError, match="insurances; the matters are address, "):
        check_desk(CLINIC.model_copy(update={"desk": {"insurances": "All."}}))


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-30 06:00", "It opens today at 7 am."),
        ("2026-11-30 10:00", "It is open today until 7 pm."),
        ("2026-11-30 20:00", "It is closed now and opens tomorrow, Tuesday, at 7 am."),
        ("2026-12-25 09:00", "Today, Friday, it is closed; it opens Monday at 7 am."),
    ],
)
def test_it_says_whether_someone_is_there_and_when_next(moment: str, words: str) -> None:
    local = datetime.datetime.fromisoformat(moment).replace(tzinfo=CLINIC.zone)
    assert CLINIC.opening_in_words(local) == words


@pytest.mark.parametrize("repeated", ["my ", "left my a", "near me ", "how much is ", "no one called ", "from home "])
def test_a_long_text_is_cut_before_it_is_searched(repeated: str) -> None:
    assert the_matters().find(repeated * 20_000 + " parking") is None
