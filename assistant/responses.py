"""How the words of `data/` become an answer: the clinic's details, the source, and what fits the message."""

from typing import Any

from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from assistant.desk import Desk
from assistant.nlu.featurizer import UNANSWERED_KEY
from assistant.nlu.signs import SIGN_KEY, the_signs
from clinic.articles import Library, the_library
from clinic.intents import BOOK_APPOINTMENT, REPORT_RED_FLAG
from clinic.matters import Matter
from clinic.profile import the_clinic

_LEAST_SUGGESTIONS = 2
_MOST_SUGGESTIONS = 3
_LEAST_LIKELY_SUGGESTION = 0.1
_SOMETHING_ELSE = {"title": "Something else", "payload": "/ask_help"}


class ClinicResponses(TemplatedNaturalLanguageGenerator):
    """Rasa's templated responses, completed from `clinic.yml` and from what was understood."""

    def __init__(
        self,
        endpoint_config: EndpointConfig | None = None,
        domain: Domain | None = None,
        library: Library | None = None,
    ) -> None:
        super().__init__(domain.responses if domain else {})
        self._library = library or the_library()
        self._placeholders = the_clinic().placeholders()

    @property
    def responses(self) -> dict[str, list[dict[str, Any]]]:
        """The variations of each response; Rasa sets them anew once it has loaded the model."""
        return self._responses

    @responses.setter
    def responses(self, responses: dict[str, list[dict[str, Any]]]) -> None:
        self._responses = responses
        self._desk = Desk(the_clinic(), responses)

    async def generate(
        self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any
    ) -> dict[str, Any] | None:
        understood = tracker.latest_message.parse_data if tracker.latest_message else {}
        is_to_the_desk = utter_action == "utter_ask_clinic_admin"
        matter = self._desk.matter(understood.get("text") or "", is_to_the_desk) if is_to_the_desk else None
        article = self._library.articles.get(tracker.get_slot("article") or "") or self._library.article
        values = {
            **self._placeholders,
            **article.placeholders(),
            **self._desk.values(matter),
            "other_condition": _other_condition(understood.get("entities", [])),
            **kwargs,
        }
        suggestions = self._suggestions(understood.get("intent_ranking", []))
        utter_action = self._fitting(utter_action, tracker, understood, suggestions, matter)
        response = await super().generate(utter_action, tracker, output_channel, **values)
        if response is None:
            return None
        metadata = response.get("metadata", {})
        if "section" in metadata:
            reviewer = self._library.articles[metadata["article"]].reviewer
            response["source"] = {"section": metadata["section"], "reviewer": reviewer}
        if understood.get(UNANSWERED_KEY) and utter_action == f"utter_{understood['intent']['name']}":
            response["text"] += f"\n{self.responses['utter_ask_the_rest'][0]['text']}"
        if utter_action == "utter_did_you_mean":
            response["buttons"] = [*suggestions, _SOMETHING_ELSE]
        if tracker.active_loop_name and "buttons" in response:
            # Who is asking for a visit need not be asked whether they want one.
            response["buttons"] = [
                button for button in response["buttons"] if button["payload"] != f"/{BOOK_APPOINTMENT}"
            ]
        return response

    def _random_response_for(
        self, utter_action: str, output_channel: str, filled_slots: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Return the variation whose conditions all hold: of several the one with the most, of those the first.

        Rasa takes one of them by chance, and none of those without a channel where one with it holds.
        """
        holding = [
            variation
            for variation in self.responses.get(utter_action, [])
            if variation.get("channel", output_channel) == output_channel
            and all(filled_slots.get(needed["name"]) == needed["value"] for needed in variation.get("condition", []))
        ]
        return max(holding, key=lambda variation: len(variation.get("condition", [])), default=None)

    def _fitting(
        self,
        utter_action: str,
        tracker: DialogueStateTracker,
        understood: dict[str, Any],
        suggestions: list[dict[str, str]],
        matter: Matter | None,
    ) -> str:
        """Return the response that says what `utter_action` stands for in the words that fit the message."""
        if utter_action == f"utter_{REPORT_RED_FLAG}":
            sign = the_signs().signs.get(understood.get(SIGN_KEY) or "")
            return sign.response if sign else utter_action
        if utter_action == "utter_ask_booking_status" and tracker.get_slot("booking_reference"):
            return "utter_booking_kept"
        if matter:
            return self._desk.response(matter)
        if utter_action == "utter_did_you_mean" and not suggestions:
            return "utter_not_understood"
        return utter_action

    def _suggestions(self, ranking: list[dict[str, Any]]) -> list[dict[str, str]]:
        """Return buttons for the two or three likeliest topics, in the words of their metadata, where any is likely."""
        topics = [
            (candidate["confidence"], {"title": topic, "payload": f"/{candidate['name']}"})
            for candidate in ranking
            if (topic := self._topic(candidate["name"]))
        ]
        if not topics or topics[0][0] < _LEAST_LIKELY_SUGGESTION:
            return []
        likely = [button for confidence, button in topics if confidence >= _LEAST_LIKELY_SUGGESTION]
        return likely[:_MOST_SUGGESTIONS] if len(likely) > 1 else [button for _, button in topics[:_LEAST_SUGGESTIONS]]

    def _topic(self, intent: str) -> str | None:
        variations = self.responses.get(f"utter_{intent}", [])
        return variations[0].get("metadata", {}).get("topic") if variations else None


def _other_condition(entities: list[dict[str, Any]]) -> str:
    named = [entity["value"] for entity in entities if entity["entity"] == "condition"]
    return named[0] if named else "that"
