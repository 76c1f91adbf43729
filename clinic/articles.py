"""The articles of `data/`, what is said to each intent, and the word lists around them, read without Rasa."""

import copy
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from clinic.profile import ROOT

DATA = ROOT / "data"
DOMAIN_FILE = ROOT / "domain.yml"
_ARTICLE_FILE = "article.yml"
_ARTICLES = "articles"
_LOOKUPS = "lookups"
_LISTS = ("conditions", "drugs", "drug_shapes", "topics", "topic_shapes")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Response = dict[str, Any]


class ArticleError(Exception):
    """A file under `data/` cannot be used; the message names it and says why."""


class Article(BaseModel, extra="forbid"):
    """A reviewed article, and how people name what it is about; the fields are those of an `article.yml`.

    Attributes:
        name: the name of the article's folder.
        names: names of its condition, as people write them.
        about_condition: regular expressions for a word that tells of the condition.
        about_body_part: regular expressions for a word that tells of the part of the body.
        body_parts: its parts of the body, each with its spellings.
    """

    name: str
    title: str
    reviewer: str
    url: str
    condition: str
    body_part: str
    names: list[str]
    about_condition: list[str]
    about_body_part: list[str]
    body_parts: dict[str, list[str]]


class Library:
    """All that stands under `data/` and is not for Rasa alone.

    Attributes:
        articles: the articles by the names of their folders.
        intents: the intents, in the order of the files.
        responses: the variations of each response, those of several articles joined; one of an article has its name
            in `metadata.article`.
        rules: Rasa's rules, and `stories` its stories, as they stand.
        examples: (intent, text) of each training example.
        shapes: question shapes by intent.
        words: entity -> name -> spellings.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.articles: dict[str, Article] = {}
        self.intents: list[str] = []
        self.responses: dict[str, list[Response]] = {}
        self.rules: list[dict[str, Any]] = []
        self.stories: list[dict[str, Any]] = []
        self.examples: list[tuple[str, str]] = []
        self.shapes: dict[str, list[str]] = {}
        self.words: dict[str, dict[str, list[str]]] = {}
        self._lists: dict[str, list[str]] = {name: [] for name in _LISTS}
        for path in _files(paths):
            self._take(path)
        self._settle_words()

    def _take(self, path: Path) -> None:
        content = _read(path)
        if path.parent.name == _LOOKUPS:
            for name in _LISTS:
                self._lists[name] += content.get(name, [])
            self.shapes.update(content.get("shapes", {}))
            self.words.update(content.get("words", {}))
            return
        article = path.parent.name if path.parent.parent.name == _ARTICLES else None
        if article and path.name == _ARTICLE_FILE:
            self.articles[article] = _article(path, content)
            return
        self.rules += content.get("rules", [])
        self.stories += content.get("stories", [])
        self.examples += [
            (block["intent"], line.removeprefix("- ").strip())
            for block in content.get("nlu", [])
            for line in block["examples"].splitlines()
        ]
        self.intents += [intent for intent in content.get("intents", []) if intent not in self.intents]
        for name, variations in content.get("responses", {}).items():
            for variation in variations:
                metadata = {**variation.get("metadata", {}), **({"article": article} if article else {})}
                said = {**variation, "metadata": metadata} if metadata else variation
                self.responses.setdefault(name, []).append(said)

    def _settle_words(self) -> None:
        """Add the articles' own parts of the body, which are no other ones any more."""
        own: dict[str, list[str]] = {}
        for article in self.articles.values():
            for part, spellings in article.body_parts.items():
                own[part] = list(dict.fromkeys([*own.get(part, []), *spellings]))
        spelt = {spelling for spellings in own.values() for spelling in spellings}
        others = {
            part: kept
            for part, spellings in self.words.get("other_body_part", {}).items()
            if (kept := [spelling for spelling in spellings if spelling not in spelt])
        }
        self.words = {"body_part": own, **self.words, "other_body_part": others}

    @property
    def names(self) -> list[str]:
        """The names of the articles' conditions."""
        return [name for article in self.articles.values() for name in article.names]

    @property
    def conditions(self) -> list[str]:
        """The conditions that no article is about."""
        ours = {name.lower() for name in self.names}
        return [condition for condition in self._lists["conditions"] if condition.lower() not in ours]

    @property
    def drugs(self) -> list[str]:
        return self._lists["drugs"]

    @property
    def drug_shapes(self) -> list[str]:
        return self._lists["drug_shapes"]

    @property
    def topics(self) -> list[str]:
        return self._lists["topics"]

    @property
    def topic_shapes(self) -> list[str]:
        return self._lists["topic_shapes"]

    def domain(self, path: Path = DOMAIN_FILE) -> dict[str, Any]:
        """Return the content of a domain file with the intents and responses of the library added to its own."""
        content = _read(path)
        content["intents"] = [*content.get("intents", []), *self.intents]
        content["responses"] = {**content.get("responses", {}), **copy.deepcopy(self.responses)}
        return content


@lru_cache
def the_library() -> Library:
    """Return the library of `data/`."""
    return Library([DATA])


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.rglob("*.yml")) if path.is_dir() else [path]


def _read(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds names and values.

    Raises:
        ArticleError: it cannot be read, or holds something else.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  (a safe loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArticleError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ArticleError(f"{path} must hold names and values.")
    return content


def _article(path: Path, content: dict[str, Any]) -> Article:
    try:
        return Article(**content, name=path.parent.name)
    except ValidationError as error:
        faults = [f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise ArticleError("\n".join([f"{path} has values that cannot be used:", *faults])) from error
