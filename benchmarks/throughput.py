"""How many messages a second are answered when people talk at once, each in conversations of their own.

python -m benchmarks.throughput
"""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import numpy as np

from benchmarks.contenders import NAMES, Contender, questions, serving
from benchmarks.report import Row, tell

# How many people talk at once, and how many conversations each of them has.
PEOPLE = {1: 10, 8: 2, 64: 1}
TURNS = 8


def main() -> None:
    comparisons: dict[str, dict[str, Row]] = {}
    with serving(*NAMES) as contenders:
        for contender in contenders:
            talk(contender, "warm-up", 2)
        for people, conversations in PEOPLE.items():
            title = f"{people} {'person' if people == 1 else 'people at once'}"
            comparisons[title] = {
                contender.name: measured(contender, people, conversations) for contender in contenders
            }
    tell("throughput", comparisons, turns_a_conversation=TURNS)


def measured(contender: Contender, people: int, conversations: int) -> Row:
    started = time.perf_counter()
    with ThreadPoolExecutor(people) as crowd:
        talks = crowd.map(lambda person: talk(contender, f"{people}-{person}", conversations), range(people))
        seconds = np.array([second for turns in talks for second in turns])
    return {
        "messages_a_second": round(len(seconds) / (time.perf_counter() - started), 1),
        "p50_ms": round(1000 * float(np.percentile(seconds, 50)), 1),
        "p95_ms": round(1000 * float(np.percentile(seconds, 95)), 1),
        "messages": len(seconds),
    }


def talk(contender: Contender, person: str, conversations: int) -> list[float]:
    """Hold conversations one after another; return the seconds of each turn."""
    client, asked, seconds = contender.another_client(), cycle(questions()), []
    for conversation in range(conversations):
        for _ in range(TURNS):
            started = time.perf_counter()
            said = client.ask(f"{person}-{conversation}", next(asked))
            seconds.append(time.perf_counter() - started)
            if not said or "something went wrong" in said[0]["text"]:
                raise RuntimeError(f"{contender.name} did not answer")
    return seconds


if __name__ == "__main__":
    main()
