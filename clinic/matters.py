"""The front desk's matters: which one a message is about, and what the clinic has to say of it."""

import re
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel

from clinic.profile import ROOT, Clinic, ClinicError

_FILE = ROOT / "data" / "lookups" / "matters.yml"
_LONGEST_SEARCHED = 1000


class Matter(BaseModel, frozen=True):
    """A matter of the front desk.

    Attributes:
        name: as `desk` in `clinic.yml` calls it.
        called: as a reply calls it, after "about".
        sure: whether its words count whatever else a message was taken for.
    """

    name: str
    called: str
    sure: bool = False


class Matters:
    """Finds the matter that a text is about."""

    def __init__(self, path: Path = _FILE) -> None:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))["matters"]
        self._patterns = [
            (
                Matter(name=name, called=entry["called"], sure=entry.get("sure", False)),
                re.compile(rf"\b(?:{'|'.join(entry['words'])})", re.IGNORECASE),
            )
            for name, entry in content.items()
        ]
        self.names = frozenset(content)

    def find(self, text: str) -> Matter | None:
        """Return the first matter, in the file's order, of which a text has a word."""
        plain = text[:_LONGEST_SEARCHED].replace("’", "'")
        return next((matter for matter, pattern in self._patterns if pattern.search(plain)), None)


@lru_cache
def the_matters() -> Matters:
    """Return the matters of `data/lookups/matters.yml`."""
    return Matters()


def check_desk(clinic: Clinic) -> None:
    """Check that the clinic answers matters that there are.

    Raises:
        ClinicError: one is unknown.
    """
    unknown = sorted(set(clinic.desk) - the_matters().names)
    if unknown:
        known = ", ".join(sorted(the_matters().names))
        raise ClinicError(f"clinic.yml answers under desk: {', '.join(unknown)}; the matters are {known}.")
