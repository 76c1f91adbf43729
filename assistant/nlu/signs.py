"""The signs of an emergency as `data/safety/` describes them: their sentences, and the few patterns of words.

A pattern is groups of words that must stand near each other in one clause, so that finding it takes time in proportion
to the message. What denies a sign, or tells of another time or person, follows the categories of ConText
(Harkema et al. 2009, https://doi.org/10.1016/j.jbi.2009.05.002).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel

from clinic.profile import ROOT

SIGN_KEY = "red_flag"
NO_SIGN = "none"
FOLDER = ROOT / "data" / "safety"
# Longer messages are cut before they are searched: nobody tells of an emergency after this many letters.
LONGEST_SCAN = 20_000
# How far the words of a pattern may stand apart, and how many of a clause are searched.
_REACH = 8
_LONGEST_CLAUSE = 64
_OVERLAP = 24
_SHORTEST_REPAIRED = 4
_OFTEN = 3
_WORDS_AT_HAND = 8192
_WORD = re.compile(r"\w+")
_CLAUSE_END = re.compile(r"[.!?;\n]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YEAR = re.compile(r"(19|20)\d\d")

Door = Literal["emergency", "today", "visit"]
# The most urgent first.
DOORS: tuple[Door, ...] = ("emergency", "today", "visit")
# The words of a phrase.
Phrase = tuple[str, ...]


class Sign(BaseModel, extra="forbid"):
    """One file of `data/safety/signs/`.

    Attributes:
        sign: its name.
        guidance: the published guidance that it follows.
        door: where it sends people: to 911 now, to urgent care today, or to a visit.
        response: what is said to it.
        patterns: groups of words that tell of it, as `context.yml` explains.
        seen: sentences that tell of it, by the disguise they come in.
        not_seen: sentences that only sound like it, by what makes them none.
    """

    sign: str
    guidance: str
    door: Door
    response: str
    patterns: list[str] = []
    seen: dict[str, str]
    not_seen: dict[str, str]

    def sentences(self) -> Iterator[tuple[str, str]]:
        """Give each sentence that counts, with its disguise."""
        return sentences_of(self.seen)

    def look_alikes(self) -> Iterator[tuple[str, str]]:
        """Give each sentence that does not count, with what makes it none."""
        return sentences_of(self.not_seen)


@dataclass(frozen=True)
class Pattern:
    """Groups of phrases, each a tuple of words; `excluded` must not stand near.

    Attributes:
        sign: what it tells of.
        groups: one phrase of each must stand within `_REACH` words of the others.
        in_order: whether they must come in this order.
        anywhere: whether they may stand anywhere in a message.
    """

    sign: str
    groups: tuple[frozenset[Phrase], ...]
    excluded: frozenset[Phrase]
    in_order: bool
    anywhere: bool = False


@dataclass
class Clause:
    """The words of a clause, where each phrase that matters begins and ends, and what denies the whole or a part.

    Attributes:
        denials: at which words a denial begins and ends.
        ends: at which words its reach ends.
        is_elsewhere: whether it is about another time, another person's past, or nobody.
    """

    words: list[str]
    spans: dict[Phrase, list[tuple[int, int]]] = field(default_factory=dict)
    denials: list[tuple[int, int]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    is_elsewhere: bool = False


class Signs:
    """All signs, and a search for the first one that a text tells of and does not deny."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.signs = {
            sign.sign: sign for sign in (Sign(**_read(path)) for path in sorted((folder / "signs").glob("*.yml")))
        }
        self.harmless = _read(folder / "harmless.yml")["not_seen"]
        context = _read(folder / "context.yml")
        self._named = {name: words.split() for name, words in context["words"].items()}
        self._patterns = [self._pattern(name, text) for name, sign in self.signs.items() for text in sign.patterns]
        self._patterns += [
            self._pattern(row["sign"], row["pattern"], anywhere=True)
            for row in _read(folder / "combinations.yml")["combinations"]
        ]
        self._patterns.sort(key=lambda pattern: self.urgency(pattern.sign))
        self._context = _Context(context, self._phrases)
        phrases = {phrase for pattern in self._patterns for phrase in (*_all(pattern.groups), *pattern.excluded)}
        self._begun: dict[str, list[Phrase]] = {}
        for phrase in phrases | self._context.phrases:
            self._begun.setdefault(phrase[0], []).append(phrase)
        wanted = {word for pattern in self._patterns for phrase in _all(pattern.groups) for word in phrase}
        self._repair = Repair(wanted, _ordinary_words(folder.parent))

    def examples(self) -> Iterator[tuple[str, str]]:
        """Give each sentence with the name of its sign or `NO_SIGN`."""
        for name, sign in self.signs.items():
            yield from ((text, name) for text, _ in sign.sentences())
            yield from ((text, NO_SIGN) for text, _ in sign.look_alikes())
        yield from ((text, NO_SIGN) for text, _ in sentences_of(self.harmless))

    def urgency(self, name: str) -> int:
        """Return the place of a sign's door among `DOORS`."""
        return DOORS.index(self.signs[name].door)

    def find(self, text: str) -> str | None:
        """Return the name of the most urgent sign that a pattern finds in `text`, or None."""
        clauses = list(self._clauses(text))
        for pattern in self._patterns:
            if pattern.anywhere:
                found = _stands_anywhere(pattern, clauses)
            else:
                found = any(
                    not clause.is_elsewhere
                    and any(not self._context.denies(clause, *span) for span in _matches(pattern, clause))
                    for clause in clauses
                )
            if found:
                return pattern.sign
        return None

    def repaired(self, text: str) -> str:
        """Return a text in small letters, its misspelt words of safety read as what they are meant to be."""
        return _WORD.sub(lambda word: self._repair(word[0]), plain(text[:LONGEST_SCAN]))

    def _clauses(self, text: str) -> Iterator[Clause]:
        """Give the clauses of a text; a very long one in pieces that overlap."""
        for part in _CLAUSE_END.split(plain(text[:LONGEST_SCAN])):
            words = [self._repair(word) for word in _WORD.findall(part)]
            for start in range(0, len(words), _LONGEST_CLAUSE - _OVERLAP):
                yield self._clause(words[start : start + _LONGEST_CLAUSE])

    def _clause(self, words: list[str]) -> Clause:
        clause = Clause(words)
        for start, word in enumerate(words):
            for phrase in self._begun.get(word, ()):
                if tuple(words[start : start + len(phrase)]) == phrase:
                    clause.spans.setdefault(phrase, []).append((start, start + len(phrase)))
        self._context.read(clause)
        return clause

    def _pattern(self, sign: str, text: str, anywhere: bool = False) -> Pattern:
        text, _, excluded = text.partition("~")
        in_order = ">" in text
        groups = tuple(frozenset(self._phrases(group)) for group in re.split(r"[+>]", text))
        return Pattern(sign, groups, frozenset(self._phrases(excluded)), in_order, anywhere)

    def _phrases(self, text: str) -> Iterator[Phrase]:
        for term in text.split():
            named = re.fullmatch(r"\$(\w+)", term)
            for phrase in self._named[named[1]] if named else [term]:
                yield tuple(phrase.split("_"))


