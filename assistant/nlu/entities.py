"""The entities of a message: the words of the vocabulary, as the spaCy document of the message holds them."""

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.constants import SPACY_DOCS
from rasa.nlu.extractors.spacy_entity_extractor import SpacyEntityExtractor
from rasa.nlu.utils.spacy_utils import SpacyModel
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False, model_from="SpacyNLP")
class VocabularyExtractor(SpacyEntityExtractor):
    """Rasa's SpacyEntityExtractor, which takes the document that SpacyNLP has made and reads no message twice.

    Rasa's own makes another one in case the first is of lower-cased words, which ours never is.
    """

    def process(self, messages: list[Message], model: SpacyModel) -> list[Message]:
        for message in messages:
            found = self.add_extractor_name(self._extract_entities(message.get(SPACY_DOCS[TEXT])))
            wanted = self.filter_irrelevant_entities(found, self._config["dimensions"])
            message.set(ENTITIES, message.get(ENTITIES, []) + wanted, add_to_output=True)
        return messages
