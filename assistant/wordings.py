"""Wordings: which variation of a response answers the very thing that was asked, in words that were not just said."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

Variation = dict[str, Any]

# How many of the latest messages may not be said again.
_RECENT = 4
_OPENING_WORDS = 3
_SILENT, _SILENT_AGAIN = "utter_article_is_silent", "utter_article_is_silent_again"
_NOT_MENTIONED, _NAMED_INSTEAD = "utter_not_mentioned", "utter_named_instead"
_NOTHING_NEW = "utter_said_already"
_WHOLE, _SIMPLER, _NEAREST = "whole", "simpler", "nearest"
# What the article names instead of a thing, where a question is about causes or signs whatever the thing is.
_KINDS_OF_TOPICS = {"ask_cause": "cause", "ask_symptom": "sign"}
_MORE = "More on this"
_MOST_BUTTONS = 3
# How sure an aspect must be for the answer to say that the article is silent on it.
_SURE = 0.5


class Wordings:
    """The variations of responses by their conditions.

    A topic's response begins with what is said of the topic as a whole. The variations after it each have a
    `condition`: the aspect, the thing or both that they speak of; several with the same one are wordings of it.
    """

    def __init__(self, responses: Mapping[str, list[Variation]], article: str) -> None:
        """Take the variations of one article, and those of none."""
        self._responses = {
            name: [each for each in variations if each.get("metadata", {}).get("article") in {None, article}]
            for name, variations in responses.items()
        }
        self._table: dict[tuple[str, frozenset[tuple[str, str]]], list[Variation]] = {}
        for name, variations in self._responses.items():
            for variation in variations:
                self._table.setdefault((name, _conditions(variation)), []).append(variation)

    def is_topic(self, intent: str) -> bool:
        """Tell whether the article has words for an intent."""
        return bool(self._responses.get(f"utter_{intent}"))

    def under(self, name: str, **conditions: str | None) -> list[Variation]:
        """Return the variations of a response with just these conditions; those that are None do not count."""
        wanted = frozenset((key, value) for key, value in conditions.items() if value is not None)
        return self._table.get((name, wanted), [])

    def answer(self, topic: str, asked: Mapping[str, Any], said: Sequence[str]) -> Variation:
        """Return the wording that answers what was asked of a topic, or says that all is said.

        Args:
            topic: the intent of the topic.
            asked: the aspect, thing and kind that the message asks for.
            said: what was said before, the last first.
        """
        whole = self._responses[f"utter_{topic}"][0]
        recent = said[:_RECENT]
        fitting = [wording for wording in self._fitting(topic, whole, asked) if not is_among(wording, recent)]
        others = [wording for wording in self._others(topic, whole, asked) if not is_among(wording, recent)]
        if not fitting and not others:
            return self._responses[_NOTHING_NEW][0]
        last = _opening(recent[0]) if recent else None
        candidates = fitting or others
        is_same = {
            index for index, each in enumerate(candidates) if _is_silent(each) and _opening(each["text"]) == last
        }
        best = next((index for index in range(len(candidates)) if index not in is_same), 0)
        chosen = candidates[best]
        if best in is_same:
            text = chosen["text"][0].lower() + chosen["text"][1:]
            chosen = {**chosen, "text": self._responses[_SILENT_AGAIN][0]["text"].replace("{text}", text)}
        return {**chosen, "buttons": _buttons(topic, whole, is_whole=chosen is whole)}

    def _fitting(self, topic: str, whole: Variation, asked: Mapping[str, Any]) -> Iterator[Variation]:
        """Yield what answers just what was asked, the best first."""
        name = f"utter_{topic}"
        aspect, thing, kind = asked.get("aspect"), asked.get("thing"), asked.get("kind")
        if kind:
            yield from self._not_mentioned(topic, kind, str(thing))
            return
        is_whole = aspect in {None, _WHOLE, *whole["metadata"].get("as_whole", [])}
        if is_whole and not thing:
            if asked.get("is_short"):
                yield from self.under(name, aspect=aspect) or self.under(name, aspect=_SIMPLER)
            yield whole
            return
        if aspect:
            yield from self.under(name, thing=thing, aspect=aspect)
            yield from self._silent(topic, whole, asked)
        if thing:
            yield from self.under(name, thing=thing)

    def _others(self, topic: str, whole: Variation, asked: Mapping[str, Any]) -> Iterator[Variation]:
        """Yield what else there is to say of a topic, where all that answers just what was asked was said."""
        name, aspect = f"utter_{topic}", asked.get("aspect")
        if aspect == _SIMPLER:
            yield from self.under(name, aspect=_NEAREST)
            return
        if aspect and asked.get("thing") and not asked.get("kind"):
            yield from self.under(name, aspect=aspect)
        yield from self.under(name, aspect=_SIMPLER)
        if not asked.get("kind"):
            yield whole

    def _silent(self, topic: str, whole: Variation, asked: Mapping[str, Any]) -> Iterator[Variation]:
        """Yield that the article does not say what is asked for, beside what it says that is nearest."""
        aspect, thing = asked.get("aspect"), asked.get("thing")
        name = f"utter_{topic}"
        general = self.under(_SILENT, aspect=aspect) if aspect else []
        if asked.get("sureness", 1.0) < _SURE:
            return
        unsaid = whole["metadata"].get("unsaid", {}).get(aspect) or (general[0]["text"] if general else None)
        if not unsaid or (self.under(name, aspect=aspect) and not thing):
            return
        nearest = (self.under(name, thing=thing) if thing else []) or self.under(name, aspect=_NEAREST)
        for fact in nearest:
            for frame in self._frames(_SILENT):
                text = frame["text"].replace("{unsaid}", unsaid).replace("{nearest}", fact["text"])
                text = text.replace("{it}", str(thing or whole["metadata"].get("it", topic)))
                yield {**fact, "text": text, "metadata": {**fact.get("metadata", {}), **frame.get("metadata", {})}}

    def _frames(self, name: str) -> list[Variation]:
        """Return the variations that others are put into."""
        return [each for each in self._responses[name] if any(key == "frame" for key, _ in _conditions(each))]

    def _not_mentioned(self, topic: str, kind: str, thing: str) -> Iterator[Variation]:
        """Yield that the article does not mention a thing, and what it names instead."""
        of_topic = next((kind for start, kind in _KINDS_OF_TOPICS.items() if topic.startswith(start)), kind)
        for named in self.under(_NAMED_INSTEAD, kind=of_topic) or self.under(_NAMED_INSTEAD, kind=kind):
            for frame in self._frames(_NOT_MENTIONED):
                text = frame["text"].replace("{names}", named["text"]).replace("{thing}", thing)
                yield {**named, "text": text, "metadata": {**named.get("metadata", {}), **frame.get("metadata", {})}}


def _conditions(variation: Variation) -> frozenset[tuple[str, str]]:
    """Return what a variation is for, the article that it is of aside."""
    conditions = variation.get("condition", [])
    return frozenset((each["name"], each["value"]) for each in conditions if each["name"] != "article")


def _buttons(topic: str, whole: Variation, is_whole: bool) -> list[dict[str, str]]:
    """Return the buttons under an answer: to one of an aspect, the topic as a whole is the first."""
    buttons: list[dict[str, str]] = copy.deepcopy(whole.get("buttons", []))
    if is_whole or not buttons:
        return buttons
    kept = buttons if len(buttons) < _MOST_BUTTONS else [buttons[0], buttons[-1]]
    return [{"title": _MORE, "payload": f"/{topic}"}, *kept]


def is_among(wording: Variation, said: Iterable[str]) -> bool:
    """Tell whether a wording was said."""
    start = _fixed_part(wording["text"])
    return any(start in text for text in said)


@lru_cache(4096)
def _fixed_part(text: str) -> str:
    """Return the longest part of a text that no value is filled into."""
    return max(text.replace("}", "{").split("{")[::2], key=len)


def _is_silent(wording: Variation) -> bool:
    return bool(wording["metadata"].get("is_silent"))


def _opening(text: str) -> list[str]:
    return text.split()[:_OPENING_WORDS]
