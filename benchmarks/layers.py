"""Where the CPU time of a turn goes, by layer, over HTTP.

    python -m benchmarks.layers

Each server is started with `benchmarks.stopwatch` inside.
"""

import json
import os
import signal
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contenders import NAMES, prepared, questions
from benchmarks.report import Row, tell
from benchmarks.stopwatch import TIMES

LAYERS = ("encoder", "nlu", "policies", "tracker", "actions", "http")
_CONVERSATIONS = 20
_TURNS = 10


def main() -> None:
    rows = {name: measured(name) for name in NAMES}
    tell("layers", {"CPU milliseconds of a turn": rows}, turns=_CONVERSATIONS * _TURNS)


def measured(name: str) -> Row:
    """Return the CPU milliseconds of a turn in each layer."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        contender = prepared(name, folder)
        contender.server.command[:1] = ["benchmarks.stopwatch", name]
        contender.server.environment |= {TIMES: str(folder / "times.json")}
        contender.server.start()
        try:
            asked = cycle(questions())
            for _ in range(_TURNS):
                contender.ask("warm-up", next(asked))
            os.kill(contender.server.pid, signal.SIGUSR1)
            before = contender.cpu_seconds()
            for conversation in range(_CONVERSATIONS):
                for _ in range(_TURNS):
                    contender.ask(f"person-{conversation}", next(asked))
            total = contender.cpu_seconds() - before
        finally:
            contender.server.stop()
        seconds = json.loads((folder / "times.json").read_text(encoding="utf-8"))
    # What runs in none of the layers that are timed reads requests, writes answers and goes from one to the other.
    seconds["http"] = total - sum(seconds.values())
    turns = _CONVERSATIONS * _TURNS
    return {layer: round(1000 * seconds.get(layer, 0) / turns, 2) for layer in LAYERS} | {
        "all": round(1000 * total / turns, 2)
    }


if __name__ == "__main__":
    main()
