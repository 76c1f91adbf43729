"""The database of conversations, sessions and waiting messages: a SQLite file, or PostgreSQL (`DATABASE_URL`)."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakSet

import sqlalchemy as sa

from clinic.profile import ROOT

Result = TypeVar("Result")

_LOCK_SECONDS = 2
# Any number will do, as long as nothing else in the database takes the same one.
_CREATION_LOCK = 7_360_312
_engines: WeakSet[sa.engine.Engine] = WeakSet()


class StoreUnavailable(BaseException):
    """The database cannot be read or written now.

    No `Exception`, since Rasa's FailSafeTrackerStore takes one for an empty conversation and goes on without it.
    """


class Database:
    """A database as the event loop uses it: one transaction at a time, each a function of its connection."""

    def __init__(self, url: str | None = None) -> None:
        """Connect to nothing yet.

        Args:
            url: SQLAlchemy's, instead of `database_url()`.
        """
        url = url or database_url()
        self.engine = create_engine(url)
        self._hasty_engine = create_engine(url, waits=False) if url.startswith("sqlite") else None

    async def transact(self, work: Callable[[sa.engine.Connection], Result]) -> Result:
        """Do `work` in one transaction: with SQLite at once, which is sooner done than given to a thread.

        Where another process holds the file, all is undone and a thread does it again once the file is free.

        Raises:
            StoreUnavailable: the database cannot be read or written now.
        """
        if self._hasty_engine:
            with suppress(sa.exc.SQLAlchemyError):
                return _done(self._hasty_engine, work)
        try:
            return await asyncio.to_thread(_done, self.engine, work)
        except sa.exc.SQLAlchemyError as error:
            raise StoreUnavailable(error.__class__.__name__) from error


def _done(engine: sa.engine.Engine, work: Callable[[sa.engine.Connection], Result]) -> Result:
    with engine.begin() as connection:
        return work(connection)


def create_all(metadata: sa.MetaData, connection: sa.engine.Connection) -> None:
    """Make the tables that are missing; several servers may do so at once."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION_LOCK)))
    metadata.create_all(connection)


def database_url() -> str:
    """Return `DATABASE_URL`, or the URL of the SQLite file of this checkout."""
    default = ROOT / "var" / "conversations.db"
    url = os.environ.get("DATABASE_URL")
    if url is None:
        default.parent.mkdir(exist_ok=True)
    return url or f"sqlite:///{default}"


def create_engine(url: str, waits: bool = True) -> sa.engine.Engine:
    """Return an engine with a small pool and short time-outs, which keeps parameters out of its errors.

    Args:
        waits: whether to wait for SQLite's lock.
    """
    pool = {"pool_size": 2, "max_overflow": 4}
    if not url.startswith("sqlite"):
        connect = {"connect_timeout": _LOCK_SECONDS}
        return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=connect, **pool)
    # By default SQLAlchemy 1.4 opens a file anew for each transaction.
    connect = {"timeout": _LOCK_SECONDS if waits else 0, "check_same_thread": False}
    engine = sa.create_engine(url, hide_parameters=True, poolclass=sa.pool.QueuePool, connect_args=connect, **pool)

    @sa.event.listens_for(engine, "connect")
    def _write_ahead_log(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        record.info["file"] = _inode(engine)

    @sa.event.listens_for(engine, "checkout")
    def _open_again_when_replaced(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["file"] != _inode(engine):
            raise sa.exc.DisconnectionError("another file is there now")

    sa.event.listen(engine, "handle_error", _open_anew)
    _engines.add(engine)
    return engine


def _open_anew(fault: sa.engine.ExceptionContext) -> None:
    """Open every connection anew once a file turns out to be read-only: as long as one is open, SQLite stays so."""
    if "readonly" in str(fault.original_exception):
        fault.is_disconnect = True
        for engine in list(_engines):
            engine.dispose()


def _inode(engine: sa.engine.Engine) -> int | None:
    with suppress(OSError):
        return os.stat(engine.url.database or "").st_ino
    return None
