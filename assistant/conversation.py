"""A conversation as the policies see it."""

from copy import copy
from typing import Any

from rasa.shared.core.domain import Domain, State
from rasa.shared.core.events import ActionExecuted, Event
from rasa.shared.core.trackers import DialogueStateTracker


class Conversation(DialogueStateTracker):
    """A tracker that works out each of its past states once, and can be copied as it is.

    Rasa's own replays the whole conversation for each copy and whenever a policy asks, several times a prediction.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # The latest event that `_applied` takes in, and how many events there were.
        self._seen: tuple[int, Event | None] = (0, None)
        self._applied: list[Event] = []
        self._told: list[Event] = []
        # What `_told` makes of a new tracker.
        self._replayed: DialogueStateTracker | None = None
        # The indices of the actions in `_told`.
        self._moments: list[int] = []
        # By how many of the events in `_told` came before.
        self._states: dict[int, State] = {}

    def applied_events(self) -> list[Event]:
        """Return the events that were not taken back, as Rasa's tracker does."""
        seen = (len(self.events), self.events[-1] if self.events else None)
        if seen[0] != self._seen[0] or seen[1] is not self._seen[1]:
            self._seen, self._applied = seen, super().applied_events()
        return self._applied.copy()

    def copy(self) -> DialogueStateTracker:
        """Return a tracker with the same events and in the same state."""
        twin = DialogueStateTracker(self.sender_id, None, self._max_event_history, is_rule_tracker=self.is_rule_tracker)
        for name in ("_paused", "followup_action", "latest_message", "latest_bot_utterance"):
            setattr(twin, name, getattr(self, name))
        for name in ("events", "latest_action", "active_loop"):
            setattr(twin, name, copy(getattr(self, name)))
        twin.slots = {name: copy(slot) for name, slot in self.slots.items()}
        return twin

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
        self._replay(domain)
        # Those who ask may change what they get.
        return [
            {kind: dict(features) for kind, features in self._states[at].items()}
            for at in [*self._moments, len(self._told)]
        ]

    def _replay(self, domain: Domain) -> None:
        """Work out the states that are new since the last time, going on from there unless something was taken back."""
        told = self.applied_events()
        unchanged = _common(told, self._told)
        if self._replayed is None or unchanged < len(self._told):
            self._replayed, self._told, self._moments = self.init_copy(), [], []
            self._states = {at: state for at, state in self._states.items() if at <= unchanged}
        for at, event in enumerate(told[len(self._told) :], len(self._told)):
            if isinstance(event, ActionExecuted):
                self._moments.append(at)
                if at not in self._states:
                    self._states[at] = domain.get_active_state(self._replayed)
            self._replayed.update(event)
        if len(told) not in self._states:
            self._states[len(told)] = domain.get_active_state(self._replayed)
        self._told = told


def _common(some: list[Event], others: list[Event]) -> int:
    """Return how many events two lists begin with that are the very same."""
    pairs = enumerate(zip(some, others, strict=False))
    return next((index for index, (one, other) in pairs if one is not other), min(len(some), len(others)))
