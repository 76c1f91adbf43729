"""What a turn takes over HTTP, by the length of the conversation; the two servers take turns in one run.

python -m benchmarks.turns
"""

import random
import time
from collections import defaultdict

import numpy as np

from benchmarks.contenders import NAMES, Contender, questions, serving
from benchmarks.report import Row, tell

# By what it is called: from which turn to which, and in how many conversations at least.
LENGTHS = {
    "turn 1": (1, 1, 160),
    "turn 5": (4, 6, 40),
    "turn 10": (9, 11, 40),
    "turn 50": (48, 52, 6),
    "turn 200": (196, 204, 3),
}
_WARM_UP = 20
# How many conversations a server holds before it is the other's turn.
_AT_A_STRETCH = 20

Turn = tuple[float, float]


def main() -> None:
    with serving(*NAMES) as contenders:
        for contender in contenders:
            hold(contender, _most(), _WARM_UP)
        turns: dict[str, dict[int, list[Turn]]] = {name: defaultdict(list) for name in NAMES}
        longest = [max(end for _, end, count in LENGTHS.values() if count > place) for place in range(_most())]
        for start in range(0, len(longest), _AT_A_STRETCH):
            for contender in contenders:
                for place in range(start, min(start + _AT_A_STRETCH, len(longest))):
                    for number, turn in enumerate(hold(contender, place, longest[place]), start=1):
                        turns[contender.name][number].append(turn)
    comparisons = {title: {name: figures(turns[name], *span[:2]) for name in NAMES} for title, span in LENGTHS.items()}
    growth = {
        name: round(comparisons["turn 200"][name]["cpu_ms"] / comparisons["turn 5"][name]["cpu_ms"], 2)
        for name in NAMES
    }
    print(f"\nCPU of turn 200 over that of turn 5: {growth}")
    tell("turns", comparisons, cpu_of_turn_200_over_turn_5=growth)


def _most() -> int:
    return max(count for _, _, count in LENGTHS.values())


def hold(contender: Contender, place: int, length: int) -> list[Turn]:
    """Hold a conversation, each with the questions in an order of its own.

    Returns:
        the seconds and the server's CPU seconds of each turn.
    """
    turns = []
    for text in random.Random(place).choices(questions(), k=length):
        started, cpu_started = time.perf_counter(), contender.cpu_seconds()
        if not contender.ask(f"person{place}", text):
            raise RuntimeError(f"{contender.name} said nothing to {text!r}")
        turns.append((time.perf_counter() - started, contender.cpu_seconds() - cpu_started))
    return turns


def figures(turns: dict[int, list[Turn]], first: int, last: int) -> Row:
    """Return the figures of the turns from `first` to `last`, in milliseconds."""
    chosen = 1000 * np.array([turn for number in range(first, last + 1) for turn in turns[number]])
    return {
        "p50_ms": round(float(np.percentile(chosen[:, 0], 50)), 1),
        "p95_ms": round(float(np.percentile(chosen[:, 0], 95)), 1),
        "cpu_ms": round(float(chosen[:, 1].mean()), 1),
        "turns": len(chosen),
    }


if __name__ == "__main__":
    main()
