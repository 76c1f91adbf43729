"""The articles of `data/`, what is said to each intent, and the word lists around them, read without Rasa."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ValidationError

from clinic.profile import ROOT, ClinicError

DATA = ROOT / "data"
DOMAIN_FILE = ROOT / "domain.yml"
_ARTICLE_FILE = "article.yml"
_ARTICLES = "articles"
_LOOKUPS = "lookups"
_LISTS = ("conditions", "drugs", "drug_shapes", "topics", "topic_shapes")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What the library alone reads of a response's metadata: a message need not carry it.
_UNSAID = frozenset({"asked_as", "compares", "facts", "joins", "rests_on"})

Response = dict[str, Any]
Kind = Literal[
    "answer",  # from an article
    "told",  # somebody tells of their own case and asks nothing
    "refusal",  # about health, and no article answers it
    "desk",  # about the clinic, for its front desk to answer
    "outside",  # about anything else, or about nothing
    "other_language",
    "safety",
    "form",  # said in the booking form, or an answer to what an assistant asks
    "small_talk",
    "conversation",  # about the conversation itself
    "unsure",
    "fault",
]


class ArticleError(ClinicError):
    """A file under `data/` cannot be used; the message names it and says why."""


class Article(BaseModel, extra="forbid"):
    """A reviewed article, and how people name what it is about; the fields are those of an `article.yml`.

    Attributes:
        name: the name of the article's folder.
        names: names of its condition, as people write them.
        about_condition: regular expressions for a word that tells of the condition.
        about_body_part: regular expressions for a word that tells of the part of the body.
        body_parts: its parts of the body, each with its spellings.
        compared_with: conditions of the same part of the body, which it is not about.
        default: whether it is meant where no condition is named.
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
    compared_with: list[str] = []
    default: bool = False

    def placeholders(self) -> dict[str, str]:
        """Return the values that responses may name in braces."""
        return {"condition": self.condition, "body_part": self.body_part, "article_reviewer": self.reviewer}


