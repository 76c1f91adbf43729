"""The ways by which a booking request goes out to the front desk: e-mail, and a signed webhook."""

import hashlib
import hmac
import json
import smtplib
import ssl
from contextlib import closing, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from ipaddress import ip_address
from typing import Literal, Protocol
from urllib.parse import urlsplit

import icalendar
import jinja2
import requests

from booking.request import ClaimedDelivery, Clock, Kind
from booking.summary import facts
from clinic.profile import Clinic
from service.settings import SettingError, Settings

Security = Literal["starttls", "tls", "none"]
_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
# Seconds that one answer of the other side may take; the worker bounds the whole.
_PATIENCE = 15
# Answers that fault one message rather than the way there.
_REFUSED_ALONE = frozenset({400, 409, 410, 413, 415, 422})
_HTML = jinja2.Environment(autoescape=True).from_string(
    """\
<!doctype html>
<html lang="en"><body style="font: 16px/1.5 sans-serif">
<p>{{ opening }}</p>
<table cellpadding="4">
{%- for label, value in facts %}
<tr><th align="left" valign="top">{{ label }}</th><td>{{ value }}</td></tr>
{%- endfor %}
</table>
</body></html>
"""
)


class SendError(Exception):
    """A message did not arrive, or nobody said that it did.

    Attributes:
        what: the kind of fault, such as `HTTP 500`; never a value.
        alone: the receiver refuses this one message, so the next may well arrive.
    """

    def __init__(self, what: str, alone: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.alone = alone


class Transport(Protocol):
    """A way out. Sending the same parcel again sends the same message under the same key."""

    @property
    def kind(self) -> Kind:
        """What it delivers."""

    def send(self, parcel: ClaimedDelivery) -> None:
        """Send a message; raise SendError unless the other side has taken it."""


@dataclass(frozen=True)
class Mailer:
    """Sends requests by e-mail to the clinic's front desk."""

    clinic: Clinic
    host: str
    port: int
    security: Security
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    kind: Kind = "email"

    @classmethod
    def from_settings(cls, chosen: Settings, clinic: Clinic) -> "Mailer | None":
        """Return the mailer of the settings SMTP_…, or None without a host.

        Raises:
            SettingError: a value that cannot be used, or a password that would travel in the clear.
        """
        if not chosen.smtp_host:
            return None
        security, user, password = chosen.smtp_security, chosen.smtp_user, chosen.smtp_password
        if (user is None) != (password is None):
            raise SettingError("SMTP_USER and SMTP_PASSWORD go together: set both or neither.")
        if not f"{user}{password}".isascii():
            raise SettingError("SMTP_USER and SMTP_PASSWORD must be plain ASCII: Python's mail client takes no other.")
        if password and security == "none" and not _is_loopback(chosen.smtp_host):
            raise SettingError("SMTP_PASSWORD would travel in the clear: set SMTP_SECURITY to starttls or tls.")
        port = chosen.smtp_port or _PORTS[security]
        return cls(clinic, chosen.smtp_host, port, security, chosen.smtp_from or clinic.email, user, password)

    def send(self, parcel: ClaimedDelivery) -> None:
        """Send the mail of a parcel.

        Raises:
            SendError: the server cannot be reached, or has not said that it took the mail.
        """
        message = compose(parcel, self.clinic, self.sender)
        try:
            with closing(self._connection()) as server:
                if self.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self.user and self.password:
                    server.login(self.user, self.password)
                server.send_message(message)
                # It has been taken: a farewell that fails must not make it look lost.
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()
        except smtplib.SMTPDataError as error:
            raise SendError(f"{type(error).__name__} {error.smtp_code}", alone=error.smtp_code >= 500) from None
        except smtplib.SMTPResponseException as error:
            raise SendError(f"{type(error).__name__} {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise SendError(type(error).__name__) from None

    def _connection(self) -> smtplib.SMTP:
        own_name = self.sender.rpartition("@")[2]
        if self.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, own_name, timeout=_PATIENCE, context=context)
        return smtplib.SMTP(self.host, self.port, own_name, timeout=_PATIENCE)


@dataclass(frozen=True)
class Webhook:
    """Posts requests as signed JSON.

    The header `X-Clinic-Signature` is `t=SECONDS,v1=HEX`: the HMAC-SHA256, under the shared secret, of the seconds
    since 1970, a full stop and the body as it was sent. A receiver computes it again, compares the two in constant
    time, and refuses one that is old. `Idempotency-Key` is the same at every try of one message.
    """

    url: str
    secret: str = field(repr=False)
    clock: Clock
    kind: Kind = "webhook"

    @classmethod
    def from_settings(cls, chosen: Settings, clock: Clock) -> "Webhook | None":
        """Return the webhook of the settings WEBHOOK_…, or None without an address.

        Raises:
            SettingError: the secret is missing, or the address is none or would carry the request in the clear.
        """
        url, secret = chosen.webhook_url, chosen.webhook_secret
        if not url:
            return None
        if not secret:
            raise SettingError("WEBHOOK_SECRET must be set when WEBHOOK_URL is.")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingError("WEBHOOK_URL must be an https address.")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise SettingError("WEBHOOK_URL must begin with https: a request must not travel in the clear.")
        return cls(url, secret, clock)

    def send(self, parcel: ClaimedDelivery) -> None:
        """Post the request of a parcel.

        Raises:
            SendError: nobody answered, or the answer was not one of 200 to 299.
        """
        body = as_json(parcel)
        timestamp = str(int(self.clock().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": parcel.delivery.key,
            "X-Clinic-Signature": f"t={timestamp},v1={sign(self.secret, timestamp, body)}",
        }
        try:
            with requests.post(
                self.url, data=body, headers=headers, timeout=_PATIENCE, allow_redirects=False, stream=True
            ) as answer:
                status = answer.status_code
        except (requests.RequestException, OSError) as error:
            raise SendError(type(error).__name__) from None
        if not 200 <= status <= 299:
            raise SendError(f"HTTP {status}", alone=status in _REFUSED_ALONE)


def compose(parcel: ClaimedDelivery, clinic: Clinic, sender: str) -> EmailMessage:
    """Return the mail of a parcel: text, HTML, and a calendar entry when the time is exact.

    No personal data stands in a header that mail servers log, but the address to answer to.
    """
    booking = parcel.booking
    request = booking.request
    opening = (
        f"Someone asked for a visit through the chat of {clinic.name}. It is a request, not yet an appointment: "
        "please get in touch to agree on a time."
    )
    pairs = facts(booking, clinic)
    width = max(len(label) for label, _ in pairs)
    message = EmailMessage()
    subject = "Change of booking request" if request.change else "Booking request"
    message["Subject"] = f"{'URGENT: ' if request.urgent else ''}{subject} {booking.shown}"
    message["From"] = sender
    message["To"] = clinic.email
    # Mail servers that know no UTF-8 addresses would refuse the whole mail for this convenience.
    if request.contact.kind == "email" and request.contact.value.isascii():
        message["Reply-To"] = request.contact.value
    message["Date"] = format_datetime(booking.created_at)
    message["Message-ID"] = parcel.delivery.key
    message.set_content("\n".join([opening, "", *(f"{label:<{width}}  {value}" for label, value in pairs), ""]))
    message.add_alternative(_HTML.render(opening=opening, facts=pairs), subtype="html")
    if request.time.start:
        message.add_attachment(
            calendar(parcel, clinic), maintype="text", subtype="calendar", filename=f"{booking.shown}.ics"
        )
    return message


def calendar(parcel: ClaimedDelivery, clinic: Clinic) -> bytes:
    """Return a tentative calendar entry (RFC 5545) at the exact time that was asked for, without an invented end."""
    booking = parcel.booking
    event = icalendar.Event()
    event.add("uid", parcel.delivery.key.strip("<>"))
    event.add("dtstamp", booking.created_at)
    event.add("dtstart", booking.request.time.start)
    event.add("summary", f"Visit asked for: {booking.request.name} ({booking.shown})")
    event.add("description", "\n".join(f"{label}: {value}" for label, value in facts(booking, clinic)))
    event.add("status", "TENTATIVE")
    entry = icalendar.Calendar()
    entry.add("prodid", "-//In Motion//Booking requests//EN")
    entry.add("version", "2.0")
    entry.add_component(event)
    return entry.to_ical()


def as_json(parcel: ClaimedDelivery) -> bytes:
    """Return the body of a parcel's webhook, the same bytes at every try."""
    booking = parcel.booking
    wish, second = booking.request.time, booking.request.second_contact
    content = {
        "type": "booking.changed" if booking.request.change else "booking.requested",
        "reference": booking.shown,
        "created_at": booking.created_at.isoformat(),
        "name": booking.request.name,
        "contact": {"kind": booking.request.contact.kind, "value": booking.request.contact.value},
        "preferred": {
            "words": wish.words,
            "meaning": wish.meaning,
            "day": wish.day.isoformat() if wish.day else None,
            "start": wish.start.isoformat() if wish.start else None,
        },
        "second_contact": {"kind": second.kind, "value": second.value} if second else None,
        "patient_is": {"name": booking.request.patient_name, "relation": booking.request.patient_relation},
        **{
            name: getattr(booking.request, name)
            for name in ("patient", "reason", "note", "urgent", "sign", "change", "channel")
        },
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a webhook's body as hexadecimal digits."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
