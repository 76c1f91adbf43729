"""What the intent classifier takes from the words of a text."""

import numpy as np
from rasa.engine.storage.resource import Resource
from scipy.sparse import hstack

from assistant.nlu.classifier import SentenceClassifier

_LEARNT = ["what is runner's knee", "what causes my knee pain", "my knee hurts, is my knee okay?", "is it bad", "é à"]
_ASKED = ["My knee's knee: what is it", "", "zzz", *_LEARNT]


def test_terms_weigh_what_scikit_learn_makes_them_weigh() -> None:
    config = {**SentenceClassifier.get_default_config(), "ngram_min_df": 2}
    classifier = SentenceClassifier(config, None, Resource("classifier"))
    transformed = []
    for vectorizer, weight in ((classifier._ngrams, "ngram_weight"), (classifier._words, "word_weight")):
        vectorizer.fit(_LEARNT)
        transformed.append(vectorizer.transform(_ASKED) * config[weight])
    for texts in (_ASKED, [_ASKED[0]], [""]):
        rows = [_ASKED.index(text) for text in texts]
        expected = hstack(transformed, format="csr")[rows].toarray()
        found = classifier._tf_idf(texts)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found.toarray(), expected, atol=1e-6)
