"""Jobs are leased to one worker at a time, and retried after a fault."""

import pytest
import sqlalchemy as sa

from service.database import Database
from service.queue import Queue, RetryPolicy

METADATA = sa.MetaData()
JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("due_at", sa.Float),
    sa.Column("lease", sa.String(32)),
    sa.Column("leased_until", sa.Float),
)
QUEUE = Queue(JOBS, JOBS.c.due_at)


@pytest.fixture
def database(url: str) -> Database:
    made = Database(url)
    made.create_all(METADATA)
    with made.writing() as connection:
        connection.execute(sa.insert(JOBS), [{"id": 1, "due_at": 2.0}, {"id": 2, "due_at": 1.0}])
        connection.execute(sa.insert(JOBS).values(id=3, due_at=None))
    return made


def claimed(database: Database, worker: str, now: float, limit: int = 1) -> list[int]:
    with database.writing() as connection:
        return [job.id for job in QUEUE.claim(connection, worker, now, now + 10, limit=limit)]


def test_the_job_that_was_due_first_goes_first_and_to_one_worker(database: Database) -> None:
    assert claimed(database, "ana", 5.0) == [2]
    assert claimed(database, "ben", 5.0, limit=9) == [1]
    assert claimed(database, "ana", 5.0, limit=9) == []


def test_nothing_is_claimed_before_it_is_due(database: Database) -> None:
    assert claimed(database, "ana", 0.5, limit=9) == []


def test_a_lease_that_ran_out_is_anyones(database: Database) -> None:
    assert claimed(database, "ana", 5.0, limit=9) == [2, 1]
    assert claimed(database, "ben", 14.9, limit=9) == []
    assert claimed(database, "ben", 15.0, limit=9) == [2, 1]


def test_a_lease_that_is_renewed_lasts_longer(database: Database) -> None:
    assert claimed(database, "ana", 5.0) == [2]
    with database.writing() as connection:
        assert QUEUE.renew(connection, "ana", 24.0, JOBS.c.id == 2) == 1
        assert QUEUE.renew(connection, "ben", 24.0, JOBS.c.id == 2) == 0
    assert claimed(database, "ben", 20.0, limit=9) == [1]


def test_only_the_holder_of_a_lease_ends_it(database: Database) -> None:
    assert claimed(database, "ana", 5.0) == [2]
    assert claimed(database, "ben", 15.0, limit=9) == [2, 1]
    with database.writing() as connection:
        assert QUEUE.release(connection, "ana", JOBS.c.id == 2, due_at=None) == 0
        assert QUEUE.release(connection, "ben", JOBS.c.id == 2, due_at=30.0) == 1
    assert claimed(database, "ana", 29.0, limit=9) == [1]
    assert claimed(database, "ana", 30.0, limit=9) == [2]


def test_a_job_is_given_up_after_its_last_retry() -> None:
    policy = RetryPolicy((1, 2, 4))
    assert [policy.delay_after(attempts) for attempts in (1, 2, 3, 4)] == [1, 2, 4, None]


def test_delays_double_up_to_the_longest() -> None:
    assert RetryPolicy.doubling(30, 100, attempts=4).delays == (30, 60, 100)
