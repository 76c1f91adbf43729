"""How well messages are understood: this project's NLU beside Rasa's default pipeline, on the same examples in one run.

    python -m benchmarks.understanding

Both are trained on the same sample of examples of each intent; ours is then also measured as it is served, with all of
them. Questions come from `tests/nlu/` and, where they are there, from `../shared/foreign/`.
"""

import json
from pathlib import Path

from assistant.startup import MODEL
from benchmarks.contenders import EXAMPLES, NAMES, OURS, serving, trained
from benchmarks.report import Row, tell
from clinic.articles import Library, the_library
from clinic.profile import ROOT

FOREIGN = ROOT.parent / "shared" / "foreign"
REFUSED = frozenset({"ask_beyond_article", "ask_clinic_admin", "ask_other_condition", "out_of_scope"})
ANSWERED = the_library().intents_of("answer")


def main() -> None:
    rows = {name: measured(name, trained(name)) for name in NAMES}
    rows[f"{OURS}, as served"] = measured(OURS, MODEL)
    tell("understanding", {"share of 1": rows}, examples=EXAMPLES)


def measured(name: str, model: Path) -> Row:
    """Return shares of 1 by group of questions."""
    questions = Library([ROOT / "tests" / "nlu"]).examples
    with serving(name, model=model) as (contender,):
        pairs = [(wanted, contender.intent(text)) for wanted, text in questions]
        foreign = {
            path.stem: [contender.intent(text) for text in json.loads(path.read_text(encoding="utf-8"))]
            for path in sorted(FOREIGN.glob("*.json"))
        }
    article = [(wanted, got) for wanted, got in pairs if wanted in ANSWERED]
    return {
        "article_right": share([wanted == got for wanted, got in article]),
        "article_wrong_topic": share([wanted != got and got in ANSWERED for wanted, got in article]),
        "red_flags_seen": share([got == wanted for wanted, got in pairs if wanted == "report_red_flag"]),
        "refused_but_answered": share([got in ANSWERED for wanted, got in pairs if wanted in REFUSED]),
        **{f"{name}_answered": share([one in ANSWERED for one in got]) for name, got in foreign.items()},
    }


def share(outcomes: list[bool]) -> float:
    return round(sum(outcomes) / len(outcomes), 4)


if __name__ == "__main__":
    main()
