"""Training data from `data/`: its domain parts joined with `domain.yml`, and contrastive examples.

An intent classifier alone takes "what are the treatments for lupus?" for a question of ours, since the wording is.
`data/lookups/` lists conditions, drugs, everyday topics and question shapes, each `article.yml` names of its condition.
A shape filled with a condition or drug is an example of `ask_other_condition`, with a topic one of `out_of_scope`,
and with a name of an article's condition one of the shape's own intent.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from rasa.shared.core.domain import Domain
from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader
from rasa.shared.core.training_data.structures import StoryGraph
from rasa.shared.importers.importer import TrainingDataImporter
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from rasa.shared.utils.common import cached_method
from rasa.shared.utils.io import read_model_configuration

from clinic.articles import Library
from clinic.intents import ASK_OTHER_CONDITION, OUT_OF_SCOPE

_CONDITIONS_PER_SHAPE = 5
_NAMES_PER_SHAPE = 2
_SHAPES_PER_DRUG = 4
_SHAPES_PER_TOPIC = 3


class Importer(TrainingDataImporter):
    """What stands in `data/`, as Rasa's own file importer gives it, with the contrastive examples added.

    Rasa's reads each file three times and checks it by a schema, which takes a minute; `Library` has read them.
    """

    def __init__(
        self,
        config_file: str | None = None,
        domain_path: str | None = None,
        training_data_paths: list[str] | str | None = None,
    ) -> None:
        self._config_file, self._domain_path = config_file, domain_path
        paths = [training_data_paths] if isinstance(training_data_paths, str) else training_data_paths or []
        self._library = Library(map(Path, paths))

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = read_model_configuration(self._config_file) if self._config_file else {}
        return config

    def get_config_file_for_auto_config(self) -> str | None:
        return self._config_file

    @cached_method
    def get_domain(self) -> Domain:
        if not self._domain_path:
            return Domain.empty()
        # By way of a text, since Rasa checks a domain's form there alone.
        return Domain.from_yaml(yaml.safe_dump(self._library.domain(Path(self._domain_path)), allow_unicode=True))

    def get_stories(self, exclusion_percentage: int | None = None) -> StoryGraph:
        """Return all rules and stories; none is left out, whatever the percentage."""
        reader = YAMLStoryReader(self.get_domain())
        return StoryGraph(
            reader.read_from_parsed_yaml({"rules": self._library.rules, "stories": self._library.stories})
        )

    def get_conversation_tests(self) -> StoryGraph:
        """Return none: they stand under `tests/`."""
        return StoryGraph([])

    def get_nlu_data(self, language: str | None = "en") -> TrainingData:
        examples = itertools.chain(self._library.examples, contrastive_examples(self._library))
        return TrainingData([Message.build(text=text, intent=intent) for intent, text in examples])


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
