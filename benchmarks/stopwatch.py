"""Runs a server with the CPU time of its layers counted; `benchmarks.layers` starts it.

It times the calls that lead from one layer into another. What a layer calls in another one is counted there. It also
runs beside Rasa's default, and so on Python 3.10, where nothing of ours can be imported.
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
from pathlib import Path
from typing import Any

TIMES = "LAYERTIMES"


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
    atexit.register(lambda: Path(os.environ[TIMES]).write_text(json.dumps(stopwatch.seconds), encoding="utf-8"))
    if name == "ours":
        from assistant import __main__ as ours

        prepare = ours.prepare

        def prepare_and_time(is_serving: bool) -> None:
            prepare(is_serving)
            time_rasa(stopwatch)
            time_ours(stopwatch)

        # Rasa can be imported only after this.
        ours.prepare = prepare_and_time
        ours.main()
    else:
        from rasa.__main__ import main

        time_rasa(stopwatch)
        main()


def time_rasa(stopwatch: Stopwatch) -> None:
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


def time_ours(stopwatch: Stopwatch) -> None:
    from assistant.nlu.encoder import Encoder
    from assistant.rasa.tracker_store import ConversationStore

    stopwatch.time(Encoder, "encode", "encoder")
    stopwatch.time(ConversationStore, "said", "tracker")


if __name__ == "__main__":
    serve(sys.argv.pop(1))
