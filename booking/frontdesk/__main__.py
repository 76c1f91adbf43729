"""The front desk's list of booking requests: `python -m booking.frontdesk`."""

import argparse
import csv
import datetime
import json
import sys
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from booking.reading.contacts import parse_contact
from booking.reading.text import InvalidAnswer
from booking.request import Booking, Clock, utc_now
from booking.store import Bookings, UnknownReference, open_bookings
from booking.summary import facts, moment_in_words, patient_in_words, progress
from clinic.profile import Clinic, ClinicError, the_clinic
from service.database import StoreUnavailable

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def main(arguments: Sequence[str] | None = None, clock: Clock = utc_now) -> int:
    """Run one command of the front desk; return the exit code: 0, 1 when it could not be done, 2 for a wrong use."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        clinic = the_clinic()
        done = chosen.run(open_bookings(clinic, clock), clinic, chosen, clock)
    except UnknownReference:
        return _fail(f"There is no request {chosen.reference}.")
    except InvalidAnswer:
        return _fail("That is no telephone number or e-mail address.")
    except ClinicError as error:
        return _fail(str(error))
    except StoreUnavailable as error:
        return _fail(f"The database cannot be reached ({error}): check DATABASE_URL.")
    sys.stdout.write(f"{done}\n" if done else "")
    return 0


def table(bookings: Sequence[Booking], clinic: Clinic) -> str:
    """Return the requests as a table, one a line."""
    rows = [
        [
            booking.shown,
            moment_in_words(booking.created_at, clinic),
            "URGENT" if booking.request.urgent else booking.status,
            booking.request.name,
            booking.request.contact.shown,
            booking.request.time.shown,
            patient_in_words(booking.request) or booking.request.patient or "",
            "; ".join(filter(None, (booking.request.reason, booking.request.note, booking.request.change))),
            progress(booking),
        ]
        for booking in bookings
    ]
    headers = ["Reference", "Asked", "State", "Name", "Contact", "Would suit", "Patient", "About", "Delivery"]
    shown = [[_printable(cell) for cell in row] for row in rows]
    return tabulate(shown, headers, disable_numparse=True, maxcolwidths=[None, None, None, 24, 28, 34, 20, 34, 30])


def record(booking: Booking) -> dict[str, Any]:
    """Return a request as plain values, for an export."""
    request = booking.request
    return {
        "reference": booking.shown,
        "created_at": booking.created_at.isoformat(),
        "status": booking.status,
        "urgent": request.urgent,
        "name": request.name,
        "contact_kind": request.contact.kind,
        "contact": request.contact.value,
        "preferred_words": request.time.words,
        "preferred_meaning": request.time.meaning,
        "preferred_day": request.time.day.isoformat() if request.time.day else None,
        "preferred_start": request.time.start.isoformat() if request.time.start else None,
        "patient": request.patient,
        "patient_name": request.patient_name,
        "patient_relation": request.patient_relation,
        "second_contact": request.second_contact.value if request.second_contact else None,
        "reason": request.reason,
        "note": request.note,
        "sign": request.sign,
        "change": request.change,
        "channel": request.channel,
        "delivery": progress(booking),
    }


def cell(value: object) -> str:
    """Return a value as a cell of a spreadsheet that can be no formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _list(bookings: Bookings, clinic: Clinic, chosen: argparse.Namespace, clock: Clock) -> str:
    found = bookings.list(None if chosen.all else "new")
    return table(found, clinic) if found else "No requests are waiting."


def _show(bookings: Bookings, clinic: Clinic, chosen: argparse.Namespace, clock: Clock) -> str:
    booking = bookings.show(chosen.reference)
    pairs = [*facts(booking, clinic), ("State", booking.status), ("Delivery", progress(booking))]
    return tabulate([[label, _printable(value)] for label, value in pairs], tablefmt="plain", disable_numparse=True)


def _done(bookings: Bookings, clinic: Clinic, chosen: argparse.Namespace, clock: Clock) -> str:
    bookings.done(chosen.reference)
    return f"{bookings.show(chosen.reference).shown} is done."


def _retry(bookings: Bookings, clinic: Clinic, chosen: argparse.Namespace, clock: Clock) -> str:
    return f"To be sent again: {bookings.retry(chosen.reference)}."


def _export(bookings: Bookings, clinic: Clinic, chosen: argparse.Namespace, clock: Clock) -> str:
    records = [record(booking) for booking in bookings.list()]
    if chosen.json:
        return json.dumps(records, ensure_ascii=False, indent=2)
    writer = csv.writer(sys.stdout)
    writer.writerow(list(records[0]) if records else ["reference"])
    writer.writerows([cell(value) for value in entry.values()] for entry in records)
    return ""


def _forget(bookings: Bookings, clinic: Clinic, chosen: argparse.Namespace, clock: Clock) -> str:
    if chosen.older_than is not None:
        erased = bookings.forget(before=clock() - datetime.timedelta(days=chosen.older_than))
    else:
        erased = bookings.forget(contact=parse_contact(chosen.phone or chosen.email, clinic))
    return f"Erased: {erased}."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m booking.frontdesk", description="Booking requests.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="the requests that wait, or all")
    command.add_argument("--all", action="store_true", help="also those that are done")
    command.set_defaults(run=_list)

    for name, run, text in (
        ("show", _show, "one request, whole"),
        ("done", _done, "mark a request as dealt with"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("reference", metavar="REF")
        command.set_defaults(run=run)

    command = commands.add_parser("retry", help="send again what failed; with REF, what of it is undelivered")
    command.add_argument("reference", metavar="REF", nargs="?")
    command.set_defaults(run=_retry)

    command = commands.add_parser("export", help="all requests, for a spreadsheet or a program")
    form = command.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", action="store_true")
    form.add_argument("--json", action="store_true")
    command.set_defaults(run=_export)

    command = commands.add_parser("forget", help="erase requests for good")
    whose = command.add_mutually_exclusive_group(required=True)
    whose.add_argument("--phone")
    whose.add_argument("--email")
    whose.add_argument("--older-than", type=_days, metavar="DAYS")
    command.set_defaults(run=_forget)
    return parser


def _days(text: str) -> int:
    days = int(text)
    if days < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return days


def _printable(text: str) -> str:
    """Return `text` without what could move the cursor or change colours of a terminal."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def _fail(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
