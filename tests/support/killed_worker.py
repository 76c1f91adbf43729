"""The real delivery worker, killed with SIGKILL at a step: `python -m tests.support.killed_worker STEP HOURS`.

STEP is one of STEPS, or `never`; HOURS is how far its clock is ahead, so that the leases of a dead worker have ended.
"""

import datetime
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from booking import delivery
from booking.request import utc_now
from booking.store import Bookings

# In the order in which they come: `claiming` and `noting` are after the writing and before the commit.
STEPS = ("starting", "claiming", "claimed", "sent", "noting", "noted")


def main(step: str, hours: float) -> int:
    inside: list[str] = []

    def die(at: str) -> None:
        if at == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: type, name: str, during: str, after: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            inside.append(during)
            try:
                result = real(*arguments, **named)
            finally:
                inside.pop()
            if result is not None or name != "claim":
                die(after)
            return result

        setattr(owner, name, wrapped)

    around(Bookings, "claim", "claiming", "claimed")
    around(Bookings, "delivered", "noting", "noted")
    around(delivery.Mailer, "send", "sending", "sent")
    around(delivery.Webhook, "send", "sending", "sent")
    sa.event.listen(sa.engine.Engine, "commit", lambda _: die(inside[-1]) if inside else None)
    die("starting")
    ahead = datetime.timedelta(hours=hours)
    return delivery.main(["--once"], lambda: utc_now() + ahead)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
