"""The page of all results: a README.md and its charts, drawn from the JSON files beside it.

python -m benchmarks.page
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import jinja2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tabulate import tabulate

from benchmarks.layers import LAYERS
from benchmarks.report import DEFAULT, OURS, RESULTS

_COLOURS = {DEFAULT: "#8a94a6", OURS: "#0b6e6e"}
_LAYER_COLOURS = ("#0b6e6e", "#4fa3a0", "#c9a227", "#8a94a6", "#d07b5c", "#5b5f97")
_WIDTH = 0.38

Comparisons = dict[str, dict[str, dict[str, float]]]


def main() -> None:
    render(RESULTS)


def render(folder: Path) -> None:
    """Write the page of a folder's results, and their charts."""
    results = {}
    for path in sorted(folder.glob("*.json")):
        comparisons = compared(json.loads(path.read_text(encoding="utf-8")))
        chart = path.with_suffix(".png") if path.stem in CHARTS else None
        if chart:
            figure = CHARTS[path.stem](comparisons)
            figure.savefig(chart, dpi=110, metadata={"Software": None})
            plt.close(figure)
        tables = [table(title, rows) for title, rows in comparisons.items()]
        results[path.stem] = {"chart": chart and chart.name, "tables": tables}
    template = jinja2.Template(Path(__file__).with_name("page.md").read_text(encoding="utf-8"))
    (folder / "README.md").write_text(template.render(results=results) + "\n", encoding="utf-8")


def compared(result: dict[str, Any]) -> Comparisons:
    """Return what a file compares, by title."""
    if "memory" in result:
        return {f"resident memory, {result['turns']} turns": result["memory"]}
    comparisons: Comparisons = result["comparisons"]
    return comparisons


def contenders(rows: dict[str, Any]) -> list[str]:
    """Return who of the two is in a comparison: ours alone where the default could not be set up."""
    return [name for name in _COLOURS if name in rows]


def table(title: str, rows: dict[str, dict[str, float]]) -> str:
    """Return one comparison as a table of Markdown, a figure a line."""
    figures = list(dict.fromkeys(figure for row in rows.values() for figure in row))
    lines = [[figure.replace("_", " "), *(row.get(figure, "") for row in rows.values())] for figure in figures]
    return tabulate(lines, [title, *rows], tablefmt="github")


def panels(count: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure with plots in a row, without the lines that say nothing."""
    figure, axes = plt.subplots(1, count, figsize=size, layout="constrained", squeeze=False)
    for axis in axes[0]:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes[0])


def bars(axis: Axes, groups: list[str], values: dict[str, list[float]], title: str) -> None:
    """Draw a bar of each contender in each group, with its value."""
    places = np.arange(len(groups))
    for place, name in enumerate(values):
        offset = (place - (len(values) - 1) / 2) * _WIDTH
        drawn = axis.bar(places + offset, values[name], _WIDTH * 0.95, label=name, color=_COLOURS[name])
        labels = [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values[name]]
        axis.bar_label(drawn, labels, fontsize=8, padding=2)
    axis.set_xticks(places, groups)
    axis.set_title(title, fontsize=10, loc="left")
    axis.margins(y=0.12)


def draw_turns(comparisons: Comparisons) -> Figure:
    return draw_groups(comparisons, {"cpu_ms": "CPU of a turn, ms", "p50_ms": "time to the answer, median, ms"})


def draw_throughput(comparisons: Comparisons) -> Figure:
    titles = {"messages_a_second": "messages a second", "p95_ms": "time to the answer, 95th percentile, ms"}
    return draw_groups(comparisons, titles)


def draw_groups(comparisons: Comparisons, titles: dict[str, str]) -> Figure:
    """Draw some figures in a plot each, with bars for each comparison."""
    figure, axes = panels(len(titles), (10, 3.5))
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        (some, *_) = comparisons.values()
        values = {one: [rows[one][name] for rows in comparisons.values()] for one in contenders(some)}
        bars(axis, list(comparisons), values, title)
    axes[0].legend(frameon=False, loc="upper left")
    return figure


def draw_figures(comparisons: Comparisons) -> Figure:
    """Draw each figure that all contenders have in a plot of its own."""
    drawn: dict[str, dict[str, list[float]]] = {}
    for rows in comparisons.values():
        names = contenders(rows)
        for figure in rows[OURS]:
            if all(figure in rows[name] for name in names):
                drawn[figure] = {name: [rows[name][figure]] for name in names}
    figure, axes = panels(len(drawn), (2.6 * len(drawn), 2.8))
    for axis, (name, values) in zip(axes, drawn.items(), strict=True):
        bars(axis, [""], values, name.replace("_", " "))
        axis.set_yticks([])
    axes[0].legend(frameon=False)
    return figure


def draw_layers(comparisons: Comparisons) -> Figure:
    (rows,) = comparisons.values()
    names = contenders(rows)
    figure, (axis,) = panels(1, (10, 2.4))
    starts = np.zeros(len(names))
    for layer, colour in zip(LAYERS, _LAYER_COLOURS, strict=True):
        widths = np.array([rows[name][layer] for name in names])
        axis.barh(names, widths, left=starts, label=layer, color=colour, height=0.6)
        starts += widths
    axis.set_xlabel("CPU milliseconds of a turn")
    axis.legend(frameon=False, ncol=len(LAYERS), loc="lower center", bbox_to_anchor=(0.5, 1))
    return figure


CHARTS: dict[str, Callable[[Comparisons], Figure]] = {
    "turns": draw_turns,
    "throughput": draw_throughput,
    "layers": draw_layers,
    "footprint": draw_figures,
    "training": draw_figures,
}


if __name__ == "__main__":
    main()
