import base64
import datetime
import email.message
import hashlib
import hmac
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import icalendar
import pytest
import yaml

from booking import delivery
from booking import transports as senders
from booking.delivery import RETRIES, Worker, transports_of
from booking.store import Bookings
from booking.transports import Mailer, Webhook, compose, sign
from clinic.profile import ROOT, Clinic
from service.database import StoreUnavailable
from service.queue import RetryPolicy
from service.settings import SettingError, Settings
from tests.support.killed_worker import STEPS
from tests.support.receivers import CLOSE, SILENCE, MailServer, WebReceiver, both, certificate
from tests.support.samples import CLINIC, NOW, Clock, a_request

RETENTION = datetime.timedelta(days=90)


@pytest.fixture
def receivers() -> Iterator[tuple[MailServer, WebReceiver]]:
    with both() as pair:
        yield pair


def a_worker(
    bookings: Bookings, clock: Clock, environment: dict[str, str], clinic: Clinic = CLINIC, **named: Any
) -> Worker:
    return Worker(bookings, transports_of(clinic, Settings.of(environment), clock), RETENTION, clock, **named)


def drain(worker: Worker) -> None:
    while worker.step():
        pass


def states(bookings: Bookings, kind: str) -> list[tuple[str, int, str | None]]:
    """What became of each message of a kind: its state, how often it was tried, and the last fault."""
    return [
        (
            "delivered" if message.delivered_at else "failed" if message.failed_at else "pending",
            message.attempts,
            message.last_error,
        )
        for booking in bookings.list()
        for message in booking.deliveries
        if message.kind == kind
    ]


def test_every_request_goes_out_once_by_both_ways_and_in_order(
    bookings: Bookings, clock: Clock, receivers: tuple[MailServer, WebReceiver]
) -> None:
    mails, posts = receivers
    for index in range(5):
        bookings.add(a_request(), str(index))
    drain(a_worker(bookings, clock, {**mails.environment(), **posts.environment()}))
    messages = [message for booking in bookings.list() for message in booking.deliveries]
    assert mails.ids == [message.key for message in messages if message.kind == "email"]
    assert posts.keys == [message.key for message in messages if message.kind == "webhook"]
    assert all(message.delivered_at for message in messages)


def test_the_mail_says_all_that_the_front_desk_needs(
    bookings: Bookings, clock: Clock, receivers: tuple[MailServer, WebReceiver]
) -> None:
    mails, _ = receivers
    request = a_request(name="Ana O'Brien", contact="ana@x.com", time="12/3 at 2:30pm", urgent=True, reason="a & b")
    reference, _ = bookings.add(request, "one")
    clock.move(days=1)
    drain(a_worker(bookings, clock, mails.environment()))
    [mail] = mails.received
    shown = bookings.show(reference).shown
    assert mail["Subject"] == f"URGENT: Booking request {shown}"
    assert mail["To"] == CLINIC.email
    assert mail["Reply-To"] == "ana@x.com"
    assert mail["Date"].datetime == NOW
    text = mail.get_body(("plain",)).get_content()
    for value in (shown, "Ana O'Brien", "ana@x.com", "12/3 at 2:30pm", "Thursday, December 3, 2:30 pm", "a & b"):
        assert value in text
    page = mail.get_body(("html",)).get_content()
    assert "a &amp; b" in page
    assert "Ana O&#39;Brien" in page
    [attached] = mail.iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("text/calendar", f"{shown}.ics")
    [event] = icalendar.Calendar.from_ical(attached.get_content()).walk("VEVENT")
    assert event.decoded("dtstart") == datetime.datetime(2026, 12, 3, 22, 30, tzinfo=datetime.UTC)
    assert f"<{event['uid']}>" == mail["Message-ID"]
    assert event["status"] == "TENTATIVE"


def test_a_rough_time_makes_no_calendar_entry(bookings: Bookings, clock: Clock) -> None:
    bookings.add(a_request(time="thursday december 3 after 2"), "one")
    parcel = bookings.claim(["email"], delivery.LEASE)
    assert parcel
    message = compose(parcel, CLINIC, "assistant@clinic.example")
    assert list(message.iter_attachments()) == []
    assert "Reply-To" not in message


