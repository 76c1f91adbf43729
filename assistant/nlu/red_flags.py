"""Signs of an emergency: the patterns of `data/safety/signs.yml`, unless what stands before them denies them."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, PREDICTED_CONFIDENCE_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message

from assistant.nlu.featurizer import QUESTIONS_KEY
from assistant.nlu.literals import needed_texts
from clinic.profile import ROOT

RED_FLAG_INTENT = "report_red_flag"
RED_FLAGS_FILE = ROOT / "data" / "safety" / "signs.yml"
SIGN_KEY = "red_flag"

# A denial reaches a few words on, but not across "but" or the end of a clause.
_DENIED = re.compile(
    r"\b(no(?! idea)|not(?! (sure|only|just))|isnt|is not|arent|wasnt|without|never"
    r"|dont(?! know)|doesnt|didnt|havent|hasnt"
    r"|neither|nor|zero|nothing|negative for|ruled out|rather than|any sign of|afraid of|fear of|if i couldnt|if it)\b"
    r"(?:(?!\b(?:but|however|except|though|yet)\b)[^.;!?]){0,40}$"
)
# A word of despair or fear may stand after a "no" of its own, so that only one close before it denies it.
_DENIED_CLOSELY = re.compile(
    r"\b(no(?! (idea|one|hope|longer|sleep|friends))|not(?! (sure|only|just))|isnt|arent|without|never"
    r"|dont(?! know)|doesnt|didnt|havent|wont|wouldnt|neither|nor|zero)\b"
    r"(?:(?!\b(?:but|and|so|because|or i)\b)[^.,;!?]){0,25}$"
)
_DENIED_WITHIN = re.compile(
    r"\b(no(?! (feeling|movement|reason|\w+ reason|longer|control))|isnt(?! where)|arent|wasnt|hasnt|havent"
    r"|without(?! (trying|meaning))|not(?! (able|stop|bear|breathing|where)))\b"
)
# Patterns of these signs hold the negations that are part of them.
_NEGATED_SIGNS = frozenset({"self-harm", "violence", "in Spanish"})
_LONG_AGO = re.compile(
    r"\b(\d+|an?|two|three|few|several|many|some|couple of) (years?|yrs?|months?) (ago|back)\b"
    r"|\byears (ago|back|since (i|he|she) (broke|fractured|dislocated|tore))\b"
    r"|\blast (year|summer|winter|spring|autumn|fall)\b|\bas a (kid|child|teen\w*)\b|\bin (19|20)\d\d\b|\b(19|20)\d\d,"
    r"|\bwhen i was \d\d\b|\bused to\b|\bin the past\b|\bback in\b|\bhistory of\b|\bprevious\w*\b|\bsince school\b"
    r"|\ball (mended|healed|good since|gone)\b|\bturned out (to be )?(nothing|fine|ok)\b|\bgot checked out\b"
    r"|\b(scan|ultrasound|xray|x ray)\w* (was |is |all |came back )?clear\b"
    r"|\bin (january|february|march|april|may|june|july|spring)\b"
)
# What befell someone else is told of to ask about oneself, unless help is asked for.
_TOLD_OF_OTHERS = re.compile(
    r"\b(my|a|his|her|our)( \w+)? (dad|father|mom|mum|mother|grand\w+|nana|granny|uncle|aunt|friend|buddy|cousin"
    r"|brother|sister|neighbou?r|co ?worker|colleague|boss|roommate)( of mine)?( \w+)?"
    r" (had|broke|fractured|dislocated|tore|suffered|died|got|lost)\b"
    r"(?!.*\b(help|what (do|should|can|shall) (i|we)|an hour|minutes|call)\b)"
)
_NOW = re.compile(r"\b(now|today|tonight|this (morning|afternoon|evening)|right now|suddenly|since yesterday)\b")
_SENTENCE_END = re.compile(r"[.!?;]")
_GENERAL = re.compile(
    r"^(can|could|does|do|is(?! it (normal|ok|okay|bad|serious|dangerous))|will|would|may|might|how|what|when|why|are)"
    r"\b(?!.*\b(i|ive|im|my|me|mine|he|she|his|her|him|hes|shes|we|our|us|it just|just)\b)"
)


# A sign, and what tells of it.
Pattern = tuple[str, re.Pattern[str]]


class RedFlags:
    """Finds the first sign of an emergency that a text does not deny."""

    def __init__(self, path: Path) -> None:
        content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        words: dict[str, str] = content["words"]
        self._patterns = [
            (sign, re.compile(_expanded(pattern, words)))
            for sign, patterns in content["signs"].items()
            for pattern in patterns
        ]
        self._needed = [needed_texts(pattern) for _, pattern in self._patterns]
        self._texts = frozenset().union(*self._needed)

    def find(self, text: str) -> str | None:
        """Return the name of the sign found in `text`, or None."""
        plain = _plain(text)
        for sign, pattern in self._likely(plain):
            for match in pattern.finditer(plain):
                sentence = _sentence_around(plain, match)
                before = plain[: match.start()]
                if sign in _NEGATED_SIGNS:
                    is_none = bool(_DENIED_CLOSELY.search(before))
                else:
                    is_denied = _DENIED.search(before) or _DENIED_WITHIN.search(match[0])
                    is_none = bool(is_denied) or _is_harmless(sentence)
                if not is_none:
                    return sign
        return None

    def is_denied(self, text: str) -> bool:
        """Tell whether `text` speaks of signs, but only to deny them or to tell of another time or person."""
        plain = _plain(text)
        sentences = [sentence for sentence in _SENTENCE_END.split(plain) if sentence.strip()]
        speaks = all(map(_is_past, sentences)) or any(pattern.search(plain) for _, pattern in self._likely(plain))
        return speaks and self.find(text) is None

    def _likely(self, plain: str) -> Iterator[Pattern]:
        """Give the patterns that a text holds something of."""
        held = {text for text in self._texts if text in plain}
        return (pattern for pattern, needed in zip(self._patterns, self._needed, strict=True) if needed & held)


def _is_harmless(sentence: str) -> bool:
    """Tell whether a sentence asks in general, or tells of another time or of another person's past."""
    return _is_past(sentence) or bool(_GENERAL.match(sentence) and not _NOW.search(sentence))


