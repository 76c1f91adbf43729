"""A conversation as the policies see it."""

from typing import Any

from rasa.shared.core.domain import Domain, State
from rasa.shared.core.events import ActionExecuted, Event
from rasa.shared.core.trackers import DialogueStateTracker


class Conversation(DialogueStateTracker):
    """A tracker that works out each of its past states once.

    Rasa's own replays the whole conversation whenever a policy asks, several times a prediction.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._told: list[Event] = []
        # By how many of the events in `_told` came before.
        self._states: dict[int, State] = {}

    def past_states(
        self,
        domain: Domain,
        omit_unset_slots: bool = False,
        ignore_rule_only_turns: bool = False,
        rule_only_data: dict[str, Any] | None = None,
    ) -> list[State]:
        """Return the state before each action and the present one, as Rasa's tracker does."""
        if omit_unset_slots or ignore_rule_only_turns:
            states: list[State] = super().past_states(domain, omit_unset_slots, ignore_rule_only_turns, rule_only_data)
            return states
        told = self.applied_events()
        moments = [index for index, event in enumerate(told) if isinstance(event, ActionExecuted)] + [len(told)]
        unchanged = _common(told, self._told)
        self._told, self._states = told, {at: state for at, state in self._states.items() if at <= unchanged}
        if not self._states.keys() >= set(moments):
            for at, (tracker, _) in zip(moments, self.generate_all_prior_trackers(), strict=True):
                if at not in self._states:
                    self._states[at] = domain.get_active_state(tracker)
        # Those who ask may change what they get.
        return [{kind: dict(features) for kind, features in self._states[at].items()} for at in moments]


def _common(some: list[Event], others: list[Event]) -> int:
    """Return how many events two lists begin with that are the very same."""
    pairs = enumerate(zip(some, others, strict=False))
    return next((index for index, (one, other) in pairs if one is not other), min(len(some), len(others)))
