"""Contrastive examples: the same question about another condition, about anything else, and about the knee.

An intent classifier alone takes "what are the treatments for lupus?" for a question of ours, since the wording is.
`data/contrast.yml` lists conditions, drugs, everyday topics, names of runner's knee, and question shapes.
A shape filled with a condition or drug is an example of `ask_other_condition`, with a topic one of `out_of_scope`,
and with a name of the knee one of the shape's own intent.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from clinic.profile import ROOT

CONTRAST_FILE = ROOT / "data" / "contrast.yml"
_CONDITIONS_PER_SHAPE = 5
_KNEES_PER_SHAPE = 2
_SHAPES_PER_DRUG = 4
_SHAPES_PER_TOPIC = 3


class ContrastImporter(RasaFileImporter):
    """Rasa's file importer, with the contrastive examples added to the NLU data."""

    def get_nlu_data(self, language: str | None = "en") -> TrainingData:
        examples = [Message.build(text=text, intent=intent) for intent, text in contrastive_examples(CONTRAST_FILE)]
        return super().get_nlu_data(language).merge(TrainingData(examples))


def contrastive_examples(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (intent, text), the same ones in the same order each time."""
    lists: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    conditions, knees = itertools.cycle(lists["conditions"]), itertools.cycle(lists["knee"])
    for intent, shapes in lists["shapes"].items():
        for shape in shapes:
            for condition in itertools.islice(conditions, _CONDITIONS_PER_SHAPE):
                yield "ask_other_condition", shape.format(x=condition)
            for knee in itertools.islice(knees, _KNEES_PER_SHAPE):
                yield intent, shape.format(x=knee)
    for intent, names, shapes, count in (
        ("ask_other_condition", lists["drugs"], lists["drug_shapes"], _SHAPES_PER_DRUG),
        ("out_of_scope", lists["topics"], lists["topic_shapes"], _SHAPES_PER_TOPIC),
    ):
        endless_shapes = itertools.cycle(shapes)
        for name in names:
            for shape in itertools.islice(endless_shapes, count):
                yield intent, shape.format(x=name)
    for name in [*lists["conditions"], *lists["drugs"]]:
        yield "ask_other_condition", name
