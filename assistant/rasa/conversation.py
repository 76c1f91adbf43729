"""A conversation as the policies see it."""

from copy import copy
from itertools import islice
from typing import Any

from rasa.shared.core.domain import Domain, State
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    BotUttered,
    DefinePrevUserUtteredFeaturization,
    Event,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker

# What never takes an event back.
_ADDED = frozenset({BotUttered, DefinePrevUserUtteredFeaturization, SlotSet, UserUttered})


class Conversation(DialogueStateTracker):
    """A tracker that works out each of its past states once, and can be copied as it is.

    Rasa's own replays the whole conversation for each copy and whenever a policy asks, several times a prediction.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # The latest event that `_applied` takes in, and how many events there were.
        self._seen: tuple[int, Event | None] = (0, None)
        self._applied: list[Event] = []
        self._loops: set[str | None] = set()
        self._told: list[Event] = []
        # What `_told` makes of a new tracker.
        self._replayed: DialogueStateTracker | None = None
        # The indices of the actions in `_told`.
        self._moments: list[int] = []
        # By how many of the events in `_told` came before.
        self._states: dict[int, State] = {}

    def applied_events(self) -> list[Event]:
        """Return the events that were not taken back, as Rasa's tracker does."""
        count, latest = self._seen
        new = list(islice(self.events, count, None))
        is_other = count > len(self.events) or (count and self.events[count - 1] is not latest)
        if is_other or any(self._may_take_back(event) for event in new):
            self._loops = {event.name for event in self.events if isinstance(event, ActiveLoop)}
            self._applied = super().applied_events()
        else:
            self._applied += new
        self._seen = (len(self.events), self.events[-1] if self.events else None)
        return self._applied.copy()

    def _may_take_back(self, event: Event) -> bool:
        """Tell whether an event may undo others, as the run of a form does that was run before."""
        if type(event) is ActionExecuted:
            return event.action_name in self._loops
        return type(event) not in _ADDED

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
        return self.latest_states(domain, len(self.events) + 1)

    def latest_states(self, domain: Domain, most: int) -> list[State]:
        """Return the last `most` of `past_states`."""
        self._replay(domain)
        # Those who ask may change what they get.
        return [
            {kind: dict(features) for kind, features in self._states[at].items()}
            for at in [*self._moments, len(self._told)][-most:]
        ]

    def _replay(self, domain: Domain) -> None:
        """Work out the states that are new since the last time, going on from there unless something was taken back."""
        told = self.applied_events()
        unchanged = shared_prefix_length(told, self._told)
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


def latest_states(tracker: DialogueStateTracker, domain: Domain, most: int) -> list[State]:
    """Return the last `most` states of any tracker."""
    if isinstance(tracker, Conversation):
        return tracker.latest_states(domain, most)
    states: list[State] = tracker.past_states(domain)
    return states[-most:]


def shared_prefix_length(some: list[Event], others: list[Event]) -> int:
    """Return how many events two lists begin with that are the very same."""
    pairs = enumerate(zip(some, others, strict=False))
    return next((index for index, (one, other) in pairs if one is not other), min(len(some), len(others)))
