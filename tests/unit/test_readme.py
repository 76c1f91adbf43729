"""The README says what is there."""

import json
import re
from typing import Any

import pytest

from clinic.articles import the_library
from clinic.profile import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_intents_is_that_of_the_domain() -> None:
    domain = the_library().domain()
    assert sorted(re.findall(r"^\| `([a-z_]+)` \|", README, re.MULTILINE)) == sorted(domain["intents"])


def test_the_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert commands
    assert {name for name in commands if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


def result(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def cells(begins: str) -> list[str]:
    """Return the cells of a table's row after the first, which begins with these words."""
    (row,) = re.findall(rf"^\| {re.escape(begins)}.*?\| (.*) \|$", README, re.MULTILINE)
    return row.split(" | ")


@pytest.mark.parametrize(
    ("begins", "figure"),
    [
        ("the article's questions understood", "article_right"),
        ("… answered with another topic", "article_wrong_topic"),
        ("signs of an emergency seen", "red_flags_seen"),
        ("refused topics answered", "refused_but_answered"),
        ("other diseases and drugs", "medquad_sample_answered"),
        ("anything else", "clinc_oos_sample_answered"),
    ],
)
def test_what_is_understood_is_what_was_measured(begins: str, figure: str) -> None:
    assert cells(begins)[:3] == [f"{100 * row[figure]:.1f} %" for row in result("understanding")["rows"].values()]


@pytest.mark.parametrize(
    ("begins", "name", "figure", "form"),
    [
        ("CPU of a turn", "turns", "cpu_ms", ".2f"),
        ("messages a second", "throughput", "messages_a_second", ".1f"),
        ("memory after 50 turns", "footprint", "megabytes_after_50_turns", ".2f"),
        ("CPU to train", "training", "cpu_seconds", ".2f"),
    ],
)
def test_what_it_costs_is_what_was_measured(begins: str, name: str, figure: str, form: str) -> None:
    ratios = [comparison["ratio"][figure] for comparison in result(name)["comparisons"].values()]
    assert cells(begins) == [", ".join(format(ratio, form) for ratio in ratios)]
