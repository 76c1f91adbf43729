"""A booking request in words, for the front desk."""

import datetime

from booking.request import Booking, Delivery, Request
from booking.when.words import in_words
from clinic.profile import Clinic, clock
from service.settings import settings

_CHANNELS = {
    **dict.fromkeys(("rest", "web", "website", "chat"), "website"),
    "sms": "text message",
    "whatsapp": "WhatsApp",
    "telegram": "Telegram",
    "messenger": "Messenger",
    "slack": "Slack",
}
_SENDING = {"email": ("mailed", "no mail server"), "webhook": ("posted to the webhook", "no webhook")}


def facts(booking: Booking, clinic: Clinic) -> list[tuple[str, str]]:
    """Return what the front desk needs to know of a request, as labels and values; nothing is escaped."""
    request = booking.request
    wish = request.time
    contacts = [contact for contact in (request.contact, request.second_contact) if contact]
    sign = f" ({request.sign})" if request.sign else ""
    pairs = [
        ("Reference", booking.shown),
        ("Change", f"of a request sent before: {request.change}" if request.change else None),
        ("Urgent", f"YES: a warning sign was mentioned{sign}, please call first" if request.urgent else None),
        ("Name", request.name),
        ("For", patient_in_words(request)),
        *(("Phone" if contact.kind == "phone" else "E-mail", contact.shown) for contact in contacts),
        ("Would suit", wish.words),
        ("That is", days_in_words(booking)),
        ("Patient", request.patient),
        ("About", request.reason),
        ("Note", request.note),
        ("Asked", moment_in_words(booking.created_at, clinic)),
        ("Through", channel_in_words(request.channel)),
    ]
    return [(label, value) for label, value in pairs if value]


def patient_in_words(request: Request) -> str | None:
    """Return the patient whom somebody else wrote for: Emily (their daughter)."""
    if not (request.patient_name or request.patient_relation):
        return None
    relation = f"their {request.patient_relation}" if request.patient_relation else ""
    return (
        f"{request.patient_name} ({relation})"
        if request.patient_name and relation
        else request.patient_name or relation
    )


def days_in_words(booking: Booking) -> str | None:
    """Return the days and hours that the words of a request stand for, where those are not among them."""
    wish = booking.request.time
    meaning = wish.meaning or (in_words(wish.day) if wish.day else None)
    return None if meaning and meaning in wish.words else meaning


def channel_in_words(channel: str) -> str:
    """Return the way by which a request came as the front desk calls it."""
    return _CHANNELS.get(channel, channel)


def moment_in_words(moment: datetime.datetime, clinic: Clinic) -> str:
    """Return a moment in the clinic's time zone, such as Nov 24, 2:05 pm."""
    local = moment.astimezone(clinic.zone)
    return f"{local:%b} {local.day}, {clock(local.time())}"


def progress(booking: Booking) -> str:
    """Return how far the messages of a request have come, in the front desk's words."""
    return ", ".join(_state(delivery) for delivery in booking.deliveries) or "kept here"


def _state(delivery: Delivery) -> str:
    sent, waiting = _SENDING[delivery.kind]
    if delivery.delivered_at:
        return sent
    if delivery.failed_at:
        return f"NOT {sent} ({delivery.last_error}): given up"
    if delivery.attempts:
        return f"not {sent} yet ({delivery.last_error}), tried again"
    is_set = settings().smtp_host if delivery.kind == "email" else settings().webhook_url
    return f"to be {sent}" if is_set else f"{waiting} is set, so this was not {sent}"
