"""The policy that follows the stories of `data/stories/`."""

from typing import Any

from rasa.core.policies.memoization import MemoizationPolicy
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.trackers import DialogueStateTracker, is_prev_action_listen_in_state


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class StoryPolicy(MemoizationPolicy):
    """Follows the longest story that the latest turns tell from its beginning, whatever was said before them.

    It finds what Rasa's AugmentedMemoizationPolicy finds, save that slots set before a story began are not forgotten.
    That policy builds a shorter tracker for each beginning it tries; this one leaves out states it has already.
    """

    def recall(
        self,
        states: list[State],
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: dict[str, Any] | None,
    ) -> str | None:
        """Return the action that follows `states`, one for each step of the conversation, or None."""
        beginnings: list[list[State]] = [
            # A story begins before anything is known.
            [{}, *states[index:]]
            for index in range(1, len(states))
            if is_prev_action_listen_in_state(states[index])
        ]
        remembered = (self._recall_states(told) for told in [states, *beginnings])
        action: str | None = next((action for action in remembered if action is not None), None)
        return action
