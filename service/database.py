"""The one way to a database: SQLite files on one machine, or PostgreSQL (`DATABASE_URL`) for several servers."""

import asyncio
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from clinic.profile import ROOT
from service.settings import settings

Result = TypeVar("Result")

_SECONDS_TO_CONNECT = 2
_SECONDS_TO_WAIT = 2
_SECONDS_FOR_SCHEMA = 30
# Any number will do, as long as nothing else in the database takes the same one.
_SCHEMA_LOCK = 7_360_311
_engines: WeakSet[Engine] = WeakSet()


class StoreUnavailable(Exception):
    """The database cannot be reached, read or written now; the message names the kind of fault and never a value."""


class Database:
    """A database as threads use it, one transaction at a time, and as the event loop does.

    Every method raises StoreUnavailable when the database cannot be reached, read or written in time.
    """

    def __init__(self, url: str, seconds: int | None = None, is_durable: bool = False) -> None:
        """Prepare the engines; nothing is connected yet.

        Args:
            url: SQLAlchemy's, as `database_url` returns it.
            seconds: how long to wait for a lock of another process; 2 unless given.
            is_durable: what was committed outlives the loss of the machine's power, at the price of slower writes.
        """
        self.engine = create_engine(url, seconds, is_durable)
        self._no_wait_engine = create_engine(url, 0, is_durable) if url.startswith("sqlite") else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with _told(), _begun(self.engine, writes=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that may write, and commit it at the end."""
        with _told(), _begun(self.engine, writes=True) as connection:
            yield connection

    def create_all(self, metadata: sa.MetaData) -> None:
        """Make the tables that are missing; several servers may do so at once, and one of all tables may only read."""
        with self.reading() as connection:
            there = set(sa.inspect(connection).get_table_names())
        if not metadata.tables.keys() <= there:
            with self.writing() as connection:
                lock_schema(connection)
                metadata.create_all(connection)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` in one transaction that only reads, as `transact` does."""
        return await self._do(work, writes=False)

    async def transact(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` in one transaction: with SQLite at once, which is sooner done than given to a thread.

        Where another process holds the file, all is undone and a thread does it again once the file is free.
        """
        return await self._do(work, writes=True)

    async def _do(self, work: Callable[[Connection], Result], writes: bool) -> Result:
        if self._no_wait_engine:
            with suppress(sa.exc.SQLAlchemyError, OSError):
                return _run_in_transaction(self._no_wait_engine, work, writes)
        with _told():
            return await asyncio.to_thread(_run_in_transaction, self.engine, work, writes)

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self.engine.dispose()
        if self._no_wait_engine:
            self._no_wait_engine.dispose()


def database_url(name: str) -> str:
    """Return `DATABASE_URL`, or the URL of this checkout's SQLite file `var/<name>.db`."""
    url = settings().database_url or f"sqlite:///{ROOT / 'var' / name}.db"
    # As some hosts still write it; SQLAlchemy knows the longer name only.
    return f"postgresql://{url.removeprefix('postgres://')}" if url.startswith("postgres://") else url


def lock_schema(connection: Connection) -> None:
    """Let no other process change tables until the end of the transaction; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        # A change may take long, and so may the wait for that of another process.
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_SECONDS_FOR_SCHEMA}s'"))
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))


def create_engine(url: str, seconds: int | None = None, is_durable: bool = False) -> Engine:
    """Return an engine with a small pool and short time-outs, which keeps parameters out of its errors.

    Args:
        seconds, is_durable: as `Database` takes them.
    """
    seconds = _SECONDS_TO_WAIT if seconds is None else seconds
    parsed = sa.engine.make_url(url)
    pool = {"pool_size": 2, "max_overflow": 4}
    if parsed.get_backend_name() == "postgresql":
        waits = f"-c statement_timeout={seconds}s -c lock_timeout={seconds}s -c timezone=utc"
        arguments: dict[str, Any] = {"connect_timeout": _SECONDS_TO_CONNECT, "options": waits}
        return sa.create_engine(
            parsed, future=True, hide_parameters=True, pool_pre_ping=True, connect_args=arguments, **pool
        )
    # SQLAlchemy 1.4 would open a file anew for each transaction. The driver's own transactions are off: they begin by
    # reading, and may fail when they come to write.
    arguments = {"timeout": seconds, "check_same_thread": False, "isolation_level": None}
    queue = sa.pool.QueuePool
    engine = sa.create_engine(
        parsed, future=True, hide_parameters=True, poolclass=queue, connect_args=arguments, **pool
    )
    path = Path(parsed.database or "")

    @sa.event.listens_for(engine, "do_connect")
    def make_file(*_: Any) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)

    @sa.event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        _write_ahead(connection, path)
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")
        record.info["file"] = _inode(path)

    @sa.event.listens_for(engine, "checkout")
    def open_again_when_replaced(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["file"] != _inode(path):
            raise sa.exc.DisconnectionError("another file is there now")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    sa.event.listen(engine, "handle_error", _open_anew)
    _engines.add(engine)
    return engine


def _write_ahead(connection: Any, path: Path) -> None:
    """Let readers and a writer of a file go on at once."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    # Two processes that turn the same new file to WAL at once do not wait for each other: one would fail.
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection.execute("PRAGMA journal_mode = WAL")


def _open_anew(fault: sa.engine.ExceptionContext) -> None:
    """Open every connection anew once a file turns out to be read-only: as long as one is open, SQLite stays so."""
    if "readonly" in str(fault.original_exception):
        fault.is_disconnect = True
        for engine in list(_engines):
            engine.dispose()


def _inode(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_ino
    return None


@contextmanager
def _begun(engine: Engine, writes: bool) -> Iterator[Connection]:
    with engine.connect().execution_options(writes=writes) as connection, connection.begin():
        yield connection


def _run_in_transaction(engine: Engine, work: Callable[[Connection], Result], writes: bool) -> Result:
    with _begun(engine, writes) as connection:
        return work(connection)


@contextmanager
def _told() -> Iterator[None]:
    """Turn a fault of the database into StoreUnavailable, which shows no value of any row."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, OSError, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        raise StoreUnavailable(type(cause).__name__) from None