def test_no_value_can_become_a_header_or_markup(bookings: Bookings, clock: Clock) -> None:
    hostile = "<script>alert(1)</script>\r\nBcc: all@evil.example"
    bookings.add(a_request(time="12/3 at 2:30pm").model_copy(update={"name": hostile, "reason": hostile}), "one")
    parcel = bookings.claim(["email"], delivery.LEASE)
    assert parcel
    message = compose(parcel, CLINIC, "assistant@clinic.example")
    assert "Bcc" not in message
    page = message.get_body(("html",))
    assert page
    assert "<script>" not in page.get_content()
    [attached] = message.iter_attachments()
    assert b"\r\nBcc" not in attached.get_payload(decode=True)


def test_a_mail_is_the_same_at_every_try(
    bookings: Bookings, clock: Clock, receivers: tuple[MailServer, WebReceiver]
) -> None:
    mails, posts = receivers
    mails.script = ["451 Later"]
    posts.script = [500]
    bookings.add(a_request(), "one")
    worker = a_worker(bookings, clock, {**mails.environment(), **posts.environment()})
    drain(worker)
    clock.move(minutes=1)
    drain(worker)
    first, second = mails.received
    assert {name: first[name] for name in ("Message-ID", "Date", "Subject")} == {
        name: second[name] for name in ("Message-ID", "Date", "Subject")
    }
    (one, body), (other, again) = posts.received
    assert one["Idempotency-Key"] == other["Idempotency-Key"]
    assert body == again
    assert one["X-Clinic-Signature"] != other["X-Clinic-Signature"], "its time is that of the try"


