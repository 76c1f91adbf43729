"""What the intent classifier takes from the words of a text, and what it learns."""

import numpy as np
from rasa.engine.storage.resource import Resource
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from assistant.nlu.classifier import SentenceClassifier
from assistant.nlu.regression import fit

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


def test_it_learns_what_scikit_learn_learns() -> None:
    chooser = np.random.default_rng(0)
    dense = chooser.normal(size=(120, 5)).astype(np.float32)
    sparse = csr_matrix(chooser.random((120, 7)).astype(np.float32))
    classes = np.arange(120) % 3
    weights = chooser.random(120) + 0.5
    alpha = 0.02
    model = fit(dense, sparse, classes, weights, alpha, iterations=500)
    theirs = LogisticRegression(C=1 / (alpha * weights.sum()), max_iter=500, tol=1e-8)
    together = np.hstack([dense, sparse.toarray()])
    theirs.fit(together, classes, weights)
    np.testing.assert_allclose(
        model.probabilities(dense, sparse @ model.sparse), theirs.predict_proba(together), atol=1e-3
    )
