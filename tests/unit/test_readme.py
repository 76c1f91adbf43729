"""The README says what is there."""

import re

import pytest

from benchmarks.figures import PAGES, ROWS, row
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


@pytest.mark.parametrize("begins", ROWS)
def test_what_is_said_was_measured(begins: str) -> None:
    rows = [found for page in PAGES for found in row(begins).findall(page.read_text(encoding="utf-8"))]
    assert len(rows) == 1
    wanted = ROWS[begins]()
    assert rows[0][1].split(" | ")[: len(wanted)] == wanted
