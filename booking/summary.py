"""A booking request in words, for the front desk."""

import datetime

from booking.store import Booking, Delivery
from booking.when.times import in_words, start_in_words
from clinic.profile import Clinic, clock


def facts(booking: Booking, clinic: Clinic) -> list[tuple[str, str]]:
    """Return what the front desk needs to know of a request, as labels and values; nothing is escaped."""
    request = booking.request
    wish = request.time
    pairs = [
        ("Reference", booking.shown),
        ("Urgent", "YES: a warning sign was mentioned, please call first" if request.urgent else None),
        ("Name", request.name),
        ("Phone" if request.contact.kind == "phone" else "E-mail", request.contact.shown),
        ("Would suit", wish.words),
        ("That is", start_in_words(wish.start, clinic) if wish.start else in_words(wish.day) if wish.day else None),
        ("Patient", request.patient),
        ("About", request.reason),
        ("Asked", moment_in_words(booking.created_at, clinic)),
        ("Through", request.channel),
    ]
    return [(label, value) for label, value in pairs if value]


def moment_in_words(moment: datetime.datetime, clinic: Clinic) -> str:
    """Return a moment in the clinic's time zone, such as Nov 24, 2:05 pm."""
    local = moment.astimezone(clinic.zone)
    return f"{local:%b} {local.day}, {clock(local.time())}"


def progress(booking: Booking) -> str:
    """Return how far the messages of a request have come: `kept` when none was tried yet."""
    return ", ".join(f"{delivery.kind} {_state(delivery)}" for delivery in booking.deliveries) or "kept"


def _state(delivery: Delivery) -> str:
    if delivery.delivered_at:
        return "sent"
    if delivery.failed_at:
        return f"FAILED ({delivery.last_error})"
    return f"retrying ({delivery.last_error})" if delivery.attempts else "kept"
