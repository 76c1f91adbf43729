"""How many messages a second two of the assistant's servers answer against one, behind nginx with PostgreSQL and Redis.

    python -m benchmarks.scale

People and all servers share the cores of one machine. So the first comparison holds each of the assistant's servers to
a small share of a core by a control group, as if each had a slower machine of its own, and leaves the rest to all
else. The second holds back nothing: with two cores it shows what the others leave.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tabulate import tabulate

from benchmarks.contenders import questions
from benchmarks.report import Row, write
from tests.scale.cluster import Cluster, cluster
from tests.scale.people import Person
from tests.support.servers import Server

PEOPLE = 24
TURNS = 8
SECONDS = 40
SHARE = 0.15
_PERIOD = 100_000
_NUMBERS = count()
_GROUPS = Path("/sys/fs/cgroup")
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    rows: dict[str, dict[str, Row]] = {}
    for servers in (1, 2):
        with TemporaryDirectory() as folder, cluster(Path(folder), chats=servers) as running:
            name = f"{servers} server{'s' * (servers > 1)}"
            measured(running, 5)
            rows.setdefault("as the machine is", {})[name] = measured(running, SECONDS)
            with ExitStack() as held:
                try:
                    for chat in running.chats:
                        held.enter_context(held_to(SHARE, chat))
                except OSError as error:
                    print(f"No server can be held to a share of a core here: {error}")
                    continue
                rows.setdefault(f"each held to {SHARE} cores", {})[name] = measured(running, SECONDS)
    comparisons = {title: {**each, "ratio": ratio(*each.values())} for title, each in rows.items()}
    for title, each in comparisons.items():
        table = [[figure, *(row[figure] for row in each.values())] for figure in each["ratio"]]
        print(f"\n{tabulate(table, [title, *each])}")
    write("scale", {"comparisons": comparisons, "people": PEOPLE, "turns_a_conversation": TURNS})


def ratio(one: Row, two: Row) -> Row:
    return {figure: round(two[figure] / value, 2) for figure, value in one.items()}


def measured(servers: Cluster, seconds: float) -> Row:
    """Let people hold conversations for so many seconds."""
    asked = list(islice(questions(), TURNS))
    spent, began = cpu_seconds(servers), time.perf_counter()
    with ThreadPoolExecutor(PEOPLE) as crowd:
        talks = crowd.map(lambda _: talk(servers.url, asked, began + seconds), range(PEOPLE))
        took = np.array([turn for turns in talks for turn in turns])
    passed = time.perf_counter() - began
    return {
        "messages_a_second": round(len(took) / passed, 1),
        "p50_ms": round(1000 * float(np.percentile(took, 50)), 1),
        "p95_ms": round(1000 * float(np.percentile(took, 95)), 1),
        "cpu_ms_a_message": round(1000 * (cpu_seconds(servers) - spent) / len(took), 2),
    }


def talk(url: str, asked: list[str], until: float) -> list[float]:
    """Hold conversations, each as another client; return the seconds of each turn."""
    took = []
    while time.perf_counter() < until:
        person = Person(next(_NUMBERS), url, pause=0)
        chat = person.open()
        for question in asked:
            began = time.perf_counter()
            if began > until:
                return took
            if "something went wrong" in person.say(chat, question):
                raise RuntimeError("a message was not answered")
            took.append(time.perf_counter() - began)
    return took


def cpu_seconds(servers: Cluster) -> float:
    """Return the CPU time of the assistant's servers so far."""
    spent = 0.0
    for chat in servers.chats:
        fields = Path(f"/proc/{chat.pid}/stat").read_text().rpartition(")")[2].split()
        spent += (int(fields[11]) + int(fields[12])) / _TICKS
    return spent


@contextmanager
def held_to(share: float, server: Server) -> Iterator[None]:
    """Let a server use no more than a share of a core.

    Raises:
        OSError: control groups cannot be made here.
    """
    is_old = (_GROUPS / "cpu").is_dir()
    group = (_GROUPS / "cpu" if is_old else _GROUPS) / f"benchmark-{server.pid}"
    group.mkdir()
    try:
        if is_old:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(int(share * _PERIOD)))
        else:
            (group / "cpu.max").write_text(f"{int(share * _PERIOD)} {_PERIOD}")
        (group / "cgroup.procs").write_text(str(server.pid))
        yield
    finally:
        for process in (group / "cgroup.procs").read_text().split():
            (group.parent / "cgroup.procs").write_text(process)
        group.rmdir()


if __name__ == "__main__":
    main()
