"""What is said to the front desk's matters: the clinic's own answer, or who has one and when."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clinic.matters import Matter, Matters, check_desk, the_matters
from clinic.profile import Clinic

_ANSWER, _UNANSWERED = "utter_desk_answer", "utter_desk_matter"


class Desk:
    """Chooses the response to a matter, and gives the values that it names in braces."""

    def __init__(
        self,
        clinic: Clinic,
        responses: Mapping[str, Sequence[Mapping[str, Any]]],
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
        matters: Matters | None = None,
    ) -> None:
        check_desk(clinic)
        self._clinic = clinic
        self._now = now
        self._matters = matters or the_matters()
        self._responses = {
            matter: name
            for name, variations in responses.items()
            for matter in variations[0].get("metadata", {}).get("matters", [])
        }

    def matter(self, text: str, is_to_the_desk: bool) -> Matter | None:
        """Return the matter that a message is about; one that is not sure counts in a question to the desk alone."""
        found = self._matters.find(text)
        return found if found and (found.sure or is_to_the_desk) else None

    def response(self, matter: Matter) -> str:
        """Return the name of the response to a matter."""
        return _ANSWER if matter.name in self._clinic.desk else self._responses.get(matter.name, _UNANSWERED)

    def values(self, matter: Matter | None = None) -> dict[str, str]:
        """Return what responses may name in braces: whether the clinic is open now, the matter and its answer."""
        return {
            "opening_now": self._clinic.opening_in_words(self._now()),
            "matter": matter.called if matter else "that",
            "desk_answer": self._clinic.desk.get(matter.name, "") if matter else "",
        }
