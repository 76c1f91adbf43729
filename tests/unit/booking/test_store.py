import datetime
import logging
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from booking import store as storage
from booking.reading.contacts import parse_contact
from booking.references import ALPHABET, new_reference, read_reference, show_reference
from booking.store import METADATA, Bookings, UnknownReference, migrate
from service.database import Database, StoreUnavailable
from tests.support.samples import CLINIC, NOW, Clock, a_request

LEASE = datetime.timedelta(minutes=2)


def rows(url: str, table: str) -> int:
    engine = sa.create_engine(url, future=True)
    with engine.connect() as connection:
        count = connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar()
    engine.dispose()
    return count


def test_a_request_comes_back_as_it_was_written(bookings: Bookings) -> None:
    request = a_request(time="12/3 at 2:30pm", urgent=True)
    reference, created = bookings.add(request, "one")
    assert created
    assert bookings.show(reference).request == request
    assert bookings.show(reference).created_at == NOW
    assert [delivery.kind for delivery in bookings.show(reference).deliveries] == ["email", "webhook"]


def test_names_of_all_scripts_are_kept(bookings: Bookings) -> None:
    for index, name in enumerate(("O'Brien", "José", "李", "محمد علي", "สมชาย ใจดี", "x" * 80)):
        reference, _ = bookings.add(a_request(name=name), str(index))
        assert bookings.show(reference).request.name == name


def test_the_same_intention_is_one_request(bookings: Bookings, url: str) -> None:
    first = bookings.add(a_request(), "one")
    again = bookings.add(a_request(name="Someone Else"), "one")
    assert again == (first[0], False)
    assert (rows(url, "requests"), rows(url, "outbox")) == (1, 2)


def test_another_intention_of_the_same_person_is_another_request(bookings: Bookings) -> None:
    assert bookings.add(a_request(), "one")[0] != bookings.add(a_request(), "two")[0]


def test_racing_threads_with_one_intention_make_one_request(bookings: Bookings, url: str) -> None:
    gate = threading.Barrier(8)

    def add(_: int) -> tuple[str, bool]:
        gate.wait()
        return bookings.add(a_request(), "one")

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(add, range(8)))
    assert len({reference for reference, _ in results}) == 1
    assert sum(created for _, created in results) == 1
    assert (rows(url, "requests"), rows(url, "outbox")) == (1, 2)


def test_a_reference_in_use_is_not_given_twice(url: str, clock: Clock) -> None:
    wanted = iter(["CCCCCC", "CCCCCC", "CCCCCC", "DDDDDD"])
    store = Bookings(url, [], "clinic.example", clock, lambda: next(wanted))
    assert store.add(a_request(), "one") == ("CCCCCC", True)
    assert store.add(a_request(), "two") == ("DDDDDD", True)
    store.close()


def test_without_a_free_reference_nothing_is_claimed_to_be_written(url: str, clock: Clock) -> None:
    store = Bookings(url, ["email"], "clinic.example", clock, lambda: "CCCCCC")
    store.add(a_request(), "one")
    with pytest.raises(StoreUnavailable):
        store.add(a_request(), "two")
    assert (rows(url, "requests"), rows(url, "outbox")) == (1, 1)
    store.close()