def _ordinary_words(folder: Path) -> frozenset[str]:
    """Return the words that the files of a folder hold often enough to be no slip."""
    counts: Counter[str] = Counter()
    for path in folder.rglob("*.yml"):
        counts.update(_WORD.findall(plain(path.read_text(encoding="utf-8"))))
    return frozenset(word for word, count in counts.items() if count >= _OFTEN)


class Repair:
    """Reads a word that no text holds as the one of a list that differs in a single letter, or in two swapped ones."""

    def __init__(self, wanted: Iterable[str], known: frozenset[str]) -> None:
        self._wanted = {word for word in wanted if len(word) >= _SHORTEST_REPAIRED}
        self._known = known | set(wanted)
        self._shortened: dict[str, set[str]] = {}
        for word in self._wanted:
            for shorter in _shortened(word):
                self._shortened.setdefault(shorter, set()).add(word)
        self.of = lru_cache(_WORDS_AT_HAND)(self._of)

    def __call__(self, word: str) -> str:
        return self.of(word)

    def _of(self, word: str) -> str:
        if len(word) < _SHORTEST_REPAIRED or len(word) > 20 or word in self._known or not word.isalpha():
            return word
        near = {wanted for shorter in _shortened(word) for wanted in self._shortened.get(shorter, ())}
        # So short a word has many neighbours, of which only one with the same letters is likely.
        is_short = len(word) == _SHORTEST_REPAIRED
        fitting = sorted(
            wanted
            for wanted in near
            if wanted[0] == word[0] and _is_near(word, wanted) and (not is_short or sorted(wanted) == sorted(word))
        )
        return fitting[0] if fitting else word


