"""The sentence encoder."""

from pathlib import Path

import numpy as np
import pytest

from assistant.nlu import encoder, featurizer
from assistant.nlu.encoder import DIMENSIONS, WIDTH, Encoder, EncoderError
from assistant.nlu.featurizer import ENCODER_FOLDER, SentenceFeaturizer

TEXTS = [
    "what causes runner's knee?",
    "ice",
    "My knee began to ache in May, under the kneecap, and it has not stopped since. Should I see a doctor about it?",
    "膝が痛い",
    "",
    "knee " * 2000,
]
# The int8 graph scales what it computes by the largest number in the batch, so a batch changes a vector a little.
LEAST_LIKENESS = 0.97


@pytest.fixture(scope="module")
def sentences() -> Encoder:
    return Encoder(ENCODER_FOLDER)


def test_weights_that_are_not_the_pinned_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(encoder, "_weights_folder", lambda: tmp_path)
    with pytest.raises(EncoderError, match="is not the pinned encoder: its sha256 is"):
        encoder.build(tmp_path / "built")
    assert not (tmp_path / "built").exists()


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "WEIGHTS_PACKAGE", "no_such_weights")
    with pytest.raises(EncoderError, match="no_such_weights is not installed"):
        encoder.build(tmp_path)


def test_a_graph_that_was_not_built_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="make setup"):
        Encoder(tmp_path)


def test_another_graph_makes_another_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = SentenceFeaturizer.get_default_config()
    monkeypatch.setattr(featurizer, "ENCODER_FOLDER", tmp_path)
    assert SentenceFeaturizer.get_default_config() == {"encoder": ""}
    (tmp_path / "encoder.onnx").write_bytes(b"another graph")
    assert SentenceFeaturizer.get_default_config()["encoder"] not in ("", built["encoder"])


def test_each_layer_gives_a_vector_of_length_one(sentences: Encoder) -> None:
    vectors = sentences.encode([[text] for text in TEXTS])
    assert vectors.shape == (len(TEXTS), DIMENSIONS)
    assert vectors.dtype == np.float32
    by_layer = vectors.reshape(len(TEXTS), -1, WIDTH)
    assert np.allclose(np.linalg.norm(by_layer, axis=2), 1, atol=1e-5)


def test_nothing_gives_no_vectors(sentences: Encoder) -> None:
    assert sentences.encode([]).shape == (0, DIMENSIONS)


def test_a_text_alone_is_the_text_in_a_batch_in_its_place(sentences: Encoder) -> None:
    texts = [text for text in TEXTS if text] * 20
    together = sentences.encode([[text] for text in texts])
    alone = np.concatenate([sentences.encode([[text]]) for text in texts])
    likeness = together @ alone.T / (DIMENSIONS / WIDTH)
    assert np.diagonal(likeness).min() > LEAST_LIKENESS
    assert [texts[index] for index in likeness.argmax(axis=1)] == texts


def test_many_texts_are_what_each_is_in_their_order(sentences: Encoder) -> None:
    texts = [text for text in TEXTS if text] * 200
    many, one_by_one = sentences.encode_many([[text] for text in texts]), sentences.encode([[text] for text in texts])
    assert ((many * one_by_one).sum(axis=1) / (DIMENSIONS / WIDTH)).min() > LEAST_LIKENESS
    assert sentences.encode_many([]).shape == (0, DIMENSIONS)


def test_the_same_text_gives_the_same_vector(sentences: Encoder) -> None:
    assert np.array_equal(sentences.encode([TEXTS[:1]]), sentences.encode([TEXTS[:1]]))


def test_a_text_in_pieces_is_their_mean_by_tokens(sentences: Encoder) -> None:
    long, short = TEXTS[2], TEXTS[1]
    both, of_long, of_short, again = sentences.encode([[long, short], [long], [short], [long]])
    assert np.array_equal(again, of_long)
    assert both @ of_long > both @ of_short > of_long @ of_short


def test_a_row_holds_no_more_tokens_than_it_may(sentences: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [["what is it", "and why"], ["and why"], ["how long does it last"], ["what is it"]]
    together = sentences.encode(texts)
    monkeypatch.setattr(encoder, "_ROW_TOKENS", 9)
    apart = sentences.encode(texts)
    likeness = (apart * together).sum(axis=1) / np.linalg.norm(apart, axis=1) / np.linalg.norm(together, axis=1)
    # Eight bits round otherwise beside other texts, on some processors more than on others.
    assert likeness.min() > 0.97


def test_meaning_decides_likeness(sentences: Encoder) -> None:
    cause, why, price = sentences.encode(
        [["what causes runner's knee"], ["why do I have runner's knee"], ["what is the fee"]]
    )
    assert cause @ why > cause @ price