def _is_past(sentence: str) -> bool:
    is_told_of = _LONG_AGO.search(sentence) or _TOLD_OF_OTHERS.search(sentence)
    return bool(is_told_of) and not _NOW.search(sentence)


def _sentence_around(text: str, match: re.Match[str]) -> str:
    start = max(text.rfind(mark, 0, match.start()) for mark in ".!?;") + 1
    end = _SENTENCE_END.search(text, match.end())
    return text[start : end.start() if end else len(text)].strip()


def _plain(text: str) -> str:
    letters = "".join(
        character for character in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(character)
    )
    return re.sub(r"\s+", " ", re.sub(r"['’`]", "", letters)).strip()


def _expanded(pattern: str, words: dict[str, str]) -> str:
    named = re.sub(r"<(\w+)>", lambda match: f"(?:{words[match[1]]})", pattern)
    return rf"\b(?:{named})"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class RedFlagDetector(GraphComponent):
    """Puts the intent of an emergency above whatever else was understood."""

    def __init__(self, red_flags: RedFlags) -> None:
        self._red_flags = red_flags

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "RedFlagDetector":
        return cls(RedFlags(RED_FLAGS_FILE))

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            sign = self._red_flags.find(message.get(TEXT) or "")
            if sign:
                message.set(
                    INTENT, {INTENT_NAME_KEY: RED_FLAG_INTENT, PREDICTED_CONFIDENCE_KEY: 1.0}, add_to_output=True
                )
                message.set(SIGN_KEY, sign, add_to_output=True)
                message.set(QUESTIONS_KEY, [], add_to_output=True)
        return messages