def test_a_webhook_is_signed_so_that_its_receiver_can_check_it(
    bookings: Bookings, clock: Clock, receivers: tuple[MailServer, WebReceiver]
) -> None:
    _, posts = receivers
    reference, _ = bookings.add(a_request(name="José", time="12/3 at 2:30pm"), "one")
    drain(a_worker(bookings, clock, posts.environment()))
    [(headers, body)] = posts.received
    parts = dict(part.split("=", 1) for part in headers["X-Clinic-Signature"].split(","))
    secret = posts.environment()["WEBHOOK_SECRET"]
    expected = hmac.new(secret.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(parts["v1"], expected)
    assert parts["v1"] == sign(secret, parts["t"], body)
    assert int(parts["t"]) == int(clock.now.timestamp())
    content = json.loads(body)
    assert content["name"] == "José"
    assert content["contact"] == {"kind": "phone", "value": "+19495550133"}
    assert content["preferred"]["start"] == "2026-12-03T22:30:00+00:00"
    assert content["reference"] == bookings.show(reference).shown
    assert "conversation" not in content


@pytest.mark.parametrize(
    ("answer", "what"),
    [("451 Later", "SMTPDataError 451"), (CLOSE, "SMTPServerDisconnected"), (SILENCE, "SMTPServerDisconnected")],
)
def test_a_mail_server_that_fails_is_tried_again_until_it_takes_the_mail(
    bookings: Bookings,
    clock: Clock,
    receivers: tuple[MailServer, WebReceiver],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    what: str,
) -> None:
    monkeypatch.setattr(senders, "_PATIENCE", 1 if answer == SILENCE else 15)
    mails, _ = receivers
    mails.script = [answer]
    for index in range(2):
        bookings.add(a_request(), str(index))
    worker = a_worker(bookings, clock, mails.environment())
    drain(worker)
    assert states(bookings, "email") == [("pending", 1, what), ("pending", 0, None)], "the second waits for the first"
    mails.released.set()
    clock.move(minutes=1)
    monkeypatch.setattr(senders, "_PATIENCE", 15)
    drain(worker)
    assert states(bookings, "email") == [("delivered", 2, None), ("delivered", 1, None)]
    assert mails.ids[1:] == [booking.deliveries[0].key for booking in bookings.list()]
    assert mails.ids[0] == mails.ids[1]


@pytest.mark.parametrize(
    ("answer", "what"),
    [(500, "HTTP 500"), (302, "HTTP 302"), (404, "HTTP 404"), (CLOSE, "ConnectionError"), (SILENCE, "ReadTimeout")],
)
def test_a_web_receiver_that_fails_is_tried_again_until_it_takes_the_post(
    bookings: Bookings,
    clock: Clock,
    receivers: tuple[MailServer, WebReceiver],
    monkeypatch: pytest.MonkeyPatch,
    answer: int | str,
    what: str,
) -> None:
    monkeypatch.setattr(senders, "_PATIENCE", 1 if answer == SILENCE else 15)
    _, posts = receivers
    posts.script = [answer]
    for index in range(2):
        bookings.add(a_request(), str(index))
    worker = a_worker(bookings, clock, posts.environment())
    drain(worker)
    assert states(bookings, "webhook") == [("pending", 1, what), ("pending", 0, None)]
    clock.move(minutes=1)
    monkeypatch.setattr(senders, "_PATIENCE", 15)
    drain(worker)
    assert states(bookings, "webhook") == [("delivered", 2, None), ("delivered", 1, None)]
    assert posts.keys[0] == posts.keys[1]


def test_a_closed_port_is_a_fault_like_any_other(bookings: Bookings, clock: Clock) -> None:
    with both() as (mails, posts):
        environment = {**mails.environment(), **posts.environment()}
    bookings.add(a_request(), "one")
    drain(a_worker(bookings, clock, environment))
    assert states(bookings, "email") == [("pending", 1, "ConnectionRefusedError")]
    assert states(bookings, "webhook") == [("pending", 1, "ConnectionError")]


def test_a_message_that_its_receiver_refuses_alone_holds_up_no_other(
    bookings: Bookings, clock: Clock, receivers: tuple[MailServer, WebReceiver]
) -> None:
    mails, posts = receivers
    mails.script = ["552 Too big"]
    posts.script = [422]
    for index in range(3):
        bookings.add(a_request(), str(index))
    drain(a_worker(bookings, clock, {**mails.environment(), **posts.environment()}))
    assert [state for state, *_ in states(bookings, "email")] == ["pending", "delivered", "delivered"]
    assert [state for state, *_ in states(bookings, "webhook")] == ["pending", "delivered", "delivered"]


def test_a_message_that_breaks_the_code_that_sends_it_holds_up_no_other(
    bookings: Bookings, clock: Clock, receivers: tuple[MailServer, WebReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    mails, _ = receivers
    real = senders.compose

    def fragile(parcel: Any, *arguments: Any) -> email.message.EmailMessage:
        if parcel.booking.request.name == "Bobby":
            raise KeyError("Bobby")
        return real(parcel, *arguments)

    monkeypatch.setattr(senders, "compose", fragile)
    for index, name in enumerate(("Bobby", "Ana", "Li")):
        bookings.add(a_request(name=name), str(index))
    drain(a_worker(bookings, clock, mails.environment()))
    assert states(bookings, "email") == [("pending", 1, "KeyError"), ("delivered", 1, None), ("delivered", 1, None)]


def test_retries_grow_rarer_and_end() -> None:
    assert RETRIES.delays[0] == 30
    assert list(RETRIES.delays) == sorted(RETRIES.delays)
    assert RETRIES.delays[-1] == 3600
    assert 15 * 3600 < sum(RETRIES.delays) < 17 * 3600
    assert RETRIES.delay_after(len(RETRIES.delays) + 1) is None


def test_after_the_last_try_a_message_stands_as_failed_and_can_be_retried(
    bookings: Bookings, clock: Clock, receivers: tuple[MailServer, WebReceiver], caplog: pytest.LogCaptureFixture
) -> None:
    mails, _ = receivers
    mails.script = ["451 Later"] * 3
    bookings.add(a_request(), "one")
    worker = a_worker(bookings, clock, mails.environment(), retries=RetryPolicy((30, 60)))
    for _ in range(3):
        drain(worker)
        clock.move(hours=1)
    drain(worker)
    assert states(bookings, "email") == [("failed", 3, "SMTPDataError 451")]
    assert "given up after 3 tries" in caplog.text
    assert bookings.retry() == 1
    drain(worker)
    assert states(bookings, "email") == [("delivered", 1, None)]
    assert len(set(mails.ids)) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_mail_goes_through_tls_with_a_login(
    bookings: Bookings, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    trusted, context = certificate(tmp_path)
    bookings.add(a_request(), "one")
    with MailServer(context, security == "starttls", ("desk", "pass word")) as mails:
        environment = mails.environment(security)
        worker = a_worker(bookings, clock, environment)
        drain(worker)
        assert states(bookings, "email") == [("pending", 1, "SSLCertVerificationError")]
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        clock.move(minutes=1)
        drain(a_worker(bookings, clock, {**environment, "SMTP_PASSWORD": "wrong"}))
        assert states(bookings, "email") == [("pending", 2, "SMTPAuthenticationError 535")]
        clock.move(minutes=2)
        drain(worker)
        assert states(bookings, "email") == [("delivered", 3, None)]
        assert len(mails.received) == 1


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"SMTP_HOST": "mail.example", "SMTP_SECURITY": "ssl"}, "SMTP_SECURITY"),
        ({"SMTP_HOST": "mail.example", "SMTP_PORT": "smtp"}, "SMTP_PORT"),
        ({"SMTP_HOST": "mail.example", "SMTP_USER": "desk"}, "SMTP_PASSWORD"),
        (
            {"SMTP_HOST": "mail.example", "SMTP_USER": "a", "SMTP_PASSWORD": "hidden", "SMTP_SECURITY": "none"},
            "in the clear",
        ),
        ({"SMTP_HOST": "mail.example", "SMTP_USER": "desk", "SMTP_PASSWORD": "hiddén"}, "ASCII"),
        ({"WEBHOOK_URL": "https://x.example"}, "WEBHOOK_SECRET"),
        ({"WEBHOOK_URL": "http://x.example", "WEBHOOK_SECRET": "hidden"}, "https"),
        ({"WEBHOOK_URL": "ftp://x.example", "WEBHOOK_SECRET": "hidden"}, "https"),
    ],
)
def test_settings_that_cannot_work_are_named_and_their_values_are_not(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingError, match=named) as refused:
        transports_of(CLINIC, Settings.of(environment))
    assert "hidden" not in str(refused.value)


