"""The queue: jobs that wait in a table, are leased to one worker at a time, and are retried after a fault.

The conversations of the inbox are such jobs, and so are the messages of the outbox.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

# Either seconds since 1970 or an aware moment, as the table keeps them.
Moment = float | datetime.datetime


@dataclass(frozen=True)
class RetryPolicy:
    """How often a job is tried, and how long to wait before each retry.

    Attributes:
        delays: the seconds before each retry; a job is given up after one attempt more than there are delays.
    """

    delays: tuple[float, ...]

    @classmethod
    def doubling(cls, first: float, longest: float, attempts: int) -> "RetryPolicy":
        """Return a policy of so many attempts, whose delays begin with `first` and double up to `longest` seconds."""
        return cls(tuple(min(first * 2**retry, longest) for retry in range(attempts - 1)))

    def delay_after(self, attempts: int) -> float | None:
        """Return the seconds to wait after so many attempts, or None when the job is to be given up."""
        return self.delays[attempts - 1] if attempts <= len(self.delays) else None


class Queue:
    """The jobs of a table with the columns `lease` and `leased_until`.

    A job belongs to its worker until the lease ends. A worker renews the lease while it works, and releases the job at
    the end; of a worker that was killed the lease runs out, and any other may claim the job then.
    """

    def __init__(self, table: sa.Table, due_at: sa.Column[Any]) -> None:
        """Describe a queue.

        Args:
            due_at: the column that tells when a job is due; NULL for never.
        """
        self._table = table
        self._due_at = due_at

    def claim(
        self,
        connection: Connection,
        worker: str,
        now: Moment,
        until: Moment,
        *conditions: sa.sql.ColumnElement[bool],
        order_by: Sequence[Any] = (),
        limit: int = 1,
    ) -> list[Row]:
        """Lease jobs that are due to a worker; return the primary key of each.

        Args:
            worker: names the holder of the lease, at most 32 characters.
            now: the present moment, as the table keeps moments.
            until: the end of the lease.
            conditions: what else must hold of a job.
            order_by: which jobs go first; those that were due first unless given.
        """
        columns = self._table.c
        is_free = sa.or_(columns.leased_until.is_(None), columns.leased_until <= now)
        is_due = sa.and_(self._due_at <= now, is_free, *conditions)
        keys = self._table.primary_key.columns
        query = sa.select(*keys).where(is_due).order_by(*order_by or (self._due_at,)).limit(limit)
        return [
            key
            for key in connection.execute(query).all()
            if connection.execute(
                sa.update(self._table)
                .where(is_due, *(column == value for column, value in zip(keys, key, strict=True)))
                .values(lease=worker, leased_until=until)
            ).rowcount
        ]

    def renew(self, connection: Connection, worker: str, until: Moment, *conditions: sa.sql.ColumnElement[bool]) -> int:
        """Put off the end of a worker's leases, and lock these jobs until the transaction ends; return how many.

        Args:
            conditions: which of the worker's jobs; all of them unless given.
        """
        mine = sa.update(self._table).where(self._table.c.lease == worker, *conditions)
        return connection.execute(mine.values(leased_until=until)).rowcount

    def release(
        self, connection: Connection, worker: str, *conditions: sa.sql.ColumnElement[bool], **values: Any
    ) -> int:
        """End a worker's leases, set further columns, and return how many jobs were still its own.

        A worker whose lease has run out changes nothing, so that it cannot undo what another has noted since.
        """
        mine = sa.update(self._table).where(self._table.c.lease == worker, *conditions)
        return connection.execute(mine.values(lease=None, leased_until=None, **values)).rowcount
