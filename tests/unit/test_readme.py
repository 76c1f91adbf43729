"""The README says what is there."""

import json
import re

import yaml

from assistant.clinic import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_intents_is_that_of_the_domain() -> None:
    domain = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
    assert re.findall(r"^\| `([a-z_]+)` \|", README, re.MULTILINE) == domain["intents"]


def test_the_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert commands
    assert {name for name in commands if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


def test_the_figures_are_those_of_the_benchmark() -> None:
    path = ROOT / "benchmarks" / "results" / "understanding.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    for row in rows.values():
        for figure in ("article_right", "article_wrong_topic", "red_flags_seen", "medquad_sample_answered"):
            assert f"{100 * row[figure]:.1f} %" in README
