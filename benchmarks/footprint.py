"""How long a server takes to start, how much memory it holds, and how much its environment takes on the disk.

    python -m benchmarks.footprint

Environments are installed anew and compiled, as in the image; each is measured with `du`.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.contenders import DEFAULT, DEFAULT_PROJECT, NAMES, OURS, prepared, questions, trained
from benchmarks.report import Row, tell
from benchmarks.soak import soak
from clinic.profile import ROOT

STARTS = 3
TURNS = 50
MEMORY, ACTIONS, DEVELOPER, IMAGE = (
    f"megabytes_after_{TURNS}_turns",
    "action_server_megabytes",
    "environment_megabytes",
    "image_megabytes",
)
# What this project allows itself.
LIMITS = {MEMORY: 400, ACTIONS: 100, DEVELOPER: 1400, IMAGE: 650}


def main() -> None:
    starts: dict[str, list[Row]] = {name: [] for name in NAMES}
    for _ in range(STARTS):
        for name in NAMES:
            starts[name].append(measured(name))
    rows = {
        name: {figure: round(median(row[figure] for row in told), 1) for figure in told[0]}
        for name, told in starts.items()
    }
    with TemporaryDirectory() as folder:
        rows[OURS][ACTIONS] = soak(Path(folder), TURNS, people=1).memory["actions"][-1]
    comparisons = {"start and memory": rows, "disk": {name: sized(name) for name in NAMES}}
    tell("footprint", {title: limited(each) for title, each in comparisons.items()}, starts=STARTS, turns=TURNS)
    for each in comparisons.values():
        for figure, value in each[OURS].items():
            if value > LIMITS.get(figure, value):
                print(f"Over its limit of {LIMITS[figure]}: {figure.replace('_', ' ')}, {value}")


def limited(rows: dict[str, Row]) -> dict[str, Row]:
    """Return a comparison with a row of the limits of its figures."""
    return {**rows, "at most": {figure: LIMITS[figure] for figure in rows[OURS] if figure in LIMITS}}


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
            return row | {MEMORY: contender.resident_megabytes()}
        finally:
            contender.server.kill()


def sized(name: str) -> Row:
    """Return the megabytes of the environment with all that a developer needs, and of what an image carries.

    An image has the packages that serve and the models; the base image and our code, which is small, are not counted.
    """
    if name == DEFAULT:
        packages = installed(DEFAULT_PROJECT, DEFAULT_PROJECT / ".venv" / "bin" / "python")
        return {DEVELOPER: packages, IMAGE: packages + megabytes(trained(name))}
    return {
        DEVELOPER: installed(ROOT, Path(sys.executable)),
        IMAGE: installed(ROOT, Path(sys.executable), "--no-dev") + megabytes(ROOT / "models"),
    }


def installed(project: Path, python: Path, *options: str) -> int:
    """Return the megabytes of a project's locked packages, installed in a folder of their own."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{ROOT}/.tools/bin:{os.environ['PATH']}")
    if uv is None:
        raise RuntimeError("Measuring an environment needs uv.")
    with TemporaryDirectory() as folder:
        command = [uv, "sync", "--frozen", "--quiet", "--compile-bytecode", "--python", str(python), *options]
        environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": f"{folder}/environment"}
        subprocess.run(command, cwd=project, env=environment, check=True)
        return megabytes(Path(folder))


def megabytes(path: Path) -> int:
    """Return what a file or a folder takes on the disk."""
    told = subprocess.run(
        ["du", "--summarize", "--block-size=1M", str(path)], capture_output=True, text=True, check=True
    )
    return int(told.stdout.split()[0])


if __name__ == "__main__":
    main()
