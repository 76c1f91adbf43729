"""Booking requests and what is still to be delivered of them, in SQLite or PostgreSQL.

`python -m booking.store` creates the tables or brings them up to date.
"""

import datetime
import logging
import secrets
import sys
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.exc import IntegrityError

from booking.reading.contacts import LONGEST_CONTACT, Contact
from booking.reading.details import LONGEST_REASON, Patient
from booking.reading.names import LONGEST_NAME
from booking.when.times import LONGEST_TIME, Preference
from clinic.profile import Clinic
from service.database import Database, StoreUnavailable, database_url, lock_schema
from service.queue import Queue

Kind = Literal["email", "webhook"]
Clock = Callable[[], datetime.datetime]
# No letter that is taken for a figure or another letter, read or heard, and no vowel that could make a word.
ALPHABET = "CDFGHJKMPRTWXY34679"
_REFERENCE_LENGTH = 6
_REFERENCE_TRIES = 20
_LONGEST_KEY = 255
# Below the ten seconds that a process has to end, since no signal is heard while a database is waited for.
_SECONDS_TO_WAIT = 8

logger = logging.getLogger(__name__)


class UnknownReference(LookupError):
    """No request has this reference."""


class Moment(sa.types.TypeDecorator):
    """A moment: stored in UTC, handed out aware."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Any) -> datetime.datetime | None:
        return None if value is None else value.astimezone(datetime.UTC)

    def process_result_value(self, value: datetime.datetime | None, dialect: Any) -> datetime.datetime | None:
        if value is None:
            return None
        # SQLite keeps no zone; what it gives back is the UTC that was put in.
        aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return aware.astimezone(datetime.UTC)


METADATA = sa.MetaData()
REQUESTS = sa.Table(
    "requests",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("reference", sa.String(_REFERENCE_LENGTH), nullable=False, unique=True),
    sa.Column("intention_key", sa.String(_LONGEST_KEY), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False, index=True),
    sa.Column("name", sa.String(LONGEST_NAME), nullable=False),
    sa.Column("contact_kind", sa.String(5), nullable=False),
    sa.Column("contact", sa.String(LONGEST_CONTACT), nullable=False, index=True),
    sa.Column("contact_shown", sa.String(LONGEST_CONTACT), nullable=False),
    sa.Column("preferred_words", sa.String(LONGEST_TIME), nullable=False),
    sa.Column("preferred_day", sa.Date),
    sa.Column("preferred_start", Moment),
    sa.Column("patient", sa.String(9)),
    sa.Column("reason", sa.String(LONGEST_REASON)),
    sa.Column("urgent", sa.Boolean, nullable=False),
    sa.Column("conversation", sa.String(255), nullable=False, index=True),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("status", sa.String(4), nullable=False),
)
OUTBOX = sa.Table(
    "outbox",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("request_id", sa.Integer, sa.ForeignKey("requests.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("kind", sa.String(7), nullable=False),
    sa.Column("message_key", sa.String(255), nullable=False, unique=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt", Moment, nullable=False),
    sa.Column("set_aside", sa.Boolean, nullable=False),
    sa.Column("leased_until", Moment),
    sa.Column("lease", sa.String(32)),
    sa.Column("delivered_at", Moment),
    sa.Column("failed_at", Moment),
    sa.Column("last_error", sa.String(80)),
    sa.UniqueConstraint("request_id", "kind"),
)
_QUEUE = Queue(OUTBOX, OUTBOX.c.next_attempt)
_OPEN = sa.and_(OUTBOX.c.delivered_at.is_(None), OUTBOX.c.failed_at.is_(None))


class Request(BaseModel, frozen=True):
    """A wish for a visit, as it was read back and sent.

    Attributes:
        reason: what it is about, in a few words.
        urgent: a warning sign was told along with it.
        conversation: names the conversation, so that it can be erased; never shown to the front desk.
    """

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    contact: Contact
    time: Preference
    patient: Patient | None = None
    reason: str | None = Field(None, max_length=LONGEST_REASON)
    urgent: bool = False
    conversation: str = Field(min_length=1, max_length=255)
    channel: str = Field(max_length=40)


class Delivery(BaseModel, frozen=True):
    """How far one message of a request has come.

    Attributes:
        key: the mail's Message-ID or the webhook's Idempotency-Key, the same at every attempt.
        last_error: the kind of the last fault, such as `HTTP 500`.
    """

    id: int
    kind: Kind
    key: str
    attempts: int
    next_attempt: datetime.datetime
    delivered_at: datetime.datetime | None
    failed_at: datetime.datetime | None
    last_error: str | None


class Booking(BaseModel, frozen=True):
    """A request as it stands in the store."""

    id: int
    reference: str
    created_at: datetime.datetime
    status: Literal["new", "done"]
    request: Request
    deliveries: tuple[Delivery, ...] = ()

    @property
    def shown(self) -> str:
        """The reference as people read it: ABC-DEF."""
        return show_reference(self.reference)


class Backlog(BaseModel, frozen=True):
    """How many messages of one kind wait to be delivered or are given up, and since when the oldest waits."""

    waiting: int
    given_up: int
    oldest: datetime.datetime | None


class Parcel(BaseModel, frozen=True):
    """A message that one worker alone may send until its lease ends."""

    booking: Booking
    delivery: Delivery
    lease: str


def show_reference(reference: str) -> str:
    """Return a reference in two halves, as it is read over a telephone."""
    return f"{reference[:3]}-{reference[3:]}"


def read_reference(text: str) -> str:
    """Return a reference that was typed in any case, with or without its hyphen."""
    return "".join(mark for mark in text.upper() if mark.isalnum())


def new_reference() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(_REFERENCE_LENGTH))


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def open_bookings(clinic: Clinic, clock: Clock = utc_now) -> "Bookings":
    """Return the clinic's bookings in the database that the environment names; nothing is connected yet."""
    return Bookings(database_url("bookings"), clinic.delivery, clinic.email.rpartition("@")[2], clock)


