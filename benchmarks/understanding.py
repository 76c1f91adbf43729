"""How well messages are understood: this project's NLU beside Rasa's default pipeline, on the same examples in one run.

    python -m benchmarks.understanding

Both are trained on the same sample of examples of each intent; ours is then also measured as it is served, with all of
them. Questions come from `tests/nlu/` and, where they are there, from `../shared/foreign/`.
"""

import asyncio
import json
import logging
from pathlib import Path

import structlog
from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage

from assistant.nlu.decision import ARTICLE_INTENTS
from assistant.startup import MODEL
from benchmarks.contenders import EXAMPLES, NAMES, Question, trained
from benchmarks.report import RESULTS, ratio
from clinic.articles import Library
from clinic.profile import ROOT

FOREIGN = ROOT.parent / "shared" / "foreign"
REFUSED = frozenset({"ask_beyond_article", "ask_clinic_admin", "ask_other_condition", "out_of_scope"})


def main() -> None:
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    questions = Library([ROOT / "tests" / "nlu"]).examples
    rows = {f"{name}, {EXAMPLES} examples": measured(trained(name), questions) for name in NAMES}
    rows["ours, as served"] = measured(MODEL, questions)
    default, ours = list(rows.values())[:2]
    ratios = ratio(default, ours)
    report(rows, ratios)
    RESULTS.mkdir(exist_ok=True)
    result = {"examples": EXAMPLES, "rows": rows, "ratio": ratios}
    (RESULTS / "understanding.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def measured(model: Path, questions: list[Question]) -> dict[str, float]:
    """Return shares of 1 by group of questions."""
    agent = Agent.load(model)
    understood = understand(agent, [text for _, text in questions])
    pairs = [(wanted, got) for (wanted, _), got in zip(questions, understood, strict=True)]
    article = [(wanted, got) for wanted, got in pairs if wanted in ARTICLE_INTENTS]
    figures = {
        "article_right": share([wanted == got for wanted, got in article]),
        "article_wrong_topic": share([wanted != got and got in ARTICLE_INTENTS for wanted, got in article]),
        "red_flags_seen": share([got == wanted for wanted, got in pairs if wanted == "report_red_flag"]),
        "refused_but_answered": share([got in ARTICLE_INTENTS for wanted, got in pairs if wanted in REFUSED]),
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
