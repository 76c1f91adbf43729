"""Things: what a question names, such as cycling, a sleeve or ice, found by lists and by its frame."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from clinic.articles import the_library
from clinic.profile import ROOT

THINGS_FILE = ROOT / "data" / "lookups" / "things.yml"
_MOST_WORDS_IN_FRAME = 3
_WITHOUT_MARKS = str.maketrans("", "", "'’`.")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
# Where a thing stands that no list holds. A name is taken only if each of its words could be one.
_FRAMES = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(?:\w+ )?(?:do|does|will|would|can|could|might|did) (?P<thing>[a-z -]{3,38}?) (?:really |actually |even )?"
        r"(?:helps?|works?|causes?|hurt|harm|fix|cure|matter|count|make|reduce|ease|prevent|do anything)\b",
        r"\b(?:should|can|could|may|shall) (?:i|we|you|he|she) (?:use|take|wear|try|eat|drink|apply|buy|get|play) "
        r"(?P<thing>[a-z -]{3,38}?)(?: for| with| to| while| when| on| at|$)",
        r"^(?:and |but |ok |so )?(?:what|how) about (?P<thing>[a-z -]{3,38})$",
        r"^(?:is|are) (?P<thing>[a-z -]{3,38}?) "
        r"(?:good|bad|ok|okay|safe|useful|useless|worth|any good|allowed|fine|effective)\b",
    )
)
_ARTICLES = re.compile(r"^(?:an?|the|some|my|your|doing|using|taking|wearing) ")


@dataclass(frozen=True)
class Named:
    """Something that a text names by its `spelling`.

    The `kind` is "thing", "topic", "condition_word" or "body_part", or that of a thing that the article does not
    mention.
    """

    kind: str
    name: str
    topic: str | None = None
    spelling: str = ""


class Things:
    """Finds what a text names.

    Attributes:
        topics_of_kinds: the topic of a thing that the article does not mention, by its kind.
        stands_for: the topic that an answer was about, by its intent, where it was to no question about one.
    """

    def __init__(self, path: Path) -> None:
        lists: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.topics_of_kinds: dict[str, str] = lists["topics_of_kinds"]
        self.stands_for: dict[str, str] = lists["stands_for"]
        self._no_things = frozenset(lists["no_things"])
        self._named: dict[str, Named] = {}
        for word in lists["body_words"]:
            self._add(word, Named("body_part", word))
        for word in [*lists["condition_words"], *the_library().names]:
            self._add(word, Named("condition_word", word))
        for kind, names in lists["unmentioned"].items():
            for name, spellings in names.items():
                for spelling in [name, *spellings]:
                    self._add(spelling, Named(kind, name))
        for topic, words in lists["topic_words"].items():
            for word in words:
                self._add(word, Named("topic", topic, topic))
        for name, thing in lists["mentioned"].items():
            for spelling in [name, *thing["spellings"]]:
                self._add(spelling, Named("thing", name, thing["topic"]))
        # Of how many words the spellings are that begin with a word.
        self._lengths: dict[str, list[int]] = {}
        for spelling in self._named:
            first, *rest = spelling.split()
            lengths = self._lengths.setdefault(first, [])
            if len(rest) + 1 not in lengths:
                lengths.append(len(rest) + 1)
                lengths.sort(reverse=True)

    def _add(self, spelling: str, named: Named) -> None:
        plain = " ".join(words(spelling))
        self._named[plain] = replace(named, spelling=plain)

    def find(self, text: str) -> list[Named]:
        """Return what a text names, in its order; of two that overlap, the longer one."""
        said = words(text)
        found = list(self._listed(said))
        if not any(named.kind not in {"body_part", "condition_word", "topic"} for named in found):
            name = self._in_frame(" ".join(said))
            # "custom orthotics" are orthotics.
            is_of_topic = name and any(named.kind == "topic" and named.spelling in name.split() for named in found)
            if name and name not in self._named and not is_of_topic:
                found.append(Named("other", name, spelling=name))
        return found

    def _in_frame(self, plain: str) -> str | None:
        """Return the name of a thing that stands where a question has one, if it is safe to say back."""
        for match in filter(None, (frame.search(plain) for frame in _FRAMES)):
            name = _ARTICLES.sub("", match["thing"].strip())
            parts = name.split()
            if 0 < len(parts) <= _MOST_WORDS_IN_FRAME and self._no_things.isdisjoint(parts):
                return name
        return None

    def _listed(self, said: list[str]) -> Iterator[Named]:
        start = 0
        while start < len(said):
            for length in self._lengths.get(said[start], ()):
                named = self._named.get(" ".join(said[start : start + length]))
                if named:
                    yield named
                    start += length
                    break
            else:
                start += 1


@lru_cache
def the_things() -> Things:
    """Return the things of `data/`."""
    return Things(THINGS_FILE)


def words(text: str) -> list[str]:
    """Return the words of a text as the lists hold them: small letters, without apostrophes and marks."""
    letters = text.casefold()
    if not letters.isascii():
        decomposed = unicodedata.normalize("NFKD", letters)
        letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _WORD.findall(letters.translate(_WITHOUT_MARKS))


class People:
    """Tells from what was said who is hurt, and how a message feels about it."""

    def __init__(self, path: Path) -> None:
        lists: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        own = "|".join(lists["own_words"])
        self._own = re.compile(rf"\b(?:my (?:right |left |own |other |bad |poor )?(?:{own})|i have|ive had|my own)\b")
        self._other = re.compile(rf"\bmy (?:\w+ )?({'|'.join(lists['people'])})s?\b")
        self._feelings = {
            feeling: re.compile(rf"\b({'|'.join(' '.join(words(spelling)) for spelling in spellings)})\b")
            for feeling, spellings in lists["feelings"].items()
        }

    def whose(self, heard: Iterable[str]) -> str:
        """Return "your", or "your son's" and the like, from messages of which the last is the first."""
        for text in heard:
            plain = " ".join(words(text))
            if self._own.search(plain):
                return "your"
            other = self._other.search(plain)
            if other:
                return f"your {other[1]}'s"
        return "your"

    def feeling(self, text: str) -> str | None:
        """Return the feeling that a message tells of, or None."""
        plain = " ".join(words(text))
        return next((feeling for feeling, pattern in self._feelings.items() if pattern.search(plain)), None)