def migrate(database: Database) -> None:
    """Create the tables or bring them up to date; safe to repeat, and from several processes at once.

    Raises:
        StoreUnavailable: the database cannot be reached or changed.
    """
    with database.writing() as connection:
        lock_schema(connection)
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _open_database(url: str) -> Database:
    return Database(url, _SECONDS_TO_WAIT, is_durable=True)


class Bookings:
    """The store of booking requests; its methods may be called from any thread.

    The tables are created, or brought up to date, before the first use.
    Every method raises StoreUnavailable when the database cannot be reached or written.
    """

    def __init__(
        self,
        url: str,
        delivery: Collection[Kind],
        mail_domain: str,
        clock: Clock = utc_now,
        references: Callable[[], str] = new_reference,
    ) -> None:
        """Prepare a store; nothing is connected yet.

        Args:
            url: an SQLAlchemy URL of an SQLite file or a PostgreSQL database.
            delivery: the ways by which each new request goes out.
            mail_domain: what stands behind the @ of a Message-ID.
            clock: gives the present moment, aware.
            references: makes references of six letters and figures.
        """
        self._delivery = tuple(dict.fromkeys(delivery))
        self._mail_domain = mail_domain
        self._clock = clock
        self._references = references
        self._database = _open_database(url)
        self._ready = False
        self._preparing = threading.Lock()

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._database.close()

    def ping(self) -> None:
        """Check that the requests can be read."""
        with self._reading() as connection:
            connection.execute(sa.select(REQUESTS.c.id).limit(1)).first()

    def add(self, request: Request, intention_key: str) -> tuple[str, bool]:
        """Write a request and what is to be delivered of it, in one transaction.

        Args:
            intention_key: at most 255 characters; the same for every try of one and the same wish.

        Returns:
            The reference, and whether it is new: False when this intention was written before.
        """
        if not 0 < len(intention_key) <= _LONGEST_KEY:
            raise ValueError(f"an intention key has 1 to {_LONGEST_KEY} characters")
        now = self._clock()
        for _ in range(_REFERENCE_TRIES):
            reference = self._references()
            try:
                with self._writing() as connection:
                    known = _reference_of(connection, intention_key)
                    if known:
                        return known, False
                    self._insert(connection, request, intention_key, reference, now)
                return reference, True
            except _Taken:
                # Either another process wrote this intention first, or the reference is in use: the next round tells.
                continue
        raise StoreUnavailable("no free reference found")

    def list(self, status: Literal["new", "done"] | None = None, limit: int | None = None) -> list[Booking]:
        """Return the requests, oldest first; with `limit`, the newest that many."""
        query = sa.select(REQUESTS).order_by(REQUESTS.c.id.desc()).limit(limit)
        if status:
            query = query.where(REQUESTS.c.status == status)
        with self._reading() as connection:
            return _bookings(connection, list(reversed(connection.execute(query).mappings().all())))

    def show(self, reference: str) -> Booking:
        """Return one request.

        Raises:
            UnknownReference: there is none.
        """
        with self._reading() as connection:
            query = sa.select(REQUESTS).where(REQUESTS.c.reference == read_reference(reference))
            found = _bookings(connection, connection.execute(query).mappings().all())
        if not found:
            raise UnknownReference(reference)
        return found[0]

    def done(self, reference: str) -> None:
        """Mark a request as dealt with.

        Raises:
            UnknownReference: there is none.
        """
        with self._writing() as connection:
            changed = connection.execute(
                sa.update(REQUESTS).where(REQUESTS.c.reference == read_reference(reference)).values(status="done")
            ).rowcount
        if not changed:
            raise UnknownReference(reference)

    def retry(self, reference: str | None = None) -> int:
        """Make failed messages due at once, as if never tried; with a reference, all its undelivered ones.

        Returns:
            How many messages.

        Raises:
            UnknownReference: there is no such request.
        """
        due = {"attempts": 0, "failed_at": None, "set_aside": False, "next_attempt": self._clock()}
        undelivered = OUTBOX.c.delivered_at.is_(None)
        if reference is None:
            chosen = sa.and_(undelivered, OUTBOX.c.failed_at.is_not(None))
        else:
            chosen = sa.and_(undelivered, OUTBOX.c.request_id == self.show(reference).id)
        with self._writing() as connection:
            return connection.execute(sa.update(OUTBOX).where(chosen).values(**due)).rowcount

    def forget(self, contact: Contact | None = None, before: datetime.datetime | None = None) -> int:
        """Erase the requests of a contact, or those older than a moment, delivered or not; return how many."""
        if (contact is None) == (before is None):
            raise ValueError("name either a contact or a moment")
        if contact is not None:
            # Case may matter before the @ and hardly ever does: what is to be erased must not stay for a capital.
            chosen = sa.and_(
                REQUESTS.c.contact_kind == contact.kind, sa.func.lower(REQUESTS.c.contact) == contact.value.lower()
            )
        else:
            chosen = REQUESTS.c.created_at < before
        with self._writing() as connection:
            return connection.execute(sa.delete(REQUESTS).where(chosen)).rowcount

    def forget_conversation(self, conversation: str) -> tuple[int, int]:
        """Erase a conversation's requests that the clinic has not got yet.

        Kept are those of which a message was delivered or is on its way, and those that the front desk has dealt with.

        Returns:
            How many were erased and how many are kept.
        """
        now = self._clock()
        with self._writing() as connection:
            own = sa.select(REQUESTS.c.id, REQUESTS.c.status).where(REQUESTS.c.conversation == conversation)
            statuses = {row.id: row.status for row in connection.execute(own.with_for_update())}
            # Locked, so that no worker takes one up between the look and the deletion.
            messages = connection.execute(
                sa.select(OUTBOX.c.request_id, OUTBOX.c.delivered_at, OUTBOX.c.leased_until)
                .where(OUTBOX.c.request_id.in_(statuses))
                .with_for_update()
            ).all()
            kept = {key for key, status in statuses.items() if status == "done"}
            kept |= {row.request_id for row in messages if row.delivered_at or (row.leased_until or now) > now}
            erased = statuses.keys() - kept
            connection.execute(sa.delete(REQUESTS).where(REQUESTS.c.id.in_(erased)))
        return len(erased), len(kept)

    def claim(self, kinds: Sequence[Kind], lease: datetime.timedelta) -> Parcel | None:
        """Take the next message that is due, for this caller alone until the lease ends.

        Of each kind the oldest goes first, and the others wait for it, also through its pauses;
        one that was set aside (its receiver refuses it alone) holds up no other.

        Returns:
            The message, or None when nothing is due.
        """
        now, mine = self._clock(), uuid.uuid4().hex
        older = OUTBOX.alias()
        waits_for_older = (
            sa.select(older.c.id)
            .where(
                older.c.kind == OUTBOX.c.kind,
                older.c.id < OUTBOX.c.id,
                older.c.delivered_at.is_(None),
                older.c.failed_at.is_(None),
                older.c.set_aside.is_(False),
            )
            .exists()
        )
        may_go = sa.or_(OUTBOX.c.set_aside.is_(True), ~waits_for_older)
        with self._writing() as connection:
            is_next = (_OPEN, OUTBOX.c.kind.in_(kinds), may_go)
            claimed = _QUEUE.claim(connection, mine, now, now + lease, *is_next, order_by=(OUTBOX.c.id,))
            if not claimed:
                return None
            found = claimed[0].id
            row = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == found)).mappings().one()
            booked = sa.select(REQUESTS).where(REQUESTS.c.id == row["request_id"])
            [booking] = _bookings(connection, connection.execute(booked).mappings().all())
        return Parcel(booking=booking, delivery=_delivery(row), lease=mine)

    def backlog(self) -> dict[Kind, Backlog]:
        """Return what is not delivered, for each kind that is in use."""
        given_up = OUTBOX.c.failed_at.is_not(None)
        query = (
            sa.select(
                OUTBOX.c.kind,
                sa.func.count(sa.case((_OPEN, 1))).label("waiting"),
                sa.func.count(sa.case((given_up, 1))).label("given_up"),
                sa.func.min(sa.case((_OPEN, REQUESTS.c.created_at))).label("oldest"),
            )
            .join(REQUESTS, REQUESTS.c.id == OUTBOX.c.request_id)
            .where(OUTBOX.c.delivered_at.is_(None))
            .group_by(OUTBOX.c.kind)
        )
        with self._reading() as connection:
            found = {row.kind: Backlog(**row) for row in connection.execute(query).mappings()}
        return {kind: Backlog(waiting=0, given_up=0, oldest=None) for kind in self._delivery} | found

    def delivered(self, parcel: Parcel) -> None:
        """Note that a message has arrived."""
        self._settle(parcel, delivered_at=self._clock(), last_error=None, attempts=parcel.delivery.attempts + 1)

    def postponed(self, parcel: Parcel, error: str, next_attempt: datetime.datetime, set_aside: bool) -> None:
        """Note that a message has not arrived, when it is tried again, and whether the others go on meanwhile."""
        self._settle(
            parcel,
            attempts=parcel.delivery.attempts + 1,
            last_error=error[:80],
            next_attempt=next_attempt,
            set_aside=set_aside,
        )

    def failed(self, parcel: Parcel, error: str) -> None:
        """Note that a message is given up."""
        self._settle(parcel, attempts=parcel.delivery.attempts + 1, last_error=error[:80], failed_at=self._clock())

    def _settle(self, parcel: Parcel, **values: Any) -> None:
        with self._writing() as connection:
            _QUEUE.release(connection, parcel.lease, OUTBOX.c.id == parcel.delivery.id, **values)

    def _insert(
        self,
        connection: Connection,
        request: Request,
        intention_key: str,
        reference: str,
        now: datetime.datetime,
    ) -> None:
        values = {
            "reference": reference,
            "intention_key": intention_key,
            "created_at": now,
            "name": request.name,
            "contact_kind": request.contact.kind,
            "contact": request.contact.value,
            "contact_shown": request.contact.shown,
            "preferred_words": request.time.words,
            "preferred_day": request.time.day,
            "preferred_start": request.time.start,
            "patient": request.patient,
            "reason": request.reason,
            "urgent": request.urgent,
            "conversation": request.conversation,
            "channel": request.channel,
            "status": "new",
        }
        try:
            key = connection.execute(sa.insert(REQUESTS).values(**values).returning(REQUESTS.c.id)).scalar_one()
        except IntegrityError:
            raise _Taken from None
        for kind in self._delivery:
            unique = uuid.uuid4().hex
            connection.execute(
                sa.insert(OUTBOX).values(
                    request_id=key,
                    kind=kind,
                    message_key=f"<{unique}@{self._mail_domain}>" if kind == "email" else unique,
                    attempts=0,
                    next_attempt=now,
                    set_aside=False,
                )
            )

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._prepare()
        with self._database.reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self._prepare()
        with self._database.writing() as connection:
            yield connection

    def _prepare(self) -> None:
        if self._ready:
            return
        with self._preparing:
            if not self._ready:
                migrate(self._database)
                self._ready = True


