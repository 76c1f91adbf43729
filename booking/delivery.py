"""The worker that delivers booking requests: `python -m booking.delivery`.

Each request waits in the outbox until its receiver has said that it took it. A message is claimed, sent, and noted
as delivered, in that order: a worker that is killed on the way leaves a lease that runs out, and whoever takes the
message then sends it again under the same Message-ID or Idempotency-Key, by which its receiver knows it.
"""

import argparse
import datetime
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from prometheus_client import REGISTRY

from booking.metrics import DELIVERIES, Backlog
from booking.request import ClaimedDelivery, Clock, Kind, utc_now
from booking.store import Bookings, open_bookings
from booking.transports import Mailer, SendError, Transport, Webhook
from clinic.profile import Clinic, ClinicError, the_clinic
from service import logs
from service.database import StoreUnavailable
from service.health import Health
from service.queue import RetryPolicy
from service.settings import SettingError, Settings, settings
from service.startup import StartError

# A lease outlives every send, so no other worker can take a message that is still on its way.
SEND_SECONDS = 60
LEASE = datetime.timedelta(seconds=2 * SEND_SECONDS)
_IDLE_SECONDS = 2.0
_LONGEST_IDLE_SECONDS = 60.0
# A send that is on its way when the worker is told to stop has this long to end.
_SECONDS_TO_STOP = 3.0
_SWEEP_EVERY = datetime.timedelta(hours=1)

logger = logging.getLogger("booking.delivery")


# Half a minute, doubled up to an hour, until 16 hours have gone by.
RETRIES = RetryPolicy.doubling(first=30, longest=3600, attempts=22)


class Worker:
    """Delivers what is due, and erases what has been kept long enough."""

    def __init__(
        self,
        bookings: Bookings,
        senders: Sequence[Transport],
        retention: datetime.timedelta,
        clock: Clock = utc_now,
        retries: RetryPolicy = RETRIES,
    ) -> None:
        self._bookings = bookings
        self._senders = {sender.kind: sender for sender in senders}
        self._retention = retention
        self._clock = clock
        self._retries = retries
        self._swept: datetime.datetime | None = None

    def step(self) -> bool:
        """Deliver one message, or try to; return whether one was due.

        Raises:
            StoreUnavailable: the database cannot be reached. What was sent and could not be noted is sent again later.
        """
        parcel = self._bookings.claim(tuple(self._senders), LEASE) if self._senders else None
        if parcel is None:
            return False
        kind, shown = parcel.delivery.kind, parcel.booking.shown
        try:
            with _deadline(SEND_SECONDS):
                self._senders[kind].send(parcel)
        except SendError as error:
            self._put_off(parcel, error.what, error.alone)
        except TimeoutError as error:
            self._put_off(parcel, type(error).__name__, alone=False)
        except Exception as error:
            # Whatever one request does to the code that sends it, the others must still go out.
            self._put_off(parcel, type(error).__name__, alone=True)
        else:
            self._bookings.delivered(parcel)
            DELIVERIES.labels(kind, "delivered").inc()
            logger.info("%s of %s delivered", kind, shown)
        return True

    def sweep(self) -> None:
        """Erase requests older than the clinic keeps them, at most once an hour.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        now = self._clock()
        if self._swept and now - self._swept < _SWEEP_EVERY:
            return
        erased = self._bookings.forget(before=now - self._retention)
        if erased:
            logger.info("%d requests erased, older than %d days", erased, self._retention.days)
        self._swept = now

    def run(self, stop: threading.Event, once: bool = False) -> None:
        """Work until `stop` is set; with `once`, until nothing is due."""
        idle = _IDLE_SECONDS
        while not stop.is_set():
            try:
                self.sweep()
                busy = self.step()
                idle = _IDLE_SECONDS
            except StoreUnavailable as error:
                if once:
                    raise
                logger.warning("the database is away (%s), waiting", error)
                busy, idle = False, min(2 * idle, _LONGEST_IDLE_SECONDS)
            if once and not busy:
                return
            if not busy:
                stop.wait(idle)

    def _put_off(self, parcel: ClaimedDelivery, what: str, alone: bool) -> None:
        kind, shown, tries = parcel.delivery.kind, parcel.booking.shown, parcel.delivery.attempts + 1
        delay = self._retries.delay_after(tries)
        if delay is None:
            self._bookings.failed(parcel, what)
            DELIVERIES.labels(kind, "given_up").inc()
            logger.error("%s of %s given up after %d tries (%s): see the front-desk list", kind, shown, tries, what)
        else:
            pause = datetime.timedelta(seconds=delay)
            self._bookings.postponed(parcel, what, self._clock() + pause, alone)
            DELIVERIES.labels(kind, "postponed").inc()
            logger.warning("%s of %s not delivered (%s), tried again in %s", kind, shown, what, pause)


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the main thread when the block takes longer; a slow peer can stretch any other limit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _hurry() -> None:
    """Give a send that is on its way `_SECONDS_TO_STOP` to end."""
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    if left > _SECONDS_TO_STOP:
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_STOP)


def transports_of(clinic: Clinic, chosen: Settings, clock: Clock = utc_now) -> list[Transport]:
    """Return the ways out that the clinic wants and the settings make possible; say which ones they do not.

    Raises:
        SettingError: a setting cannot be used.
    """
    made: dict[Kind, tuple[Transport | None, str]] = {
        "email": (Mailer.from_settings(chosen, clinic), "SMTP_HOST"),
        "webhook": (Webhook.from_settings(chosen, clock), "WEBHOOK_URL"),
    }
    senders: list[Transport] = []
    for kind in dict.fromkeys(clinic.delivery):
        sender, setting = made[kind]
        if sender is None:
            logger.warning("%s is not set: requests are kept, and the front-desk list shows them", setting)
        else:
            senders.append(sender)
    return senders


def _serve_health(bookings: Bookings, chosen: Settings) -> None:
    """Tell how the worker is on DELIVERY_HOST and DELIVERY_PORT; without a port do nothing.

    Raises:
        StartError: nothing can listen there.
    """
    if chosen.delivery_port:
        REGISTRY.register(Backlog(bookings))
        Health({"bookings": bookings.ping}).serve(chosen.delivery_host, chosen.delivery_port)


def main(arguments: Sequence[str] | None = None, clock: Clock = utc_now) -> int:
    """Run the worker until SIGTERM or Ctrl-C; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m booking.delivery", description="Deliver booking requests.")
    parser.add_argument("--once", action="store_true", help="stop when nothing is due")
    once = parser.parse_args(arguments).once
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()
        _hurry()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        logs.configure()
        clinic = the_clinic()
        bookings = open_bookings(clinic, clock)
        if not once:
            _serve_health(bookings, settings())
        worker = Worker(
            bookings,
            transports_of(clinic, settings(), clock),
            datetime.timedelta(days=clinic.retention_days),
            clock,
        )
        worker.run(stop, once)
    except (ClinicError, SettingError, StartError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except StoreUnavailable as error:
        sys.stderr.write(f"The database cannot be reached ({error}): check DATABASE_URL.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
