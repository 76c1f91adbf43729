"""Booking requests and what is still to be delivered of them, in SQLite or PostgreSQL.

`python -m booking.store` creates the tables or brings them up to date.
"""

import datetime
import logging
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
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.exc import IntegrityError

from booking.reading.contacts import LONGEST_CONTACT, Contact
from booking.reading.details import LONGEST_NOTE, LONGEST_REASON
from booking.reading.names import LONGEST_NAME
from booking.references import LONGEST_REFERENCE, REFERENCE_LENGTH, follow_up, new_reference, read_reference
from booking.request import Backlog, Booking, ClaimedDelivery, Clock, Delivery, Kind, Request, utc_now
from booking.when.preference import LONGEST_MEANING, LONGEST_TIME, Preference
from clinic.profile import Clinic
from service.database import Database, StoreUnavailable, database_url, lock_schema
from service.queue import Queue

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
    sa.Column("reference", sa.String(LONGEST_REFERENCE), nullable=False, unique=True),
    sa.Column("intention_key", sa.String(_LONGEST_KEY), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False, index=True),
    sa.Column("name", sa.String(LONGEST_NAME), nullable=False),
    sa.Column("contact_kind", sa.String(5), nullable=False),
    sa.Column("contact", sa.String(LONGEST_CONTACT), nullable=False, index=True),
    sa.Column("contact_shown", sa.String(LONGEST_CONTACT), nullable=False),
    sa.Column("preferred_words", sa.String(LONGEST_TIME), nullable=False),
    sa.Column("preferred_meaning", sa.String(LONGEST_MEANING)),
    sa.Column("preferred_day", sa.Date),
    sa.Column("preferred_start", Moment),
    sa.Column("patient", sa.String(9)),
    sa.Column("reason", sa.String(LONGEST_REASON)),
    sa.Column("second_contact_kind", sa.String(5)),
    sa.Column("second_contact", sa.String(LONGEST_CONTACT)),
    sa.Column("second_contact_shown", sa.String(LONGEST_CONTACT)),
    sa.Column("patient_name", sa.String(LONGEST_NAME)),
    sa.Column("patient_relation", sa.String(20)),
    sa.Column("note", sa.String(LONGEST_NOTE)),
    sa.Column("urgent", sa.Boolean, nullable=False),
    sa.Column("sign", sa.String(80)),
    sa.Column("change", sa.String(LONGEST_NOTE)),
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
    sa.Column("is_isolated", sa.Boolean, nullable=False),
    sa.Column("leased_until", Moment),
    sa.Column("lease", sa.String(32)),
    sa.Column("delivered_at", Moment),
    sa.Column("failed_at", Moment),
    sa.Column("last_error", sa.String(80)),
    sa.UniqueConstraint("request_id", "kind"),
)
# The fields of a request that are columns of the same name.
_PLAIN = (
    *("name", "patient", "patient_name", "patient_relation", "reason", "note", "urgent", "sign", "change"),
    *("conversation", "channel"),
)
_QUEUE = Queue(OUTBOX, OUTBOX.c.next_attempt)
_OPEN = sa.and_(OUTBOX.c.delivered_at.is_(None), OUTBOX.c.failed_at.is_(None))


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

    def add(self, request: Request, intention_key: str, follows: str | None = None) -> tuple[str, bool]:
        """Write a request and what is to be delivered of it, in one transaction.

        Args:
            intention_key: at most 255 characters; the same for every try of one and the same wish.
            follows: the reference of a request sent before, which this one changes.

        Returns:
            The reference, and whether it is new: False when this intention was written before.
        """
        if not 0 < len(intention_key) <= _LONGEST_KEY:
            raise ValueError(f"an intention key has 1 to {_LONGEST_KEY} characters")
        now = self._clock()
        for _ in range(_REFERENCE_TRIES):
            try:
                with self._writing() as connection:
                    known = _reference_of(connection, intention_key)
                    if known:
                        return known, False
                    reference = _next_follow_up(connection, follows) if follows else self._references()
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
        self._set_status(reference, "done")

    def reopen(self, reference: str) -> None:
        """Let a request that was marked as dealt with wait again.

        Raises:
            UnknownReference: there is none.
        """
        self._set_status(reference, "new")

    def _set_status(self, reference: str, status: Literal["new", "done"]) -> None:
        with self._writing() as connection:
            changed = connection.execute(
                sa.update(REQUESTS).where(REQUESTS.c.reference == read_reference(reference)).values(status=status)
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
        due = {"attempts": 0, "failed_at": None, "is_isolated": False, "next_attempt": self._clock()}
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

    def claim(self, kinds: Sequence[Kind], lease: datetime.timedelta) -> ClaimedDelivery | None:
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
                older.c.is_isolated.is_(False),
            )
            .exists()
        )
        may_go = sa.or_(OUTBOX.c.is_isolated.is_(True), ~waits_for_older)
        with self._writing() as connection:
            is_next = (_OPEN, OUTBOX.c.kind.in_(kinds), may_go)
            claimed = _QUEUE.claim(connection, mine, now, now + lease, *is_next, order_by=(OUTBOX.c.id,))
            if not claimed:
                return None
            found = claimed[0].id
            row = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == found)).mappings().one()
            booked = sa.select(REQUESTS).where(REQUESTS.c.id == row["request_id"])
            [booking] = _bookings(connection, connection.execute(booked).mappings().all())
        return ClaimedDelivery(booking=booking, delivery=_delivery(row), lease=mine)

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

    def delivered(self, parcel: ClaimedDelivery) -> None:
        """Note that a message has arrived."""
        self._settle(parcel, delivered_at=self._clock(), last_error=None, attempts=parcel.delivery.attempts + 1)

    def postponed(
        self, parcel: ClaimedDelivery, error: str, next_attempt: datetime.datetime, is_isolated: bool
    ) -> None:
        """Note that a message has not arrived, when it is tried again, and whether the others go on meanwhile."""
        self._settle(
            parcel,
            attempts=parcel.delivery.attempts + 1,
            last_error=error[:80],
            next_attempt=next_attempt,
            is_isolated=is_isolated,
        )

    def failed(self, parcel: ClaimedDelivery, error: str) -> None:
        """Note that a message is given up."""
        self._settle(parcel, attempts=parcel.delivery.attempts + 1, last_error=error[:80], failed_at=self._clock())

    def _settle(self, parcel: ClaimedDelivery, **values: Any) -> None:
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
        second = request.second_contact
        values = {
            "reference": reference,
            "intention_key": intention_key,
            "created_at": now,
            "contact_kind": request.contact.kind,
            "contact": request.contact.value,
            "contact_shown": request.contact.shown,
            "preferred_words": request.time.words,
            "preferred_meaning": request.time.meaning,
            "preferred_day": request.time.day,
            "preferred_start": request.time.start,
            "second_contact_kind": second.kind if second else None,
            "second_contact": second.value if second else None,
            "second_contact_shown": second.shown if second else None,
            **{name: getattr(request, name) for name in _PLAIN},
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
                    is_isolated=False,
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


def _next_follow_up(connection: Connection, reference: str) -> str:
    """Return the reference of the next change of a request: ABCDEF-2."""
    first = read_reference(reference)[:REFERENCE_LENGTH]
    known = sa.select(sa.func.count()).where(REQUESTS.c.reference.startswith(f"{first}-", autoescape=True))
    return follow_up(first, (connection.execute(known).scalar() or 0) + 2)


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
            request=_request(row),
            deliveries=tuple(messages.get(row["id"], ())),
        )
        for row in rows
    ]


def _request(row: RowMapping) -> Request:
    second = None
    if row["second_contact"]:
        second = Contact(
            kind=row["second_contact_kind"], value=row["second_contact"], shown=row["second_contact_shown"]
        )
    return Request(
        contact=Contact(kind=row["contact_kind"], value=row["contact"], shown=row["contact_shown"]),
        second_contact=second,
        time=Preference(
            words=row["preferred_words"],
            meaning=row["preferred_meaning"],
            day=row["preferred_day"],
            start=row["preferred_start"],
        ),
        **{name: row[name] for name in _PLAIN},
    )


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
