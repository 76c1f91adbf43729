"""How the words of `data/` become an answer: the wording that fits, the clinic's details, what stands around it."""

import copy
from collections.abc import Collection, Sequence
from typing import Any

from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from assistant.context import cited_before, heard_before, said_before
from assistant.desk import Desk
from assistant.nlu.aspects import ASKED_KEY
from assistant.nlu.featurizer import UNANSWERED_KEY
from assistant.nlu.signs import SIGN_KEY, the_signs
from assistant.nlu.things import THINGS_FILE, People
from assistant.wordings import Wordings, is_among
from clinic.articles import Article, Library, the_library
from clinic.intents import BOOK_APPOINTMENT, REPORT_RED_FLAG
from clinic.matters import Matter
from clinic.profile import the_clinic

# The kinds of responses in whose place a matter of the front desk is answered, where the message names one.
_MAY_NAME_A_MATTER = frozenset({"desk", "outside", "unsure"})
_LEAST_SUGGESTIONS = 2
_MOST_SUGGESTIONS = 3
_LEAST_LIKELY_SUGGESTION = 0.1
_SOMETHING_ELSE = {"title": "Something else", "payload": "/ask_help"}
# What chooses a topic's words, and a conversation need not keep.
_NOTES = frozenset({"unsaid", "as_whole", "it", "is_silent"})
# How many of the latest messages a source, or a kind word, is not said again in.
_RECENT = 4
# What already tells who is speaking, or must not be longer than it is.
_WITHOUT_NOTICE = frozenset({"utter_greet", "utter_ask_bot_identity", "utter_speak_other_language", "utter_apology"})


