"""Where the CPU time of a turn goes, by layer, over HTTP.

    python -m benchmarks.layers

Each server is started by this module, which times the calls that lead from one layer into another. What a layer calls
in another one is counted there.
"""

import atexit
import functools
import inspect
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assistant.imports import ONE_THREAD

from benchmarks.contenders import NAMES, OURS, prepared, questions
from benchmarks.report import Row, tell

LAYERS = ("encoder", "nlu", "policies", "tracker", "actions", "http")
_CONVERSATIONS = 20
_TURNS = 10
_TIMES = "LAYER_TIMES"


def main() -> None:
    rows = {name: measured(name) for name in NAMES}
    tell("layers", {"CPU milliseconds of a turn": rows}, turns=_CONVERSATIONS * _TURNS)


def measured(name: str) -> Row:
    """Return the CPU milliseconds of a turn in each layer."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        contender = prepared(name, folder, program="benchmarks.layers")
        contender.server.command.insert(1, name)
        contender.server.environment = {**contender.server.environment, _TIMES: str(folder / "times.json")}
        if name == OURS:
            # This module has imported NumPy before the server could say so.
            contender.server.environment |= ONE_THREAD
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


# ---------------------------------------------------------------- inside the server


class Stopwatch:
    """Adds up the CPU seconds of each layer; one message is answered at a time."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._within: list[float] = []

    def time(self, owner: Any, method: str, layer: str | Callable[[Any], str]) -> None:
        """Count what a method of a class takes to a layer, or to the one that is right for the instance."""
        timed = getattr(owner, method)

        def begin() -> float:
            self._within.append(0.0)
            return time.process_time()

        def end(began: float, instance: Any) -> None:
            taken = time.process_time() - began
            self.seconds[layer if isinstance(layer, str) else layer(instance)] += taken - self._within.pop()
            if self._within:
                self._within[-1] += taken

        if inspect.iscoroutinefunction(timed):

            @functools.wraps(timed)
            async def later(instance: Any, *arguments: Any, **named: Any) -> Any:
                began = begin()
                try:
                    return await timed(instance, *arguments, **named)
                finally:
                    end(began, instance)

            setattr(owner, method, later)
        else:

            @functools.wraps(timed)
            def now(instance: Any, *arguments: Any, **named: Any) -> Any:
                began = begin()
                try:
                    return timed(instance, *arguments, **named)
                finally:
                    end(began, instance)

            setattr(owner, method, now)


def serve(name: str) -> None:
    """Run a contender's server with its layers timed; write the times when it ends."""
    stopwatch = Stopwatch()
    # What was counted before, as while it warmed up, is not wanted.
    signal.signal(signal.SIGUSR1, lambda *_: stopwatch.seconds.clear())
    atexit.register(lambda: Path(os.environ[_TIMES]).write_text(json.dumps(stopwatch.seconds), encoding="utf-8"))
    if name == OURS:
        from assistant.imports import leave_out_tensorflow

        leave_out_tensorflow()
    from rasa.core.policies.policy import Policy
    from rasa.core.processor import MessageProcessor
    from rasa.core.tracker_store import FailSafeTrackerStore, TrackerStore
    from rasa.engine.graph import GraphNode

    def layer_of(node: GraphNode) -> str:
        return "policies" if issubclass(node._component_class, Policy) else "nlu"

    stopwatch.time(GraphNode, "__call__", layer_of)
    stopwatch.time(MessageProcessor, "parse_message", "nlu")
    stopwatch.time(MessageProcessor, "_predict_next_with_tracker", "policies")
    stopwatch.time(MessageProcessor, "handle_message", "actions")
    for method in ("retrieve", "save"):
        stopwatch.time(FailSafeTrackerStore, method, "tracker")
    stopwatch.time(TrackerStore, "get_or_create_tracker", "tracker")
    if name == OURS:
        from assistant.__main__ import main as run
        from assistant.nlu.encoder import Encoder
        from assistant.rasa.tracker_store import ConversationStore

        stopwatch.time(Encoder, "encode", "encoder")
        stopwatch.time(ConversationStore, "said", "tracker")
    else:
        from rasa.__main__ import main as run
    run()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv.pop(1))
    else:
        main()
