"""Training data from `data/`: its domain parts joined with `domain.yml`, and contrastive examples.

An intent classifier alone takes "what are the treatments for lupus?" for a question of ours, since the wording is.
`data/lookups/` lists conditions, drugs, everyday topics and question shapes, each `article.yml` names of its condition.
A shape filled with a condition or drug is an example of `ask_other_condition`, with a topic one of `out_of_scope`,
and with a name of an article's condition one of the shape's own intent.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import yaml
from rasa.shared.core.domain import Domain
from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from clinic.articles import Library
from clinic.intents import ASK_OTHER_CONDITION, OUT_OF_SCOPE

_CONDITIONS_PER_SHAPE = 5
_NAMES_PER_SHAPE = 2
_SHAPES_PER_DRUG = 4
_SHAPES_PER_TOPIC = 3


class Importer(RasaFileImporter):
    """Rasa's file importer, for a domain that stands in one file a topic, with the contrastive examples added."""

    def __init__(
        self,
        config_file: str | None = None,
        domain_path: str | None = None,
        training_data_paths: list[str] | str | None = None,
    ) -> None:
        super().__init__(config_file, domain_path, training_data_paths)
        paths = [training_data_paths] if isinstance(training_data_paths, str) else training_data_paths or []
        self._library = Library(map(Path, paths))

    def get_domain(self) -> Domain:
        if not self._domain_path:
            return Domain.empty()
        # By way of a text, since Rasa checks a domain's form there alone.
        return Domain.from_yaml(yaml.safe_dump(self._library.domain(Path(self._domain_path)), allow_unicode=True))

    def get_nlu_data(self, language: str | None = "en") -> TrainingData:
        examples = [Message.build(text=text, intent=intent) for intent, text in contrastive_examples(self._library)]
        data = super().get_nlu_data(language).merge(TrainingData(examples))
        # They are the domain's; Rasa would take those of a file with examples for a second time.
        data.responses = {}
        return data


def contrastive_examples(library: Library) -> Iterator[tuple[str, str]]:
    """Yield (intent, text), the same ones in the same order each time."""
    conditions, names = itertools.cycle(library.conditions), itertools.cycle(library.names)
    for intent, shapes in library.shapes.items():
        for shape in shapes:
            for condition in itertools.islice(conditions, _CONDITIONS_PER_SHAPE):
                yield ASK_OTHER_CONDITION, shape.format(x=condition)
            for name in itertools.islice(names, _NAMES_PER_SHAPE):
                yield intent, shape.format(x=name)
    for intent, listed, shapes, count in (
        (ASK_OTHER_CONDITION, library.drugs, library.drug_shapes, _SHAPES_PER_DRUG),
        (OUT_OF_SCOPE, library.topics, library.topic_shapes, _SHAPES_PER_TOPIC),
    ):
        endless_shapes = itertools.cycle(shapes)
        for name in listed:
            for shape in itertools.islice(endless_shapes, count):
                yield intent, shape.format(x=name)
    for name in [*library.conditions, *library.drugs]:
        yield ASK_OTHER_CONDITION, name
