"""The policies: one for rules and one for stories, both faster than Rasa's own."""

import json
from typing import Any

from rasa.core.constants import POLICY_MAX_HISTORY
from rasa.core.policies.memoization import MemoizationPolicy
from rasa.core.policies.policy import PolicyPrediction
from rasa.core.policies.rule_policy import RULES, RULES_FOR_LOOP_UNHAPPY_PATH, RulePolicy
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.constants import ACTIVE_LOOP, LOOP_NAME, PREVIOUS_ACTION, USER
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.events import ActionExecuted
from rasa.shared.core.trackers import DialogueStateTracker, is_prev_action_listen_in_state
from rasa.shared.nlu.constants import ACTION_NAME, INTENT, TEXT

from assistant.rasa.conversation import latest_states


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class FastRulePolicy(RulePolicy):
    """Rasa's RulePolicy, which looks only at rules that may match and at as many states as a rule has.

    What it predicts is the same. It is trained as Rasa's is, and faster from then on.
    """

    # For each rule the action and the intent that its last state asks for; None until the rules are known.
    _endings: dict[str, tuple[str | None, str | None]] | None = None
    _longest = 0
    _tells_of_texts = True

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> "FastRulePolicy":
        policy: FastRulePolicy = super().load(config, model_storage, resource, execution_context, **kwargs)
        policy._index()
        return policy

    def train(self, training_trackers: list[Any], domain: Domain, **kwargs: Any) -> Resource:
        resource: Resource = super().train(training_trackers, domain, **kwargs)
        self._index()
        return resource

    def _index(self) -> None:
        rules = {
            rule: json.loads(rule)
            for kind in (RULES, RULES_FOR_LOOP_UNHAPPY_PATH)
            for rule in self.lookup.get(kind, {})
        }
        self._endings = {rule: _ending(states[-1]) for rule, states in rules.items()}
        self._longest = max(map(len, rules.values()), default=0)
        self._tells_of_texts = any(TEXT in state.get(USER, {}) for states in rules.values() for state in states)

    def _find_action_from_rules(
        self, tracker: DialogueStateTracker, domain: Domain, use_text_for_last_user_input: bool
    ) -> tuple[str | None, str | None, bool]:
        """Look for a rule by the text of a message, before one by its intent, only where rules name texts."""
        if use_text_for_last_user_input and not self._tells_of_texts:
            return None, None, False
        found: tuple[str | None, str | None, bool] = super()._find_action_from_rules(
            tracker, domain, use_text_for_last_user_input
        )
        return found

    def _prediction_states(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        use_text_for_last_user_input: bool = False,
        rule_only_data: dict[str, Any] | None = None,
    ) -> list[State]:
        """Return the states that rules are compared with: as many of the latest as the longest rule has."""
        if self._endings is None:
            all_states: list[State] = super()._prediction_states(
                tracker, domain, use_text_for_last_user_input, rule_only_data
            )
            return all_states
        states = latest_states(tracker, domain, self._longest)
        self.featurizer._choose_last_user_input([states], use_text_for_last_user_input)
        return states

    def _get_possible_keys(self, lookup: dict[str, str], states: list[State]) -> set[str]:
        """Return the rules that a conversation may be following, by looking only at those that end as it does."""
        if self._endings is not None:
            action, intent = _ending(states[-1])
            endings = {(action, intent), (action, None), (None, None)}
            lookup = {rule: told for rule, told in lookup.items() if self._endings[rule] in endings}
        possible: set[str] = super()._get_possible_keys(lookup, states)
        return possible

    def format_tracker_states(self, states: list[dict[str, Any]]) -> list[str]:
        """Return nothing: Rasa writes all states for a log that is off, and copies them."""
        return []


def _ending(state: State) -> tuple[str | None, str | None]:
    """Return the action and the intent of a state; Nones when it has no action."""
    action = state.get(PREVIOUS_ACTION, {}).get(ACTION_NAME)
    return (action, state.get(USER, {}).get(INTENT)) if action else (None, None)


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
        """Predict the next action of a story; Rasa's own does so too, and copies all states for a log."""
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
