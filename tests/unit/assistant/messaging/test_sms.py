"""The alphabet, the segments and the words of text messages."""

import string

import pytest

from assistant.messaging.rendering import outgoing
from assistant.messaging.sms import free_of_keywords, in_gsm_7, keyword, segments
from assistant.messaging.twilio import CAPABILITIES, SMS
from clinic.articles import the_library
from clinic.profile import the_clinic

DOMAIN = the_library().domain()
RESERVED = ("STOP", "STOPALL", "CANCEL", "END", "QUIT", "UNSUBSCRIBE", "HELP", "INFO", "START", "UNSTOP")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("[]{}~|^\\€\f" * 8, 1),
        ("é" * 160, 1),
        ("í" * 70, 1),
        ("í" * 71, 2),
        ("í" * 134, 2),
        ("í" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_segments_are_counted_as_carriers_count(text: str, count: int) -> None:
    assert segments(text) == count


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“Runner’s Knee — Will PT Help?”", '"Runner\'s Knee - Will PT Help?"'),
        ("wait… • one – two", "wait... - one - two"),
        ("Núñez, Łukasz? Zoë, Müller, café, inglés", "Nuñez, Lukasz? Zoe, Müller, café, inglés"),
        ("a\u00a0b\u200bc", "a bc"),
        ("½ × → №", "1/2 x -> №"),
        ("李小龙", "李小龙"),
    ],
)
def test_what_can_be_written_in_gsm_7_is(text: str, plain: str) -> None:
    assert in_gsm_7(text) == plain


@pytest.mark.parametrize(
    "text", ["STOP", "stop", " Stop. ", "stop!", "STOPALL", "unsubscribe", "Cancel", "end", "QUIT"]
)
def test_words_of_carriers_are_known(text: str) -> None:
    assert keyword(text) == "STOP"


@pytest.mark.parametrize(
    "text", ["please stop", "stop it", "ending", "the end", "", "1", "yesterday", "helpful", "started"]
)
def test_other_words_are_not_the_carriers(text: str) -> None:
    assert keyword(text) is None


def test_start_help_and_yes() -> None:
    words = {"start": "START", "UNSTOP": "START", "help": "HELP", " INFO ": "HELP", "Yes.": "YES"}
    assert {word: keyword(word) for word in words} == words


@pytest.mark.parametrize("text", ["help911", "911help", "Help?", "help!!!", "info?"])
def test_a_cry_for_help_is_no_word_of_the_carriers(text: str) -> None:
    assert keyword(text) is None


@pytest.mark.parametrize("word", RESERVED)
@pytest.mark.parametrize("form", ['Say "{}" to leave.', "Reply {} to leave.", "Text “{}.” any time", "{}"])
def test_no_word_of_the_carriers_is_asked_for(word: str, form: str) -> None:
    for spelt in (word, word.lower(), word.capitalize()):
        assert spelt not in free_of_keywords(form.format(spelt))


def test_words_within_a_sentence_stay() -> None:
    text = "I can help: stop running, and start again at the end of the week. If you want to cancel, call us."
    assert free_of_keywords(text) == text


@pytest.mark.parametrize("name", sorted(DOMAIN["responses"]))
def test_a_response_is_plain_short_and_asks_for_no_word_of_the_carriers(name: str) -> None:
    for variation in DOMAIN["responses"][name]:
        values = {**the_clinic().placeholders(), **dict.fromkeys(("summary", "reference", "ending"), "x")}
        text = variation["text"]
        for placeholder, value in values.items():
            text = text.replace(f"{{{placeholder}}}", value)
        (message,) = outgoing([{**variation, "text": text}], CAPABILITIES[SMS])
        assert segments(message.text) <= 6
        assert len(message.text) <= 900
        unusual = {mark for mark in message.text if not mark.isascii()}
        assert unusual <= set("éèñü"), unusual
        # Of what someone could take for an answer to give: what is quoted, and what is offered.
        quoted = [part.strip(string.punctuation).upper() for part in message.text.split('"')[1::2]]
        offered = [line.partition(". ")[2].strip(string.punctuation).upper() for line in message.text.split("\n")[1:]]
        assert not set(RESERVED) & {*quoted, *offered}
