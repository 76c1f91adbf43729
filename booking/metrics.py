"""What the action server and the delivery worker count for Prometheus: labels from fixed lists, no text, no ids."""

import datetime
from collections.abc import Iterable

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from booking.request import Clock, utc_now
from booking.store import Bookings
from service.database import StoreUnavailable

BOOKINGS = Counter(
    "assistant_bookings_total", "Requests handed off: new, repeated (sent twice) or failed.", ["outcome"]
)
ACTION_FAILURES = Counter("assistant_action_failures_total", "Actions that ended with a fault.")
DELIVERIES = Counter(
    "assistant_deliveries_total", "Tries to deliver a request: delivered, postponed or given_up.", ["kind", "outcome"]
)
for _outcome in ("new", "repeated", "failed"):
    BOOKINGS.labels(_outcome)


class Backlog(Collector):
    """The requests that are still to be delivered, counted in the database whenever the metrics are read."""

    def __init__(self, bookings: Bookings, clock: Clock = utc_now) -> None:
        self._bookings = bookings
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        return self._families()

    def collect(self) -> Iterable[Metric]:
        reached, waiting, oldest = self._families()
        try:
            found = self._bookings.backlog()
        except StoreUnavailable:
            reached.add_metric([], 0)
            return [reached]
        reached.add_metric([], 1)
        for kind, state in found.items():
            waiting.add_metric([kind, "waiting"], state.waiting)
            waiting.add_metric([kind, "given_up"], state.given_up)
            age = self._clock() - state.oldest if state.oldest else datetime.timedelta()
            oldest.add_metric([kind], max(0.0, age.total_seconds()))
        return [reached, waiting, oldest]

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily("assistant_bookings_store_up", "Whether the requests can be read."),
            GaugeMetricFamily("assistant_delivery_backlog", "Messages not delivered.", labels=["kind", "state"]),
            GaugeMetricFamily("assistant_delivery_oldest_seconds", "Age of the oldest that waits.", labels=["kind"]),
        )
