"""What of the measurements is committed: `benchmarks/results/` and the cells of the README and `docs/` that tell of it.

    python -m benchmarks.figures

It takes what `make benchmark` measured last. A benchmark that was not run again keeps its figures.
"""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import DEFAULT, OURS, RESULTS
from clinic.profile import ROOT

KEPT = Path(__file__).parent / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def comparisons(name: str) -> dict[str, Any]:
    """Return what a committed result compares, by title."""
    content: dict[str, dict[str, Any]] = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    return content["comparisons"]


def _shares(figure: str) -> list[str]:
    (rows,) = comparisons("understanding").values()
    return [f"{100 * row[figure]:.1f} %" for name, row in rows.items() if name != "ratio"]


def _ratios(name: str, figure: str, form: str) -> list[str]:
    ratios = [rows["ratio"] for rows in comparisons(name).values()]
    return [", ".join(format(ratio[figure], form) for ratio in ratios if figure in ratio)]


# By how a row of a table begins, its next cells.
ROWS: dict[str, Callable[[], list[str]]] = {
    "the article's questions understood": lambda: _shares("article_right"),
    "… answered with another topic": lambda: _shares("article_wrong_topic"),
    "signs of an emergency seen": lambda: _shares("red_flags_seen"),
    "refused topics answered": lambda: _shares("refused_but_answered"),
    "other diseases and drugs": lambda: _shares("medquad_sample_answered"),
    "anything else": lambda: _shares("clinc_oos_sample_answered"),
    "CPU of a turn": lambda: _ratios("turns", "cpu_ms", ".2f"),
    "messages a second": lambda: _ratios("throughput", "messages_a_second", ".1f"),
    "memory after 50 turns": lambda: _ratios("footprint", "megabytes_after_50_turns", ".2f"),
    "CPU to train": lambda: _ratios("training", "cpu_seconds", ".2f"),
}


def row(begins: str) -> re.Pattern[str]:
    """Return the pattern of a row: its first cell, and all others as one group."""
    return re.compile(rf"^(\| {re.escape(begins)}[^|]*\| )(.*) \|$", re.MULTILINE)


def filled(page: str) -> str:
    """Return a page with the cells that the committed results call for."""
    for begins, cells in ROWS.items():
        page = row(begins).sub(lambda found, cells=cells: _with(found, cells()), page)
    return page


def _with(found: re.Match[str], cells: list[str]) -> str:
    kept = found[2].split(" | ")[len(cells) :]
    return f"{found[1]}{' | '.join([*cells, *kept])} |"


def _is_compared(path: Path) -> bool:
    compared = json.loads(path.read_text(encoding="utf-8")).get("comparisons", {})
    return all(DEFAULT in rows for rows in compared.values() if OURS in rows)


def main() -> int:
    measured = sorted(RESULTS.glob("*.json"))
    if not measured:
        sys.stderr.write("Nothing was measured: run `make benchmark` first.\n")
        return 1
    if not all(map(_is_compared, measured)):
        sys.stderr.write("Only our own figures were measured, without Rasa's default beside them: they are not kept.\n")
        return 1
    from benchmarks.page import render

    for path in measured:
        shutil.copy(path, KEPT)
    render(KEPT)
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
