"""Ten thousand turns of people who talk in parallel and book: does the memory stay flat, is everyone answered?

python -m benchmarks.soak [TURNS]
"""

import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from tabulate import tabulate

from benchmarks.report import write
from tests.support.servers import Server, actions, rasa

TURNS = 10_000
PEOPLE = 8
WARM_UP = 0.1
_SAMPLES = 20
# What one person says, each time as someone new: questions, refusals, an emergency, nonsense, and a booking.
CONVERSATION = (
    "hi",
    "what is runner's knee?",
    "and what causes it?",
    "what are the treatments for lupus?",
    "do I need surgery or is rest enough?",
    "grmbl fnord",
    "my calf is hot and swollen",
    "what does it cost?",
    "book me a visit, Ana Ruiz, 949-555-0133, any weekday morning",
    "skip",
    "skip",
    "yes",
    "thank you",
)
_BOOKED = "Your reference is"


@dataclass
class Soak:
    """What happened.

    Attributes:
        memory: megabytes of resident memory of each server, at even distances from the end of the warm-up on.
        outcomes: how many messages ended how, as the gate counts them.
        booked: how many bookings were told to be sent.
    """

    turns: int = 0
    seconds: float = 0.0
    booked: int = 0
    memory: dict[str, list[float]] = field(default_factory=dict)
    outcomes: dict[str, float] = field(default_factory=dict)

    def growth(self, server: str) -> float:
        """Return the memory of a server in the last quarter / in the first after the warm-up, by their medians."""
        samples = self.memory[server]
        quarter = max(1, len(samples) // 4)
        return _middle(samples[-quarter:]) / _middle(samples[:quarter])


def soak(folder: Path, turns: int, people: int = PEOPLE) -> Soak:
    """Hold conversations with the real servers until so many turns have been taken."""
    token = secrets.token_hex(16)
    helper = actions(folder, {"ACTION_TOKEN": token})
    server = rasa(folder, {"ACTION_TOKEN": token, "ACTION_URL": f"{helper.url}/webhook"})
    servers = {"rasa": server, "actions": helper}
    try:
        for one in (helper, server):
            one.start()
        return _run(servers, turns, people)
    finally:
        for one in (server, helper):
            one.kill()


def _run(servers: dict[str, Server], turns: int, people: int) -> Soak:
    result, lock = Soak(memory={name: [] for name in servers}), threading.Lock()
    every = max(1, round(turns * (1 - WARM_UP) / _SAMPLES))
    script = iter(_texts(turns))

    def person() -> None:
        with requests.Session() as session:
            while True:
                with lock:
                    conversation = next(script, None)
                if conversation is None:
                    return
                sender = secrets.token_hex(8)
                for text in conversation:
                    said = _ask(session, servers["rasa"], sender, text)
                    with lock:
                        result.turns += 1
                        result.booked += _BOOKED in said
                        since_warm = result.turns - turns * WARM_UP
                        if since_warm >= 0 and since_warm % every < 1:
                            for name, one in servers.items():
                                result.memory[name].append(_megabytes(one))

    begun = time.monotonic()
    with ThreadPoolExecutor(people) as pool:
        for done in [pool.submit(person) for _ in range(people)]:
            done.result()
    result.seconds = time.monotonic() - begun
    result.outcomes = _outcomes(servers["rasa"])
    return result


def _texts(turns: int) -> Iterator[Iterable[str]]:
    while turns > 0:
        yield CONVERSATION[:turns]
        turns -= len(CONVERSATION)


def _ask(session: requests.Session, server: Server, sender: str, text: str) -> str:
    message = {"sender": sender, "message": text}
    answer = session.post(f"{server.url}/webhooks/rest/webhook", json=message, timeout=60)
    answer.raise_for_status()
    return "\n".join(said.get("text", "") for said in answer.json())


def _metrics(server: Server) -> dict[str, float]:
    lines = requests.get(f"{server.url}/metrics", timeout=60).text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[0] != "#"}


def _megabytes(server: Server) -> float:
    return round(_metrics(server)["process_resident_memory_bytes"] / 2**20, 1)


def _outcomes(server: Server) -> dict[str, float]:
    found: Counter[str] = Counter()
    for name, value in _metrics(server).items():
        if name.startswith(("assistant_messages_total", "assistant_apologies_total")):
            found[name.removeprefix("assistant_")] += value
    return dict(found)


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def main() -> None:
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    with TemporaryDirectory() as folder:
        done = soak(Path(folder), turns)
    rows = {
        name: {"after_warm_up_mb": samples[0], "at_the_end_mb": samples[-1], "ratio": round(done.growth(name), 3)}
        for name, samples in done.memory.items()
    }
    print(tabulate([[name, *row.values()] for name, row in rows.items()], ["server", "MB warm", "MB end", "ratio"]))
    told = {
        "turns": done.turns,
        "people_at_once": PEOPLE,
        "seconds": round(done.seconds, 1),
        "booked": done.booked,
        "outcomes": done.outcomes,
        "memory": rows,
        "samples_mb": done.memory,
    }
    write("soak", told)


if __name__ == "__main__":
    main()
