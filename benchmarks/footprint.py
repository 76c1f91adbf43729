"""How long a server takes to start, and how much memory it holds.

python -m benchmarks.footprint
"""

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.contenders import NAMES, prepared, questions
from benchmarks.report import Row, tell

STARTS = 3
TURNS = 50


def main() -> None:
    starts: dict[str, list[Row]] = {name: [] for name in NAMES}
    for _ in range(STARTS):
        for name in NAMES:
            starts[name].append(measured(name))
    rows = {
        name: {figure: round(median(row[figure] for row in told), 1) for figure in told[0]}
        for name, told in starts.items()
    }
    tell("footprint", {"start and memory": rows}, starts=STARTS, turns=TURNS)


def measured(name: str) -> Row:
    """Start a server, hold a conversation with it, and return what that took."""
    asked = questions()
    with TemporaryDirectory() as folder:
        contender = prepared(name, Path(folder))
        started = time.monotonic()
        try:
            contender.server.start()
            contender.ask("first", asked[0])
            row = {
                "seconds_to_first_answer": time.monotonic() - started,
                "cpu_seconds_to_first_answer": contender.cpu_seconds(),
                "megabytes_at_start": contender.resident_megabytes(),
            }
            for text in asked[1 : TURNS + 1]:
                contender.ask("second", text)
            return row | {f"megabytes_after_{TURNS}_turns": contender.resident_megabytes()}
        finally:
            contender.server.kill()


if __name__ == "__main__":
    main()