def test_secrets_do_not_show_in_what_is_printed() -> None:
    mail = {"SMTP_HOST": "mail.example", "SMTP_USER": "desk", "SMTP_PASSWORD": "hidden"}
    mailer = Mailer.from_settings(Settings.of(mail), CLINIC)
    address = {"WEBHOOK_URL": "https://x.example", "WEBHOOK_SECRET": "hidden"}
    webhook = Webhook.from_settings(Settings.of(address), Clock())
    assert mailer
    assert mailer.port == 587
    assert "hidden" not in repr(mailer) + repr(webhook)


def test_without_a_server_requests_are_kept_and_it_is_said_once(
    bookings: Bookings, clock: Clock, caplog: pytest.LogCaptureFixture, receivers: tuple[MailServer, WebReceiver]
) -> None:
    for index in range(3):
        bookings.add(a_request(), str(index))
    drain(a_worker(bookings, clock, {}))
    assert caplog.text.count("SMTP_HOST is not set") == caplog.text.count("WEBHOOK_URL is not set") == 1
    assert states(bookings, "email") == [("pending", 0, None)] * 3
    mails, _ = receivers
    drain(a_worker(bookings, clock, mails.environment()))
    assert states(bookings, "email") == [("delivered", 1, None)] * 3, "once there is a server, they all go out"


def test_only_the_ways_that_the_clinic_wants_are_used(clock: Clock, receivers: tuple[MailServer, WebReceiver]) -> None:
    mails, posts = receivers
    clinic = CLINIC.model_copy(update={"delivery": ["webhook"]})
    made = transports_of(clinic, Settings.of({**mails.environment(), **posts.environment()}), clock)
    assert [sender.kind for sender in made] == ["webhook"]


