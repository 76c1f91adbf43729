"""The policy that follows the stories of `data/`."""

from typing import Any

from rasa.core.constants import POLICY_MAX_HISTORY
from rasa.core.policies.memoization import MemoizationPolicy
from rasa.core.policies.policy import PolicyPrediction
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.core.constants import ACTIVE_LOOP, LOOP_NAME, PREVIOUS_ACTION, USER
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.events import ActionExecuted
from rasa.shared.core.trackers import DialogueStateTracker, is_prev_action_listen_in_state
from rasa.shared.nlu.constants import ACTION_NAME, INTENT


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class StoryPolicy(MemoizationPolicy):
    """Follows the longest story that the latest turns tell from its beginning, whatever was said before them.

    Stories tell of intents and actions. Rasa's AugmentedMemoizationPolicy follows them too, with a shorter tracker and
    all its states for each beginning that it tries, and it loses a story in whose middle rules take many steps.
    """

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        # Packing the few stories there are saves nothing, and each prediction would pack what it looks up.
        memoization = {**MemoizationPolicy.get_default_config(), "enable_feature_string_compression": False}
        # What is said between the turns of a story without ending it.
        return {**memoization, "asides": []}

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """Predict what a story goes on with; Rasa's own does so too, and copies all states for a log."""
        states = self._prediction_states(tracker, domain, rule_only_data=rule_only_data)
        action = self.recall(states, tracker, domain, rule_only_data)
        return self._prediction(
            self._default_predictions(domain) if action is None else self._prediction_result(action, tracker, domain)
        )

    def _prediction_states(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        use_text_for_last_user_input: bool = False,
        rule_only_data: dict[str, Any] | None = None,
    ) -> list[State]:
        """Return the latest states as a story would tell them, without the steps that only rules take."""
        actions = [event for event in tracker.applied_events() if type(event) is ActionExecuted]
        told: list[State] = []
        is_hidden, before = False, None
        for state, action in zip(tracker.past_states(domain), [*actions, None], strict=True):
            if not is_hidden:
                before = state.get(PREVIOUS_ACTION)
            # A form that goes on asking neither begins nor ends what is hidden.
            if not _is_asking(state):
                is_hidden = bool(action and action.hide_rule_turn)
            if is_hidden:
                continue
            # What was said in hidden steps is hidden too.
            is_new = is_prev_action_listen_in_state(state) or not told
            said = (state if is_new else told[-1]).get(USER)
            intent = {USER: {INTENT: said[INTENT]}} if said else {}
            told.append({**intent, **({PREVIOUS_ACTION: before} if before else {})})
        return self._without_asides(told)[-self.config[POLICY_MAX_HISTORY] :]

    def _without_asides(self, told: list[State]) -> list[State]:
        """Leave out each turn that an aside has answered; in the latest turn it is still to be followed."""
        asides = {
            index
            for index, state in enumerate(told[:-1])
            if state.get(PREVIOUS_ACTION, {}).get(ACTION_NAME) in self.config["asides"]
        }
        return [state for index, state in enumerate(told) if asides.isdisjoint((index, index + 1))]

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


def _is_asking(state: State) -> bool:
    """Tell whether a form has just asked for something."""
    form = state.get(ACTIVE_LOOP, {}).get(LOOP_NAME)
    return form is not None and state.get(PREVIOUS_ACTION, {}).get(ACTION_NAME) == form