class _Taken(Exception):
    """A row with this reference or intention is there already."""


def _reference_of(connection: Connection, intention_key: str) -> str | None:
    query = sa.select(REQUESTS.c.reference).where(REQUESTS.c.intention_key == intention_key)
    return connection.execute(query).scalar()


def _delivery(row: RowMapping) -> Delivery:
    return Delivery(key=row["message_key"], **{name: row[name] for name in Delivery.model_fields if name != "key"})


def _bookings(connection: Connection, rows: Sequence[RowMapping]) -> list[Booking]:
    messages: dict[int, list[Delivery]] = {}
    query = sa.select(OUTBOX).where(OUTBOX.c.request_id.in_([row["id"] for row in rows])).order_by(OUTBOX.c.id)
    for row in connection.execute(query).mappings():
        messages.setdefault(row["request_id"], []).append(_delivery(row))
    return [
        Booking(
            id=row["id"],
            reference=row["reference"],
            created_at=row["created_at"],
            status=row["status"],
            request=Request(
                name=row["name"],
                contact=Contact(kind=row["contact_kind"], value=row["contact"], shown=row["contact_shown"]),
                time=Preference(words=row["preferred_words"], day=row["preferred_day"], start=row["preferred_start"]),
                **{name: row[name] for name in ("patient", "reason", "urgent", "conversation", "channel")},
            ),
            deliveries=tuple(messages.get(row["id"], ())),
        )
        for row in rows
    ]


def main() -> int:
    """Bring the tables of the database up to date; return the exit code."""
    try:
        migrate(_open_database(database_url("bookings")))
    except StoreUnavailable as error:
        sys.stderr.write(f"The database cannot be reached or changed ({error}): check DATABASE_URL.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
