"""How answers become a channel's messages."""

import re
from typing import Any

import pytest

from assistant.choices import key
from assistant.messaging.rendering import Capabilities, Outgoing, format_text, outgoing
from assistant.messaging.twilio import CAPABILITIES, SMS, WHATSAPP
from clinic.profile import the_clinic

ANSWER = {
    "text": "It has many causes.",
    "source": {"section": "Causes", "reviewer": "Dr. Ann Lee, PT"},
    "buttons": [{"title": "Too much exercise", "payload": "/overuse"}, {"title": "Book a visit", "payload": "/book"}],
}
SHOWN = "It has many causes.\nSource: “Causes”, reviewed by Dr. Ann Lee, PT."
QUESTION = {"text": "What is your name?"}
NATIVE = Capabilities(longest=2000, most_buttons=3, longest_label=20)
PLAIN = Capabilities(longest=2000)


def said(*messages: dict[str, Any], style: Capabilities = PLAIN) -> list[str]:
    return [message.text for message in outgoing(messages, style)]


def test_buttons_are_the_channels_own_where_it_has_them() -> None:
    (message,) = outgoing([ANSWER], NATIVE)
    assert message == Outgoing(SHOWN, (("Too much exercise", "/overuse"), ("Book a visit", "/book")))


@pytest.mark.parametrize(
    "style", [PLAIN, Capabilities(2000, most_buttons=1, longest_label=20), Capabilities(2000, most_buttons=3)]
)
def test_buttons_are_a_numbered_list_where_it_has_none_or_too_few_or_too_short(style: Capabilities) -> None:
    (message,) = outgoing([ANSWER], style)
    assert not message.buttons
    assert message.text.startswith(f"{SHOWN}\n1. Too much exercise\n2. Book a visit\n")
    assert "number" in message.text.split("\n")[-1]


def test_no_payload_is_shown() -> None:
    for style in (PLAIN, NATIVE, *CAPABILITIES.values()):
        assert not [text for text in said(ANSWER, style=style) if "/overuse" in text or "/book" in text]


def test_all_that_is_said_to_one_message_is_one_message() -> None:
    other = {"text": "Rest helps.", "buttons": [{"title": "Book a visit", "payload": "/book"}]}
    (message,) = outgoing([ANSWER, other], PLAIN)
    assert re.findall(r"^\d\. .+$", message.text, re.MULTILINE) == ["1. Too much exercise", "2. Book a visit"]
    assert message.text.index("many causes") < message.text.index("Rest helps") < message.text.index("1. ")


def test_no_list_stands_above_a_question_that_wants_words() -> None:
    assert said(ANSWER, QUESTION) == [f"{SHOWN}\n\nWhat is your name?"]
    (message,) = outgoing([ANSWER, QUESTION], NATIVE)
    assert len(message.buttons) == 2


def test_nothing_said_is_no_message() -> None:
    assert outgoing([], PLAIN) == []
    assert outgoing([{"text": " "}, {"custom": {"a": 1}}], PLAIN) == []


def test_long_payloads_travel_as_digests() -> None:
    reason = "Runner's knee; asked about: " + "a very long topic " * 5
    (message,) = outgoing([{"text": "?", "buttons": [{"title": "This", "payload": reason}]}], NATIVE)
    assert message.buttons == (("This", key(reason)),)


def test_a_long_answer_is_split_between_sentences() -> None:
    sentences = [f"Dr. Lee says sentence {number} at 9 a.m. to you." for number in range(30)]
    parts = said({"text": " ".join(sentences), "buttons": ANSWER["buttons"]}, style=Capabilities(longest=300))
    assert " ".join(parts).startswith(" ".join(sentences))
    assert all(len(part) <= 300 for part in parts)
    assert all(part.endswith("to you.") for part in parts[:-1])
    assert len(parts) < 7
    assert parts[-1].count("\n1. Too much exercise\n2. Book a visit\n") == 1


def test_only_the_last_part_bears_buttons() -> None:
    parts = outgoing(
        [{**ANSWER, "text": "One sentence here. " * 40}], Capabilities(200, most_buttons=3, longest_label=20)
    )
    assert [bool(part.buttons) for part in parts] == [False] * (len(parts) - 1) + [True]


@pytest.mark.parametrize("text", ["word " * 100, "x" * 500, "é" * 333, "a\n" * 120, "https://example.com/" + "a" * 200])
def test_what_has_no_sentences_is_cut_all_the_same_and_nothing_is_lost(text: str) -> None:
    parts = said({"text": text}, style=Capabilities(longest=50))
    assert all(0 < len(part) <= 50 for part in parts)
    assert re.sub(r"\s", "", "".join(parts)) == re.sub(r"\s", "", text)


def test_length_is_that_of_what_is_sent() -> None:
    style = Capabilities(longest=60, format=lambda text: text.replace("&", "&amp;"))
    parts = said({"text": "R&D & more. " * 12}, style=style)
    assert all(len(part) <= 60 for part in parts)
    assert "&amp" not in "".join(parts).replace("&amp;", "")


def test_markup_is_escaped_and_links_and_phone_take_the_channels_form() -> None:
    clinic = the_clinic()
    shown = format_text(
        f"a < b, call {clinic.phone} or see https://x.example/a?b=1.\nBye.",
        clinic,
        escape=lambda part: part.replace("<", "&lt;"),
        phone=lambda number, link: f"<{link}|{number}>",
        link="[{}]".format,
    )
    assert shown == (f"a &lt; b, call <{clinic.phone_link}|{clinic.phone}> or see [https://x.example/a?b=1].\nBye.")


def test_only_the_source_is_marked_as_one_whatever_the_words_say() -> None:
    style = Capabilities(2000, format_source="_{}_".format)
    lying = {"text": "Source: me.", "source": ANSWER["source"]}
    assert said(lying, style=style) == ["Source: me.\n_Source: “Causes”, reviewed by Dr. Ann Lee, PT._"]


def test_a_card_is_lines_after_the_first_line_of_the_words() -> None:
    message = {"text": "Here it is:\nShall I?", "card": [["Name", "Ana"], ["About", "knee"]]}
    assert said(message) == ["Here it is:\nName: Ana\nAbout: knee\nShall I?"]


def test_a_text_message_is_plain_and_whatsapp_is_dressed() -> None:
    (sms,), (whatsapp,) = said(ANSWER, style=CAPABILITIES[SMS]), said(ANSWER, style=CAPABILITIES[WHATSAPP])
    assert '\nSource: "Causes", reviewed by Dr. Ann Lee, PT.\n1. ' in sms
    assert "\n_Source: “Causes”, reviewed by Dr. Ann Lee, PT._\n1. " in whatsapp


def test_a_text_message_has_at_most_ten_segments() -> None:
    parts = said({"text": "Ваше колено болит, когда вы бегаете. " * 60}, style=CAPABILITIES[SMS])
    assert all(len(part) <= 670 for part in parts)
    assert all(
        len(part) <= 1530 for part in said({"text": "A sentence in plain words. " * 100}, style=CAPABILITIES[SMS])
    )
