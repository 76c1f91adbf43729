"""The one way to a database."""

import asyncio
import os
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.database import Database, StoreUnavailable, database_url

METADATA = sa.MetaData()
WORDS = sa.Table("words", METADATA, sa.Column("word", sa.String(20), primary_key=True))


def insert(word: str) -> sa.sql.Insert:
    return sa.insert(WORDS).values(word=word)


def words(connection: sa.engine.Connection) -> list[str]:
    return list(connection.execute(sa.select(WORDS.c.word)).scalars())


@pytest.fixture
def database(url: str) -> Database:
    made = Database(url)
    made.create_all(METADATA)
    return made


def make(url: str) -> None:
    made = Database(url, seconds=8)
    made.create_all(METADATA)
    made.close()


def test_several_servers_may_make_the_tables_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, [url] * 4))


async def test_threads_and_the_event_loop_see_the_same_rows(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(insert("one"))
    await database.transact(lambda connection: connection.execute(insert("two")))
    assert sorted(await database.read(words)) == ["one", "two"]


async def test_a_fault_undoes_the_whole_transaction(database: Database) -> None:
    def twice(connection: sa.engine.Connection) -> None:
        connection.execute(insert("one"))
        connection.execute(insert("one"))

    with pytest.raises(StoreUnavailable) as told:
        await database.transact(twice)
    assert "one" not in str(told.value)
    assert told.value.__suppress_context__
    assert await database.read(words) == []


async def test_the_loop_goes_on_while_another_process_writes(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'words.db'}")
    database.create_all(METADATA)
    other = sqlite3.connect(tmp_path / "words.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(database.transact(lambda connection: connection.execute(insert("one"))))
    begun = time.monotonic()
    await asyncio.sleep(0.1)
    assert time.monotonic() - begun < 1
    assert not writing.done()
    assert await database.read(words) == []
    other.execute("ROLLBACK")
    await writing
    assert await database.read(words) == ["one"]


def test_a_new_sqlite_file_is_private_and_written_ahead(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "words.db"
    with Database(f"sqlite:///{path}").reading() as connection:
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(sa.text("PRAGMA foreign_keys")).scalar() == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("is_durable", "level"), [(False, 1), (True, 2)])
def test_a_durable_file_is_written_through_to_the_disk(tmp_path: Path, is_durable: bool, level: int) -> None:
    database = Database(f"sqlite:///{tmp_path / 'words.db'}", is_durable=is_durable)
    with database.reading() as connection:
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == level


def test_a_database_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    Database(f"sqlite:///{path}").create_all(METADATA)
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        database = Database(f"sqlite:///{path}", seconds=0)
        database.create_all(METADATA)
        with database.reading() as connection:
            assert words(connection) == []
        with pytest.raises(StoreUnavailable), database.writing():
            pass


def test_one_variable_names_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert database_url("bookings").endswith("/var/bookings.db")
    monkeypatch.setenv("DATABASE_URL", "postgres://user@host/name")
    assert database_url("bookings") == database_url("conversations") == "postgresql://user@host/name"


def test_a_database_that_is_away_is_told_by_the_kind_of_fault() -> None:
    for url in (f"sqlite:///{os.devnull}/words.db", "postgresql://nobody:secret@127.0.0.1:1/nothing"):
        with pytest.raises(StoreUnavailable) as told, Database(url).reading():
            pass
        assert "secret" not in str(told.value)
