"""Memory stays flat however long people talk; `benchmarks/soak.py` does the same with 10,000 turns."""

from pathlib import Path

from benchmarks.soak import CONVERSATION, soak
from tests.faults.chat import booked

TURNS = 1500
MOST_GROWTH = 1.05


def test_fifteen_hundred_turns_leave_the_memory_as_it_was(tmp_path: Path) -> None:
    done = soak(tmp_path, TURNS)
    assert done.turns == TURNS
    assert done.booked == booked(tmp_path) == TURNS // len(CONVERSATION)
    assert {name: value for name, value in done.outcomes.items() if "apologies" in name and value} == {}
    for server, samples in done.memory.items():
        assert done.growth(server) < MOST_GROWTH, (server, samples)