def test_the_worker_erases_what_is_older_than_the_clinic_keeps(bookings: Bookings, clock: Clock) -> None:
    bookings.add(a_request(), "one")
    worker = a_worker(bookings, clock, {})
    worker.sweep()
    clock.move(days=90, minutes=-1)
    worker.sweep()
    assert len(bookings.list()) == 1
    clock.move(minutes=2)
    worker.sweep()
    assert len(bookings.list()) == 1, "it looks once an hour"
    clock.move(hours=1)
    worker.sweep()
    assert bookings.list() == []


def test_nothing_personal_is_logged(
    bookings: Bookings, clock: Clock, receivers: tuple[MailServer, WebReceiver], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mails, posts = receivers
    mails.script, posts.script = ["451 Ana Ruiz +19495550133", "552 Ana Ruiz"], [500, 422]
    bookings.add(a_request(), "one")
    bookings.add(a_request(contact="ana@x.com"), "two")
    worker = a_worker(bookings, clock, {**mails.environment(), **posts.environment()}, retries=RetryPolicy((30,)))
    for _ in range(3):
        drain(worker)
        clock.move(hours=1)
    clock.move(days=91)
    worker.sweep()
    # The receivers of these tests run in this process: what aiosmtpd logs is the other side's.
    ours = "\n".join(entry.getMessage() for entry in caplog.records if not entry.name.startswith("mail"))
    assert "delivered" in ours
    for secret in ("Ruiz", "5550133", "555-0133", "ana@x.com", "tuesday morning"):
        assert secret not in ours


def test_an_endless_answer_is_cut_off(
    bookings: Bookings, clock: Clock, receivers: tuple[MailServer, WebReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SEND_SECONDS", 0.3)
    _, posts = receivers
    posts.script = [SILENCE]
    bookings.add(a_request(), "one")
    drain(a_worker(bookings, clock, posts.environment()))
    [(state, tries, what)] = states(bookings, "webhook")
    assert (state, tries) == ("pending", 1)
    assert what
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_worker_waits_for_a_database_that_is_away(bookings: Bookings, clock: Clock) -> None:
    stop = threading.Event()

    class Away:
        looks = 0

        def forget(self, before: datetime.datetime) -> int:
            self.looks += 1
            stop.set()
            raise StoreUnavailable("OperationalError")

    away = Away()
    worker = Worker(away, [], RETENTION, clock)  # type: ignore[arg-type]
    worker.run(stop)
    assert away.looks == 1
    stop.clear()
    with pytest.raises(StoreUnavailable):
        worker.run(stop, once=True)


@pytest.fixture
def environment(url: str, tmp_path: Path) -> dict[str, str]:
    """What a worker process needs beside its receivers."""
    content = json.loads(CLINIC.model_dump_json())
    content["opening_hours"] = {
        day: f"{span['opens'][:5]}-{span['closes'][:5]}" for day, span in content["opening_hours"].items()
    }
    (tmp_path / "clinic.yml").write_text(yaml.safe_dump(content))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SMTP_", "WEBHOOK_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "DATABASE_URL": url, "CLINIC_FILE": str(tmp_path / "clinic.yml")}


def process(module: str, *arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE)


def test_killed_between_any_two_steps_it_neither_loses_nor_doubles(
    url: str, environment: dict[str, str], receivers: tuple[MailServer, WebReceiver]
) -> None:
    mails, posts = receivers
    environment |= {**mails.environment(), **posts.environment()}
    store = Bookings(url, CLINIC.delivery, "clinic.example")
    for index in range(2):
        store.add(a_request(), str(index))
    keys = [message.key for booking in store.list() for message in booking.deliveries]
    # Every step takes two hours' distance from the last, so that no lease of a dead worker holds the next one up.
    # The first round meets a mail, the second a post; PostgreSQL is spared the second, for its time.
    rounds = (*STEPS, *STEPS[1:]) if url.startswith("sqlite") else STEPS
    for hours, step in enumerate(rounds, 1):
        worker = process("tests.support.killed_worker", step, str(2 * hours), environment=environment)
        worker.communicate()
        assert worker.returncode in {-signal.SIGKILL, 0}
        assert worker.returncode or not store.claim(["email", "webhook"], delivery.LEASE)
    last = process("tests.support.killed_worker", "never", "48", environment=environment)
    _, errors = last.communicate()
    assert last.returncode == 0, errors
    assert sorted({*mails.ids, *posts.keys}) == sorted(keys)
    assert all(message.delivered_at for booking in store.list() for message in booking.deliveries)
    for received in (mails.ids, posts.keys):
        order = list(dict.fromkeys(received))
        assert order == [key for key in keys if key in order], "and still in order"
    store.close()


@pytest.mark.parametrize("kind", ["email", "webhook"])
def test_killed_while_the_other_side_takes_the_message_it_comes_again_under_the_same_key(
    url: str, environment: dict[str, str], receivers: tuple[MailServer, WebReceiver], kind: str
) -> None:
    mails, posts = receivers
    environment |= mails.environment() if kind == "email" else posts.environment()
    store = Bookings(url, [kind], "clinic.example")  # type: ignore[list-item]
    store.add(a_request(), "one")
    running: list[subprocess.Popen[str]] = []
    # The message is in, its answer is not yet out.
    mails.hook = posts.hook = lambda _: running[-1].kill()
    running.append(process("tests.support.killed_worker", "never", "0", environment=environment))
    running[0].communicate()
    assert running[0].returncode == -signal.SIGKILL
    mails.hook = posts.hook = lambda _: None
    again = process("tests.support.killed_worker", "never", "1", environment=environment)
    assert again.wait() == 0
    again.communicate()
    [message] = store.list()[0].deliveries
    assert message.delivered_at
    assert (mails.ids or posts.keys) == [message.key, message.key]
    store.close()


def test_sigterm_ends_it_after_the_message_in_hand(
    url: str, environment: dict[str, str], receivers: tuple[MailServer, WebReceiver]
) -> None:
    _, posts = receivers
    store = Bookings(url, ["webhook"], "clinic.example")
    for index in range(2):
        store.add(a_request(), str(index))
    arrived, go_on = threading.Event(), threading.Event()
    posts.hook = lambda _: (arrived.set(), go_on.wait())[0]
    worker = process("booking.delivery", environment={**environment, **posts.environment()})
    arrived.wait()
    worker.send_signal(signal.SIGTERM)
    go_on.set()
    _, errors = worker.communicate()
    assert worker.returncode == 0, errors
    assert [bool(booking.deliveries[0].delivered_at) for booking in store.list()] == [True, False]
    for secret in ("Ruiz", "5550133"):
        assert secret not in errors
    store.close()


def test_two_workers_deliver_two_hundred_once_each(
    url: str, environment: dict[str, str], receivers: tuple[MailServer, WebReceiver]
) -> None:
    mails, posts = receivers
    environment |= {**mails.environment(), **posts.environment()}
    store = Bookings(url, CLINIC.delivery, "clinic.example")
    for index in range(200):
        store.add(a_request(), str(index))
    workers = [process("booking.delivery", "--once", environment=environment) for _ in range(2)]
    assert [worker.communicate() and worker.returncode for worker in workers] == [0, 0]
    messages = [message for booking in store.list() for message in booking.deliveries]
    assert mails.ids == [message.key for message in messages if message.kind == "email"]
    assert posts.keys == [message.key for message in messages if message.kind == "webhook"]
    assert len(set(mails.ids)) == len(set(posts.keys)) == 200
    store.close()


def test_a_wrong_setting_ends_the_worker_with_a_sentence(environment: dict[str, str]) -> None:
    worker = process("booking.delivery", environment={**environment, "SMTP_HOST": "x", "SMTP_SECURITY": "ssl"})
    _, errors = worker.communicate()
    assert worker.returncode == 2
    assert errors.splitlines()[-1] == "SMTP_SECURITY must be starttls, tls or none."


def test_the_calendar_entry_is_encoded_as_mail_needs_it(bookings: Bookings) -> None:
    bookings.add(a_request(name="José Núñez", time="12/3 at 2:30pm"), "one")
    parcel = bookings.claim(["email"], delivery.LEASE)
    assert parcel
    [attached] = compose(parcel, CLINIC, "assistant@clinic.example").iter_attachments()
    assert "José Núñez" in base64.b64decode(str(attached.get_payload())).decode()
