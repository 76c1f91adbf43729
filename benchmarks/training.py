"""What training takes and how large the model is, on the same examples of each intent.

python -m benchmarks.training
"""

from pathlib import Path

from benchmarks.contenders import EXAMPLES, NAMES, OURS, train
from benchmarks.report import Row, tell
from clinic.profile import ROOT


def main() -> None:
    rows: dict[str, Row] = {}
    for name in NAMES:
        training = train(name)
        megabytes = size(training.model)
        # Ours reads these beside the model; they are built once and not trained.
        beside = sum(size(path) for path in (ROOT / "models" / "encoder", ROOT / "models" / "spacy"))
        rows[name] = {
            "cpu_seconds": round(training.cpu_seconds, 1),
            "seconds": round(training.seconds, 1),
            "model_megabytes": round(megabytes, 1),
            "model_and_encoder_megabytes": round(megabytes + (beside if name == OURS else 0), 1),
        }
    tell("training", {f"training on {EXAMPLES} examples an intent": rows}, examples=EXAMPLES)


def size(path: Path) -> float:
    """Return the size of a file, or of all files in a folder, in megabytes."""
    files = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    return sum(part.stat().st_size for part in files) / 1e6


if __name__ == "__main__":
    main()
