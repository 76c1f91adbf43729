"""How a benchmark tells what it has measured: a table, and a JSON file with the ratio of each comparison.

Files go to `results/benchmarks/`, which is not committed; `make figures` takes them into the committed figures.
"""

import json
import os
import platform
from typing import Any

from tabulate import tabulate

from clinic.profile import ROOT

OURS = "ours"
DEFAULT = "default"
RESULTS = ROOT / "results" / "benchmarks"

Row = dict[str, float]


def ratio(default: Row, ours: Row) -> Row:
    """Return ours / default of each figure that both have."""
    return {figure: round(value / default[figure], 3) for figure, value in ours.items() if default.get(figure)}


def tell(name: str, comparisons: dict[str, dict[str, Row]], **other: Any) -> None:
    """Print comparisons and write them to `results/benchmarks/<name>.json`.

    Args:
        comparisons: by what is compared, the figures of each contender; the ratios are added.
        other: what else the file holds.
    """
    result = {
        title: {**rows, "ratio": ratio(rows[DEFAULT], rows[OURS])} if DEFAULT in rows else rows
        for title, rows in comparisons.items()
    }
    for title, rows in result.items():
        figures = list(rows[OURS])
        table = [[figure, *(row.get(figure, "") for row in rows.values())] for figure in figures]
        print(f"\n{tabulate(table, [title, *rows])}", flush=True)
    write(name, {"comparisons": result, **other})


def write(name: str, content: dict[str, Any]) -> None:
    """Write what was measured to `results/benchmarks/<name>.json`, with the machine that it was measured on."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()}
    (RESULTS / f"{name}.json").write_text(
        json.dumps({**content, "machine": machine}, indent=2) + "\n", encoding="utf-8"
    )