def test_request_and_outbox_are_written_together_or_not_at_all(
    bookings: Bookings, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bookings.ping()

    def broken(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("INSERT", {}, OSError("Ana Ruiz"))

    monkeypatch.setattr(storage.uuid, "uuid4", broken)
    with pytest.raises(StoreUnavailable):
        bookings.add(a_request(), "one")
    assert (rows(url, "requests"), rows(url, "outbox")) == (0, 0)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_intention_key_is_bounded(bookings: Bookings, key: str) -> None:
    with pytest.raises(ValueError, match="intention key"):
        bookings.add(a_request(), key)


def test_references_have_no_look_alikes() -> None:
    references = {new_reference() for _ in range(500)}
    assert len(references) > 490
    assert all(len(reference) == 6 and set(reference) <= set(ALPHABET) for reference in references)
    assert not set(ALPHABET) & set("O0QI1L2Z5S8BUVN")
    assert show_reference("CDFGHJ") == "CDF-GHJ"
    assert read_reference("cdf-ghj ") == "CDFGHJ"


def test_a_reference_is_found_as_it_is_read_out(bookings: Bookings) -> None:
    reference, _ = bookings.add(a_request(), "one")
    typed = show_reference(reference).lower()
    assert bookings.show(typed).reference == reference
    bookings.done(typed)
    assert bookings.show(reference).status == "done"
    for use in (bookings.show, bookings.done, bookings.retry):
        with pytest.raises(UnknownReference):
            use("nothing")


def test_the_list_is_oldest_first_and_can_be_narrowed(bookings: Bookings) -> None:
    references = [bookings.add(a_request(), str(index))[0] for index in range(4)]
    bookings.done(references[1])
    assert [booking.reference for booking in bookings.list()] == references
    assert [booking.reference for booking in bookings.list("new")] == [references[0], *references[2:]]
    assert [booking.reference for booking in bookings.list(limit=2)] == references[2:]


def test_forgetting_a_contact_takes_its_messages_too(bookings: Bookings, url: str) -> None:
    bookings.add(a_request(), "one")
    bookings.add(a_request(contact="ana@clinic.example"), "two")
    assert bookings.forget(contact=parse_contact("(949) 555 0133", CLINIC)) == 1
    assert bookings.forget(contact=parse_contact("949 555 0199", CLINIC)) == 0
    assert (rows(url, "requests"), rows(url, "outbox")) == (1, 2)


def test_forgetting_by_age(bookings: Bookings, clock: Clock) -> None:
    bookings.add(a_request(), "one")
    clock.move(days=1)
    kept, _ = bookings.add(a_request(), "two")
    assert bookings.forget(before=clock.now) == 1
    assert [booking.reference for booking in bookings.list()] == [kept]
    with pytest.raises(ValueError, match="either"):
        bookings.forget()


def test_a_conversation_forgets_only_what_the_clinic_has_not_got(bookings: Bookings, clock: Clock) -> None:
    sent, _ = bookings.add(a_request(conversation="mine"), "one")
    parcel = bookings.claim(["email"], LEASE)
    assert parcel
    bookings.delivered(parcel)
    dealt_with, _ = bookings.add(a_request(conversation="mine"), "two")
    bookings.done(dealt_with)
    bookings.add(a_request(conversation="mine"), "three")
    other, _ = bookings.add(a_request(conversation="theirs"), "four")
    assert bookings.forget_conversation("mine") == (1, 2)
    assert [booking.reference for booking in bookings.list()] == [sent, dealt_with, other]
    assert bookings.forget_conversation("nobody's") == (0, 0)


def test_a_message_on_its_way_is_not_called_forgotten(bookings: Bookings, clock: Clock) -> None:
    bookings.add(a_request(conversation="mine"), "one")
    bookings.claim(["email"], LEASE)
    assert bookings.forget_conversation("mine") == (0, 1)
    clock.move(minutes=3)
    assert bookings.forget_conversation("mine") == (1, 0)


def test_messages_are_claimed_oldest_first_and_by_one_alone(bookings: Bookings) -> None:
    first, _ = bookings.add(a_request(), "one")
    bookings.add(a_request(), "two")
    parcel = bookings.claim(["email"], LEASE)
    assert parcel
    assert parcel.booking.reference == first
    assert bookings.claim(["email"], LEASE) is None
    hook = bookings.claim(["email", "webhook"], LEASE)
    assert hook
    assert (hook.booking.reference, hook.delivery.kind) == (first, "webhook")


def test_a_claim_ends_with_its_lease_and_its_holder_then_has_no_say(bookings: Bookings, clock: Clock) -> None:
    bookings.add(a_request(), "one")
    lost = bookings.claim(["email"], LEASE)
    clock.move(minutes=2)
    taken = bookings.claim(["email"], LEASE)
    assert lost
    assert taken
    assert taken.delivery.key == lost.delivery.key
    bookings.failed(lost, "TimeoutError")
    assert bookings.show(taken.booking.reference).deliveries[0].failed_at is None
    bookings.delivered(taken)
    assert bookings.show(taken.booking.reference).deliveries[0].delivered_at == clock.now


def test_a_postponed_message_holds_the_later_ones_back_unless_it_was_set_aside(
    bookings: Bookings, clock: Clock
) -> None:
    first, _ = bookings.add(a_request(), "one")
    second, _ = bookings.add(a_request(), "two")
    parcel = bookings.claim(["email"], LEASE)
    assert parcel
    bookings.postponed(parcel, "ConnectionRefusedError", clock.now + datetime.timedelta(seconds=30), is_isolated=False)
    assert bookings.claim(["email"], LEASE) is None
    clock.move(seconds=30)
    parcel = bookings.claim(["email"], LEASE)
    assert parcel
    assert (parcel.booking.reference, parcel.delivery.attempts) == (first, 1)
    bookings.postponed(parcel, "HTTP 422", clock.now + datetime.timedelta(seconds=30), is_isolated=True)
    other = bookings.claim(["email"], LEASE)
    assert other
    assert other.booking.reference == second


def test_what_failed_is_tried_again_when_asked_for(bookings: Bookings, clock: Clock) -> None:
    reference, _ = bookings.add(a_request(), "one")
    parcel = bookings.claim(["email"], LEASE)
    assert parcel
    bookings.failed(parcel, "HTTP 500")
    clock.move(days=1)
    assert bookings.claim(["email"], LEASE) is None
    assert bookings.retry() == 1
    assert bookings.retry() == 0
    again = bookings.claim(["email"], LEASE)
    assert again
    assert (again.delivery.key, again.delivery.attempts) == (parcel.delivery.key, 0)
    bookings.delivered(again)
    assert bookings.retry(reference) == 1, "only the webhook is undelivered"


def test_racing_workers_never_hold_the_same_message(bookings: Bookings) -> None:
    for index in range(20):
        bookings.add(a_request(), str(index))
    claimed: list[tuple[str, str]] = []

    def work(_: int) -> None:
        while len(claimed) < 40:
            parcel = bookings.claim(["email", "webhook"], LEASE)
            if parcel:
                claimed.append((parcel.delivery.kind, parcel.booking.reference))
                bookings.delivered(parcel)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(claimed) == len(set(claimed)) == 40


def _migrate(url: str) -> str:
    database = Database(url, seconds=8)
    migrate(database)
    migrate(database)
    database.close()
    return "done"


def test_migrations_may_run_at_once_and_twice(url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(_migrate, [url] * 4, chunksize=1) == ["done"] * 4


def test_the_migrations_make_the_tables_that_the_code_expects(url: str) -> None:
    database = Database(url)
    migrate(database)
    with database.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA)
    database.close()
    assert differences == []


def test_sqlite_readers_are_not_held_up_by_a_writer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bookings.db'}"
    store = Bookings(url, [], "clinic.example")
    store.add(a_request(), "one")
    with store._database.writing():
        assert len(store.list()) == 1
    store.close()


@pytest.mark.parametrize("gone", ["sqlite:////proc/nothing/bookings.db", "postgresql://nobody@127.0.0.1:1/nothing"])
def test_a_database_that_is_away_is_told_without_values(gone: str, caplog: pytest.LogCaptureFixture) -> None:
    store = Bookings(gone, ["email"], "clinic.example")
    with pytest.raises(StoreUnavailable) as told:
        store.add(a_request(), "one")
    assert str(told.value) in {"FileNotFoundError", "NotADirectoryError", "OperationalError"}
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


def test_a_database_that_comes_back_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "later" / "bookings.db"
    (tmp_path / "later").write_text("a file where the folder must be")
    store = Bookings(f"sqlite:///{path}", [], "clinic.example")
    with pytest.raises(StoreUnavailable):
        store.ping()
    (tmp_path / "later").unlink()
    store.ping()
    assert store.add(a_request(), "one")[1]
    store.close()


def test_values_that_no_database_takes_are_a_storage_fault(bookings: Bookings) -> None:
    request = a_request().copy(update={"conversation": "nul\0 and \ud800"})
    with pytest.raises(StoreUnavailable):
        bookings.add(request, "one")


def test_nothing_personal_is_logged(bookings: Bookings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reference, _ = bookings.add(a_request(), "one")
    bookings.add(a_request(), "one")
    bookings.list()
    bookings.show(reference)
    parcel = bookings.claim(["email"], LEASE)
    assert parcel
    bookings.delivered(parcel)
    bookings.forget(contact=a_request().contact)
    for secret in ("Ruiz", "5550133", "555-0133", "tuesday morning"):
        assert secret not in caplog.text


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return monkeypatch


def test_set_up_by_command(environment: pytest.MonkeyPatch, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    environment.setenv("DATABASE_URL", url)
    assert storage.main() == 0
    environment.setenv("DATABASE_URL", f"sqlite:///{os.devnull}/bookings.db")
    assert storage.main() == 1
    assert "check DATABASE_URL" in capsys.readouterr().err


def _add_all(url: str, keys: list[str]) -> list[str]:
    """Add a request for every key, sixteen at a time, as an action server does."""
    store = Bookings(url, CLINIC.delivery, "clinic.example")
    with ThreadPoolExecutor(16) as pool:
        references = list(pool.map(lambda key: store.add(a_request(), key)[0], keys))
    store.close()
    return references


def test_two_hundred_at_once_through_two_servers_are_two_hundred(url: str) -> None:
    keys = [f"intention {index}" for index in range(200)]
    # Each server gets every intention, as when a retried message lands on the other one.
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        one, other = pool.starmap(_add_all, [(url, keys), (url, keys[::-1])], chunksize=1)
    assert one == other[::-1]
    assert len(set(one)) == 200
    assert (rows(url, "requests"), rows(url, "outbox")) == (200, 400)