class Library:
    """All that stands under `data/` and is not for Rasa alone.

    The metadata of a response tell its `kind`, the `section` of the article that it rests on, the `facts` that its
    words hold (a "…" stands for words between), and its `topic`, by which a button names it. `asked_as` lists single
    words that ask for it; `joins` says that it may be answered beside another question of the same message, `compares`
    that it tells the condition from others. A topic's short answers name the facts they rest on in `rests_on`; `it` is
    what the topic is called in a sentence, `unsaid` and `as_whole` serve `assistant/wordings.py`.

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
        # What is said where nothing is known stands first, whatever its article's folder is called.
        for variations in self.responses.values():
            variations.sort(key=lambda variation: "condition" in variation)
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
        _check_names(path, content)
        self.rules += content.get("rules", [])
        self.stories += content.get("stories", [])
        self.examples += [
            (block["intent"], line.removeprefix("- ").strip())
            for block in content.get("nlu", [])
            for line in block["examples"].splitlines()
        ]
        self.intents += [intent for intent in content.get("intents", []) if intent not in self.intents]
        for name, variations in content.get("responses", {}).items():
            known = self.responses.setdefault(name, [])
            for variation in variations:
                metadata = {**variation.get("metadata", {}), **({"article": article} if article else {})}
                # A short answer is of its topic's kind, and has its topic.
                known.append({**variation, "metadata": {**_inherited(known), **metadata}})
                _check(path, name, known)

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
        near = [condition for article in self.articles.values() for condition in article.compared_with]
        listed = dict.fromkeys([*self._lists["conditions"], *near])
        return [condition for condition in listed if condition.lower() not in ours]

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

    @cached_property
    def article(self) -> Article:
        """The article that is meant where no condition is named."""
        meant = [article for article in self.articles.values() if article.default]
        if len(meant) != 1:
            raise ArticleError(f"One article.yml must say `default: true`, and {len(meant)} do.")
        return meant[0]

    def kind(self, intent: str) -> Kind | None:
        """Return the kind of an intent's response, or None where it has none of its own."""
        kind: Kind | None = self._metadata(intent).get("kind")
        return kind

    def intents_of(self, *kinds: Kind) -> frozenset[str]:
        """Return the intents whose responses are of one of these kinds."""
        return frozenset(intent for intent in self.intents if self.kind(intent) in kinds)

    def marked(self, mark: Literal["joins", "compares"]) -> frozenset[str]:
        """Return the intents whose responses' metadata have a mark."""
        return frozenset(intent for intent in self.intents if self._metadata(intent).get(mark))

    @cached_property
    def bare_questions(self) -> list[str]:
        """The single words that ask for an answer, longest first."""
        words = {word for intent in self.intents for word in self._metadata(intent).get("asked_as", [])}
        return sorted(words, key=lambda word: (-len(word), word))

    @cached_property
    def about_condition(self) -> re.Pattern[str]:
        """The pattern of a word that tells of an article's condition."""
        return _pattern(rf"\b(?:{word})" for article in self.articles.values() for word in article.about_condition)

    @cached_property
    def about_body_part(self) -> re.Pattern[str]:
        """The pattern of a word that tells of the part of the body that an article is about."""
        return _pattern(word for article in self.articles.values() for word in article.about_body_part)

    def named_in(self, text: str) -> Article | None:
        """Return the one article whose condition, or else whose part of the body, a text names."""
        for words in ("about_condition", "about_body_part"):
            named = [article for article in self.articles.values() if _pattern(getattr(article, words)).search(text)]
            if named:
                return named[0] if len(named) == 1 else None
        return None

    def domain(self, path: Path = DOMAIN_FILE) -> dict[str, Any]:
        """Return the content of a domain file with the intents and responses of the library added to its own."""
        content = _read(path)
        content["intents"] = [*content.get("intents", []), *self.intents]
        content["responses"] = {
            **content.get("responses", {}),
            **{name: [_said(variation) for variation in variations] for name, variations in self.responses.items()},
        }
        return content

    def _metadata(self, intent: str) -> dict[str, Any]:
        variations = self.responses.get(f"utter_{intent}")
        return variations[0]["metadata"] if variations else {}


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


def _check(path: Path, name: str, variations: list[Response]) -> None:
    """Check the last variation of a response.

    Raises:
        ArticleError: its kind is none that is known, or a second one has no condition.
    """
    if variations[-1]["metadata"].get("kind", "form") not in get_args(Kind):
        raise ArticleError(f"{path}: the `kind` of {name} must be one of {', '.join(get_args(Kind))}.")
    if sum("condition" not in variation for variation in variations) > 1:
        raise ArticleError(f"{path}: {name} is said elsewhere too; a second text needs a `condition`.")


def _check_names(path: Path, content: dict[str, Any]) -> None:
    """Check the names of rules and stories.

    Raises:
        ArticleError: one is no text, such as a bare "no", which YAML takes for False.
    """
    rules, stories = content.get("rules", []), content.get("stories", [])
    names = [*(rule.get("rule") for rule in rules), *(story.get("story") for story in stories)]
    for name in names:
        if not isinstance(name, str):
            raise ArticleError(f"{path}: the name {name!r} of a rule or story must be a text, in quotation marks.")


def _inherited(variations: list[Response]) -> dict[str, Any]:
    return (
        {name: value for name, value in variations[0]["metadata"].items() if name in {"kind", "topic"}}
        if variations
        else {}
    )


def _said(variation: Response) -> Response:
    """Return a variation as a domain holds it."""
    metadata = {name: value for name, value in variation["metadata"].items() if name not in _UNSAID}
    return {**variation, "metadata": metadata}


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


def _article(path: Path, content: dict[str, Any]) -> Article:
    try:
        return Article(**content, name=path.parent.name)
    except ValidationError as error:
        faults = [f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise ArticleError("\n".join([f"{path} has values that cannot be used:", *faults])) from error
