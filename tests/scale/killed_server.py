"""The real assistant's server, killed with SIGKILL at a step of a message: `python -m tests.scale.killed_server run`.

The step stands at the beginning of the message's id. Each message kills one server only: the next one goes on with it.
"""

import os
import signal
import sys
from pathlib import Path

from assistant.rasa.compatibility import compute_in_one_thread, prepare

compute_in_one_thread()
prepare(is_serving=True)

from rasa.shared.core.trackers import DialogueStateTracker  # noqa: E402

from assistant.__main__ import main  # noqa: E402
from assistant.rasa import tracker_store as trackers  # noqa: E402
from assistant.rasa.tracker_store import ConversationStore  # noqa: E402
from assistant.website.sessions import Reply, Sessions  # noqa: E402
from tests.support.servers import Server, rasa  # noqa: E402

# Before the first turn of a message is written and after it, before the whole reply is kept and after it.
STEPS = ("saving", "saved", "keeping", "kept")
_FOLDER = "KILLED_FOLDER"


def killed_server(folder: Path, environment: dict[str, str]) -> Server:
    """Return such a server, not yet started, among others whose folders stand beside its own."""
    server = rasa(folder, {**environment, _FOLDER: str(folder.parent)})
    server.command[0] = __name__
    return server


def die(step: str, message: str | None) -> None:
    if not message or not message.startswith(f"{step}-"):
        return
    try:
        os.close(os.open(Path(os.environ[_FOLDER]) / message, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def put_in_steps() -> None:
    """Put the steps into the server."""
    save, keep = ConversationStore.save, Sessions.keep

    async def saving(store: ConversationStore, tracker: DialogueStateTracker) -> None:
        message, _ = trackers._latest_turn(tracker)
        die("saving", message)
        await save(store, tracker)
        die("saved", message)

    async def keeping(sessions: Sessions, session: str, message: str, said: Reply) -> Reply:
        die("keeping", message)
        kept = await keep(sessions, session, message, said)
        die("kept", message)
        return kept

    ConversationStore.save, Sessions.keep = saving, keeping  # type: ignore[method-assign]


if __name__ == "__main__":
    put_in_steps()
    sys.exit(main())
