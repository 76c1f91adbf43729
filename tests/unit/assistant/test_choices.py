"""Which choice is meant by what is typed."""

import pytest

from assistant.choices import LONGEST_KEY, chosen, is_closed, key, offer, pressed

REASON = "Runner's knee; asked about: What causes it, Too much exercise as a cause"
OFFER = [
    {"title": "Yes, I have", "payload": "/affirm"},
    {"title": "No, I am new", "payload": "/deny"},
    {"title": "Skip", "payload": "skip"},
    {"title": REASON, "payload": REASON},
]


@pytest.mark.parametrize(
    "text",
    [
        *("2", " 2. ", "2)", "(2)", "#2", "2️⃣", "２", "number 2", "No. 2", "option 2 please", "2 thanks", "two"),
        *("Second one", "the second", "I'll take 2", "2 no, I am new", "2. No, I am new!", "NO I AM NEW"),
    ],
)
def test_a_number_or_a_label_is_the_choice(text: str) -> None:
    assert chosen(text, OFFER, is_numbered=True) == "/deny"


@pytest.mark.parametrize("text", ["2", "the second one", "2 please", "2 no, I am new"])
def test_a_number_is_no_choice_where_none_was_shown(text: str) -> None:
    assert chosen(text, OFFER, is_numbered=False) is None


@pytest.mark.parametrize("text", ["yes i have", "Yes, I have.", "“Yes, I have”", "yes, i have please", "YES, I HAVE!!"])
@pytest.mark.parametrize("is_numbered", [True, False])
def test_a_labels_words_are_the_choice_on_every_channel(text: str, is_numbered: bool) -> None:
    assert chosen(text, OFFER, is_numbered) == "/affirm"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "0",
            "5",
            "12",
            "-",
            "",
            "??",
            "2 pm",
            "at 2",
            "2 3",
            "1 2",
            "2 weeks",
            "2.5",
            "2nd street",
            "1/2",
            "no",
            "yes",
        ),
        *("949-555-0133", "19495550133", "No, I am new to this and it hurts", "3 yes, I have", "number", "one two"),
    ],
)
def test_anything_else_is_left_to_be_understood(text: str) -> None:
    assert chosen(text, OFFER, is_numbered=True) is None


def test_a_payload_of_words_can_be_chosen() -> None:
    assert chosen("4", OFFER, is_numbered=True) == REASON
    assert chosen("skip", OFFER, is_numbered=False) == "skip"


def test_a_press_is_known_by_payload_or_digest_and_only_while_it_is_on_offer() -> None:
    assert len(key(REASON).encode()) <= LONGEST_KEY
    for button in OFFER:
        assert pressed(key(button["payload"]), OFFER) == button["payload"]
        assert pressed(button["payload"], OFFER) == button["payload"]
        assert pressed(key(button["payload"]), []) is None
    assert key("/" + "é" * 40) != key("/" + "é" * 41)


def test_an_offer_holds_each_button_once_in_its_order() -> None:
    book = {"title": "Book a visit", "payload": "/book_appointment"}
    causes = {"title": "What causes it?", "payload": "/ask_causes"}
    said = [{"text": "a", "buttons": [causes, book]}, {"text": "b"}, {"text": "c", "quick_replies": [book]}]
    assert offer(said) == [causes, book]
    assert is_closed(said)
    assert not is_closed(said[:2])
    assert not is_closed([])
