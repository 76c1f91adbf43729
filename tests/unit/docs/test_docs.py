"""README and docs say what is there."""

import re
from pathlib import Path

import pytest

from benchmarks.figures import PAGES as MEASURED
from benchmarks.figures import ROWS, row
from clinic.__main__ import table_of_intents
from clinic.articles import the_library
from clinic.profile import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_intents_is_made_from_the_data() -> None:
    assert (ROOT / "docs" / "intents.md").read_text(encoding="utf-8") == table_of_intents(the_library())


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_and_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    files = re.findall(
        r"`((?:assistant|actions|booking|clinic|service|deploy|docs|benchmarks|tests)/[\w./-]*\w\.\w+)`", text
    )
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    commands = set(re.findall(r"(?:`|^)make ([a-z]+)", pages, re.MULTILINE))
    assert commands
    assert {name for name in commands if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


@pytest.mark.parametrize("begins", ROWS)
def test_what_is_said_was_measured(begins: str) -> None:
    rows = [found for page in MEASURED for found in row(begins).findall(page.read_text(encoding="utf-8"))]
    assert len(rows) == 1
    wanted = ROWS[begins]()
    assert rows[0][1].split(" | ")[: len(wanted)] == wanted
