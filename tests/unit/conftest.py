import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from booking.store import Bookings
from service.limits import the_counters
from tests.support.packages import do_without
from tests.support.postgres import PostgresUnavailable, server
from tests.support.samples import CLINIC, Clock

# The same examples every time and no time limit: a red run means a fault, never a busy machine.
settings.register_profile("unit", derandomize=True, deadline=None)
settings.load_profile("unit")
_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    """Let no test be limited by what others have done."""
    the_counters.cache_clear()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server; where there can be none the tests are skipped, and CI fails."""
    try:
        with server() as url:
            yield url
    except PostgresUnavailable as error:
        do_without(error)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new and empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'bookings.db'}"
    admin = sa.engine.make_url(request.getfixturevalue("postgres"))
    name = f"test_{next(_NUMBERS)}"
    engine = sa.create_engine(admin, isolation_level="AUTOCOMMIT", future=True)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return admin.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bookings(url: str, clock: Clock) -> Iterator[Bookings]:
    """A new store that delivers by e-mail and webhook."""
    store = Bookings(url, CLINIC.delivery, "clinic.example", clock)
    yield store
    store.close()