class _Context:
    """What denies a sign, by the categories of ConText."""

    def __init__(self, content: dict[str, Any], phrases: Any) -> None:
        negated, historical, other = content["negated"], content["historical"], content["other_person"]
        self._negations = frozenset(phrases(negated["cues"]))
        self._reach: int = negated["reach"]
        self._ends = frozenset(phrases(negated["ends"]))
        self._apart = frozenset(phrases(negated["apart"]))
        self._past = frozenset(phrases(historical["cues"]))
        self._now = frozenset(phrases(content["now"]))
        self._questions = frozenset(phrases(content["hypothetical"]["begins"]))
        self._persons = frozenset(phrases(content["hypothetical"]["persons"]))
        self._others = frozenset(phrases(other["persons"]))
        self._befell = frozenset(phrases(other["past"]))
        self._pleas = frozenset(phrases(other["pleas"]))

    @property
    def phrases(self) -> frozenset[Phrase]:
        """Every phrase that counts here."""
        return self._negations.union(
            self._ends,
            self._apart,
            self._past,
            self._now,
            self._questions,
            self._persons,
            self._others,
            self._befell,
            self._pleas,
        )

    def read(self, clause: Clause) -> None:
        """Note in a clause what denies it or a part of it."""
        has = clause.spans.keys()
        apart = {place for phrase in self._apart & has for span in clause.spans[phrase] for place in range(*span)}
        denials = (span for phrase in self._negations & has for span in clause.spans[phrase])
        clause.denials = sorted(span for span in denials if span[0] not in apart)
        clause.ends = sorted(span[0] for phrase in self._ends & has for span in clause.spans[phrase])
        is_past = not self._past.isdisjoint(has) or any(map(_YEAR.fullmatch, clause.words))
        is_question = (clause.words[0],) in self._questions and self._persons.isdisjoint(has)
        is_others = bool(self._others & has) and bool(self._befell & has) and self._pleas.isdisjoint(has)
        clause.is_elsewhere = self._now.isdisjoint(has) and (is_past or is_question or is_others)

    def denies(self, clause: Clause, start: int, end: int, own: frozenset[int] = frozenset()) -> bool:
        """Tell whether the words from `start` to `end` of a clause are denied; those at `own` belong to the sign."""
        for place, past in clause.denials:
            reaches = start - self._reach <= place < end and place not in own
            if reaches and not any(past <= mark < start for mark in clause.ends):
                return True
        return False


def plain(text: str) -> str:
    """Return a text in small letters, without accents and apostrophes."""
    text = text.lower()
    if text.isascii():
        return re.sub("['`]", "", text)
    letters = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    return re.sub(r"['’`´]", "", letters)


def _matches(pattern: Pattern, clause: Clause) -> Iterator[tuple[int, int, frozenset[int]]]:
    """Give where the groups of a pattern stand near each other: from, to, and the places of its own words."""
    marks: list[tuple[int, int, int]] = []
    for index, group in enumerate(pattern.groups):
        spans = [(*span, index) for phrase in group for span in clause.spans.get(phrase, ())]
        if not spans:
            return
        marks += spans
    last: list[tuple[int, int, int] | None] = [None] * len(pattern.groups)
    for start, end, index in sorted(marks):
        if pattern.in_order and index:
            before = last[index - 1]
            if before is None or before[1] > start or start - before[1] > _REACH:
                continue
            begun = before[2]
        else:
            begun = start
        last[index] = (start, end, begun)
        kept = [mark for mark in last if mark is not None]
        if len(kept) < len(pattern.groups) or (pattern.in_order and index < len(last) - 1):
            continue
        first = begun if pattern.in_order else min(mark[0] for mark in kept)
        past = end if pattern.in_order else max(mark[1] for mark in kept)
        if past - first > _REACH * len(pattern.groups):
            continue
        if not pattern.in_order and past - first > _REACH + len(pattern.groups):
            continue
        near = range(first - _REACH, past + _REACH)
        if any(span[0] in near for phrase in pattern.excluded for span in clause.spans.get(phrase, ())):
            continue
        yield first, past, frozenset(place for mark in kept for place in range(mark[0], mark[1]))


def _stands_anywhere(pattern: Pattern, clauses: list[Clause]) -> bool:
    """Tell whether each group of a pattern stands somewhere in a message, undenied, and nothing that is excluded."""
    found = {phrase for clause in clauses if not clause.is_elsewhere and not clause.denials for phrase in clause.spans}
    return all(group & found for group in pattern.groups) and not pattern.excluded & found


def _all(groups: Iterable[frozenset[Phrase]]) -> Iterator[Phrase]:
    for group in groups:
        yield from group


def sentences_of(cells: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Give each line of some headed lists, with its heading."""
    for cell, lines in cells.items():
        yield from ((line.removeprefix("- ").strip(), cell) for line in lines.strip().splitlines())


def _shortened(word: str) -> set[str]:
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def _is_near(word: str, wanted: str) -> bool:
    """Tell whether one letter is missing, too many or another, or two neighbours are swapped."""
    if abs(len(word) - len(wanted)) > 1:
        return False
    head = next((i for i, (a, b) in enumerate(zip(word, wanted, strict=False)) if a != b), min(len(word), len(wanted)))
    rest, other = word[head:], wanted[head:]
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return rest[1:] == other or rest == other[1:] or rest[1:] == other[1:] or swapped == other


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  (a safe loader)
    return content


@lru_cache
def the_signs() -> Signs:
    """Return the signs of `data/safety/`."""
    return Signs()
