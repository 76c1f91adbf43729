"""How well messages are understood: this project's NLU beside Rasa's default pipeline, on the same examples in one run.

    python -m benchmarks.understanding --examples 15

Both are trained on the same sample of examples of each intent; ours is then also measured as it is served, with all of
them. Questions come from `tests/nlu/` and, where they are there, from `../shared/foreign/`.
"""

import argparse
import asyncio
import json
import logging
import random
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
import yaml
from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage
from rasa.model_training import train_nlu

from assistant.clinic import ROOT
from assistant.nlu.contrast import CONTRAST_FILE, contrastive_examples
from assistant.nlu.decision import ARTICLE_INTENTS

RESULTS = Path(__file__).parent / "results"
FOREIGN = ROOT.parent / "shared" / "foreign"
REFUSED = frozenset({"ask_beyond_article", "ask_clinic_admin", "ask_other_condition", "out_of_scope"})
# The pipeline that `rasa init` writes in Rasa 3.6.
DEFAULT_PIPELINE = [
    {"name": "WhitespaceTokenizer"},
    {"name": "RegexFeaturizer"},
    {"name": "LexicalSyntacticFeaturizer"},
    {"name": "CountVectorsFeaturizer"},
    {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
    {"name": "DIETClassifier", "epochs": 100, "constrain_similarities": True},
    {"name": "EntitySynonymMapper"},
    {"name": "ResponseSelector", "epochs": 100, "constrain_similarities": True},
    {"name": "FallbackClassifier", "threshold": 0.3, "ambiguity_threshold": 0.1},
]

Question = tuple[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--examples", type=int, default=15, help="examples of each intent that both are trained on")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    config = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))
    questions = read_questions(sorted((ROOT / "tests" / "nlu").glob("*.yml")))
    sample = sampled(all_examples(), arguments.examples)
    rows = {}
    with TemporaryDirectory() as scratch:
        for name, pipeline in (("default", DEFAULT_PIPELINE), ("ours", config["pipeline"])):
            started = time.process_time()
            model = trained(Path(scratch) / name, pipeline, sample)
            rows[f"{name}, {arguments.examples} examples"] = measured(model, questions) | {
                "training_cpu_seconds": round(time.process_time() - started, 1)
            }
    rows["ours, as served"] = measured(max((ROOT / "models").glob("*.tar.gz")), questions)
    default, ours = list(rows.values())[:2]
    ratios = {name: round(ours[name] / default[name], 3) for name in ours if default.get(name)}
    report(rows, ratios)
    RESULTS.mkdir(exist_ok=True)
    result = {"examples": arguments.examples, "rows": rows, "ratio": ratios}
    (RESULTS / "understanding.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def read_questions(paths: list[Path]) -> list[Question]:
    """Return (intent, text) of each example in files of Rasa's NLU format."""
    return [
        (block["intent"], line.removeprefix("- ").strip())
        for path in paths
        for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
        for line in block["examples"].splitlines()
    ]


def all_examples() -> list[Question]:
    return read_questions(sorted((ROOT / "data" / "nlu").glob("*.yml"))) + list(contrastive_examples(CONTRAST_FILE))


def sampled(examples: list[Question], count: int) -> dict[str, list[str]]:
    """Return `count` examples of each intent, the same ones each time."""
    by_intent: dict[str, list[str]] = defaultdict(list)
    for intent, text in examples:
        by_intent[intent].append(text)
    chooser = random.Random(0)
    return {intent: chooser.sample(texts, min(count, len(texts))) for intent, texts in by_intent.items()}


def trained(folder: Path, pipeline: list[dict[str, Any]], sample: dict[str, list[str]]) -> Path:
    """Train an NLU model on a sample; return the model's file."""
    folder.mkdir()
    config, data = folder / "config.yml", folder / "nlu.yml"
    content = {"recipe": "default.v1", "language": "en", "assistant_id": "benchmark", "pipeline": pipeline}
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    blocks = [
        {"intent": intent, "examples": "".join(f"- {text}\n" for text in texts)} for intent, texts in sample.items()
    ]
    data.write_text(yaml.safe_dump({"version": "3.1", "nlu": blocks}, allow_unicode=True), encoding="utf-8")
    model = train_nlu(str(config), str(data), str(folder))
    if model is None:
        raise RuntimeError(f"{folder.name} was not trained")
    return Path(model)


def measured(model: Path, questions: list[Question]) -> dict[str, float]:
    """Return shares of 1 by group of questions, and the CPU time a message takes, in milliseconds."""
    agent = Agent.load(model)
    started = time.process_time()
    understood = understand(agent, [text for _, text in questions])
    spent = time.process_time() - started
    pairs = [(wanted, got) for (wanted, _), got in zip(questions, understood, strict=True)]
    article = [(wanted, got) for wanted, got in pairs if wanted in ARTICLE_INTENTS]
    figures = {
        "article_right": share([wanted == got for wanted, got in article]),
        "article_wrong_topic": share([wanted != got and got in ARTICLE_INTENTS for wanted, got in article]),
        "red_flags_seen": share([got == wanted for wanted, got in pairs if wanted == "report_red_flag"]),
        "refused_but_answered": share([got in ARTICLE_INTENTS for wanted, got in pairs if wanted in REFUSED]),
        "cpu_ms_per_message": round(1000 * spent / len(questions), 2),
    }
    for path in sorted(FOREIGN.glob("*.json")):
        foreign = understand(agent, json.loads(path.read_text(encoding="utf-8")))
        figures[f"{path.stem}_answered"] = share([got in ARTICLE_INTENTS for got in foreign])
    return figures


def understand(agent: Agent, texts: list[str]) -> list[str]:
    async def parse() -> list[str]:
        assert agent.processor
        parsed = [await agent.processor.parse_message(UserMessage(text)) for text in texts]
        return [message["intent"]["name"] for message in parsed]

    return asyncio.run(parse())


def share(outcomes: list[bool]) -> float:
    return round(sum(outcomes) / len(outcomes), 4)


def report(rows: dict[str, dict[str, float]], ratios: dict[str, float]) -> None:
    names = list(rows)
    print(f"{'':28}" + "".join(f"{name:>24}" for name in names) + f"{'ours / default':>18}")
    for figure in rows[names[0]]:
        values = "".join(f"{rows[name].get(figure, ''):>24}" for name in names)
        print(f"{figure:28}{values}{ratios.get(figure, ''):>18}")


if __name__ == "__main__":
    main()