class ClinicResponses(TemplatedNaturalLanguageGenerator):
    """Rasa's templated responses, completed from `clinic.yml` and from what was understood and said."""

    def __init__(
        self,
        endpoint_config: EndpointConfig | None = None,
        domain: Domain | None = None,
        library: Library | None = None,
    ) -> None:
        self._library = library or the_library()
        super().__init__(domain.responses if domain else {})
        self._people = People(THINGS_FILE)
        self._placeholders = the_clinic().placeholders()

    @property
    def responses(self) -> dict[str, list[dict[str, Any]]]:
        """The variations of each response; Rasa sets them anew once it has loaded the model."""
        return self._responses

    @responses.setter
    def responses(self, responses: dict[str, list[dict[str, Any]]]) -> None:
        self._responses = responses
        self._desk = Desk(the_clinic(), responses)
        self._wordings = {name: Wordings(responses, name) for name in self._library.articles}

    async def generate(
        self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any
    ) -> dict[str, Any] | None:
        understood = tracker.latest_message.parse_data if tracker.latest_message else {}
        said, heard = said_before(tracker), heard_before(tracker)
        kind = self.responses.get(utter_action, [{}])[0].get("metadata", {}).get("kind")
        text = understood.get("text") or ""
        matter = self._desk.matter(text, is_to_the_desk=kind == "desk") if kind in _MAY_NAME_A_MATTER else None
        article = self._library.articles.get(tracker.get_slot("article") or "") or self._library.article
        values = {
            **self._placeholders,
            **article.placeholders(),
            **self._desk.values(matter),
            "other_condition": _other_condition(understood.get("entities", [])),
            "your": self._people.whose(heard),
            "rest": self._topics_in_words(understood.get(UNANSWERED_KEY) or []),
            **kwargs,
        }
        is_urgent = utter_action == f"utter_{REPORT_RED_FLAG}"
        suggestions = self._suggestions(understood.get("intent_ranking", []))
        utter_action = self._fitting(utter_action, tracker, understood, suggestions, matter)
        wording = self._wording(utter_action, understood, article, said)
        if wording is None:
            response = await super().generate(utter_action, tracker, output_channel, **values)
        else:
            response = self._fill_response(copy.deepcopy(wording), tracker.current_slot_values(), **values)
        if response is None:
            return None
        response.pop("condition", None)
        if not is_urgent:
            self._complete(response, utter_action, understood, article, said, values, cited_before(tracker, _RECENT))
            if heard and not said and utter_action not in _WITHOUT_NOTICE:
                response["text"] += f"\n{self._filled('utter_notice', values)}"
        response["metadata"] = {key: value for key, value in response["metadata"].items() if key not in _NOTES}
        if utter_action == "utter_did_you_mean":
            response["buttons"] = [*suggestions, _SOMETHING_ELSE]
        if tracker.active_loop_name and "buttons" in response:
            # Who is asking for a visit need not be asked whether they want one.
            response["buttons"] = [
                button for button in response["buttons"] if button["payload"] != f"/{BOOK_APPOINTMENT}"
            ]
        return response

    def _wording(
        self, utter_action: str, understood: dict[str, Any], article: Article, said: Sequence[str]
    ) -> dict[str, Any] | None:
        """Return the variation of a response that answers the thing asked, or None where nothing is asked of it."""
        intent = utter_action.removeprefix("utter_")
        is_asked = understood.get("intent", {}).get("name") == intent
        asked = understood.get(ASKED_KEY) if is_asked else None
        wordings = self._wordings[article.name]
        if not asked:
            return None
        if self._library.kind(intent) == "answer" and wordings.is_topic(intent):
            return wordings.answer(intent, asked, said)
        fitting = wordings.under(utter_action, aspect=asked.get("aspect")) if asked.get("aspect") else []
        return next((each for each in fitting if not is_among(each, said[:_RECENT])), fitting[0] if fitting else None)

    def _complete(
        self,
        response: dict[str, Any],
        utter_action: str,
        understood: dict[str, Any],
        article: Article,
        said: Sequence[str],
        values: dict[str, Any],
        cited: Collection[str],
    ) -> None:
        """Add what stands around an answer: a kind word, the source, and what is left to ask."""
        recent = said[:_RECENT]
        metadata = response["metadata"]
        word = self._kind_word(understood, article, recent)
        if word:
            response["text"] = f"{word} {response['text']}"
        if "section" in metadata and metadata["section"] not in cited:
            reviewer = self._library.articles[metadata["article"]].reviewer
            response["source"] = {"section": metadata["section"], "reviewer": reviewer}
        if understood.get(UNANSWERED_KEY) and utter_action == f"utter_{understood['intent']['name']}":
            response["text"] += f"\n{self._filled('utter_ask_the_rest', values)}"

    def _kind_word(self, understood: dict[str, Any], article: Article, recent: Sequence[str]) -> str | None:
        """Return a word for the fear or frustration that a message tells of, unless it was just said."""
        feeling = self._people.feeling(understood.get("text") or "")
        words = self._wordings[article.name].under("utter_kind_word", feeling=feeling) if feeling else []
        return None if not words or any(is_among(word, recent) for word in words) else words[0]["text"]

    def _filled(self, name: str, values: dict[str, Any]) -> str:
        text: str = self._fill_response({"text": self.responses[name][0]["text"]}, {}, **values)["text"]
        return text

    def _topics_in_words(self, intents: Sequence[str]) -> str:
        """Return what topics are called in a sentence, as in "surgery and the diagnosis"."""
        metadata = (self.responses.get(f"utter_{intent}", [{}])[0].get("metadata", {}) for intent in intents)
        return " and ".join(dict.fromkeys(each.get("it", "the rest") for each in metadata))

    def _random_response_for(
        self, utter_action: str, output_channel: str, filled_slots: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Return the variation whose conditions all hold: of several the one with the most, of those the first.

        Rasa takes one of them by chance, and none of those without a channel where one with it holds. What another
        article says of a single aspect does not count; what it says of the topic as a whole does, where no other is.
        """
        article = filled_slots.get("article") or self._library.article.name
        holding = [
            variation
            for variation in self.responses.get(utter_action, [])
            if variation.get("channel", output_channel) == output_channel
            and ("condition" not in variation or variation["metadata"].get("article", article) == article)
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
