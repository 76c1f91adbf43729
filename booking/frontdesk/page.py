"""The front desk's list as one web page, for the Rasa server to carry at /frontdesk."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from itsdangerous import Signer, TimestampSigner
from markupsafe import Markup
from sanic import Blueprint, Request
from sanic.request import RequestParameters
from sanic.response import HTTPResponse, html, redirect, text

from booking.request import Booking
from booking.store import Bookings, UnknownReference
from booking.summary import (
    channel_in_words,
    days_in_words,
    facts,
    moment_in_words,
    patient_in_words,
    progress,
)
from clinic.profile import Clinic
from service.database import StoreUnavailable
from service.health import is_from_here
from service.limits import Rate, TooMany
from service.settings import settings

_DONE_SHOWN = 200
_DONE_LISTED = 30
_LONGEST_SEARCH = 80
# Seconds after which the page asks for itself anew.
REFRESH = 60
# Tries to log in: at once, and a minute in the long run.
_GUESSES_BY_ADDRESS = (10, 6)
_GUESSES_ALTOGETHER = (100, 60)
_COOKIE = "frontdesk"
# The number of the newest request that was on the page when "Seen" was pressed last.
_SEEN_COOKIE = "frontdesk_seen"
_SECONDS_KNOWN = 30 * 24 * 3600
_COOKIE_SCOPE = f"Path=/frontdesk; Max-Age={_SECONDS_KNOWN}; HttpOnly; SameSite=Lax"
_FILTERS = ("waiting", "urgent", "new", "done", "all")
_STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;margin:0 auto;max-width:80rem;padding:.75rem;color:#1d2733;"
    "background:#fff}"
    "h1{font-size:1.25rem;margin:.25rem 0}h1 small{font-weight:400;color:#455}nav,form.search{display:inline-block;"
    "margin:.25rem 1rem .5rem 0}nav a{margin-right:.75rem;"
    "color:#14508c}nav a[aria-current]{font-weight:700;color:#1d2733;"
    "text-decoration:none}table{border-collapse:collapse;width:100%}th{text-align:left;color:#455;font-weight:400}"
    "th,td{padding:.3rem .5rem;border-bottom:1px solid #ccd;vertical-align:top;overflow-wrap:anywhere}"
    "tr.urgent td:first-child{border-left:4px solid #b00020}tr.urgent strong{color:#b00020}tr.fresh{background:#fff8e0}"
    "small{color:#455;display:block}a{color:#14508c}button,input{font:inherit;padding:.25rem .75rem;"
    "border:1px solid #1d2733;"
    "border-radius:.375rem;background:#fff;min-height:2rem}:focus-visible{outline:3px solid #14508c;outline-offset:1px}"
    "@media(max-width:48rem){thead{display:none}table,tbody,tr,td{display:block}tr{border:1px solid #ccd;"
    'border-radius:.5rem;margin:.5rem 0}td{border:0}td[data-label]::before{content:attr(data-label) ": ";color:#455}'
    "button{min-height:2.75rem}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TEMPLATES = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class View:
    """What of the requests a person wants to see.

    Attributes:
        shown: one of waiting, urgent, new (since the last look), done and all.
        search: words that must stand in a request.
        seen: the number of the newest request that was looked at before.
    """

    shown: str = "waiting"
    search: str = ""
    seen: int = 0


def page(bookings: Sequence[Booking], clinic: Clinic, token: Callable[[str], str], view: View | None = None) -> str:
    """Return the requests as an HTML page: most urgent first, and the oldest of those.

    Args:
        bookings: the requests, oldest first, those that wait and those done lately.
        token: gives for a reference what its form must carry to be believed.
        view: which of them to show.
    """
    view = view or View()
    found = [booking for booking in bookings if _matches(booking, view.search, clinic)]
    by_filter = {name: [booking for booking in found if _is_in(booking, name, view)] for name in _FILTERS}
    rows = by_filter.get(view.shown, by_filter["waiting"])
    if view.shown == "done":
        rows = rows[::-1][:_DONE_LISTED]
    else:
        rows = sorted(rows, key=lambda booking: (booking.status == "done", not booking.request.urgent))
    finished = [booking for booking in reversed(found) if booking.status == "done"][:_DONE_LISTED]
    return _TEMPLATES.get_template("page.html").render(
        style=Markup(_STYLE),  # noqa: S704  (a constant of this module)
        refresh=REFRESH,
        clinic=clinic,
        view=view,
        rows=rows,
        counts={name: len(some) for name, some in by_filter.items()},
        newest=max((booking.id for booking in bookings), default=0),
        earlier=_earlier(bookings),
        finished=finished if view.shown == "waiting" else [],
        days_in_words=days_in_words,
        patient_in_words=patient_in_words,
        channel_in_words=channel_in_words,
        progress=progress,
        moment_in_words=moment_in_words,
        token=token,
    )


def _is_in(booking: Booking, name: str, view: View) -> bool:
    if name in ("all", "done"):
        return name == "all" or booking.status == "done"
    if booking.status == "done":
        return False
    return name == "waiting" or (booking.request.urgent if name == "urgent" else booking.id > view.seen)


def _matches(booking: Booking, search: str, clinic: Clinic) -> bool:
    words = search.lower().split()
    if not words:
        return True
    whole = " ".join([*(value for _, value in facts(booking, clinic)), booking.reference]).lower()
    return all(word in whole for word in words)


def _earlier(bookings: Sequence[Booking]) -> dict[int, list[str]]:
    """Return for each request the references of those that came before it from the same contact."""
    by_contact: dict[str, list[Booking]] = {}
    before: dict[int, list[str]] = {}
    for booking in sorted(bookings, key=lambda one: one.id):
        known = by_contact.setdefault(booking.request.contact.value.lower(), [])
        before[booking.id] = list(dict.fromkeys(one.shown for one in known))
        known.append(booking)
    return before


def blueprint(bookings_factory: Callable[[], Bookings], clinic: Clinic) -> Blueprint:
    """Return the page and its one form, for a Sanic server.

    It answers 404 unless FRONTDESK_USER and FRONTDESK_PASSWORD are both set; then it asks for them (HTTP Basic, so
    the server must be reached through TLS). Guesses are slowed down by address and altogether. A browser that has
    logged in holds a cookie that says so, and whoever guesses cannot keep it out.

    Args:
        bookings_factory: opens the store; called once, at the first request.
    """
    desk = Blueprint("frontdesk", url_prefix="/frontdesk")
    by_address = Rate("frontdesk_by_address", *_GUESSES_BY_ADDRESS)
    altogether = Rate("frontdesk", *_GUESSES_ALTOGETHER)
    opened: list[Bookings] = []

    def bookings() -> Bookings:
        if not opened:
            opened.append(bookings_factory())
        return opened[0]

    def listed() -> list[Booking]:
        return [*bookings().list("done", _DONE_SHOWN), *bookings().list("new")]

    @desk.middleware("request")
    async def guard(request: Request) -> HTTPResponse | None:
        login = _login()
        if login is None:
            return text("Not found", 404)
        is_right, is_known = _is_let_in(request, login), _is_known(request)
        if "authorization" in request.headers and not (is_right and is_known):
            count = Rate.check if is_right else Rate.take
            try:
                await count(by_address, request.remote_addr or request.ip)
                await count(altogether, "")
            except TooMany as limit:
                return text("Too many tries. Please wait.", 429, {"Retry-After": str(limit.seconds)})
        if not is_right:
            return text("Please log in.", 401, {"WWW-Authenticate": 'Basic realm="Front desk", charset="UTF-8"'})
        request.ctx.is_new_here = not is_known
        if _comes_from_elsewhere(request):
            return text("This page is not for other sites.", 403)
        return None

    @desk.middleware("response")
    async def remember(request: Request, answer: HTTPResponse) -> None:
        if getattr(request.ctx, "is_new_here", False):
            answer.headers["Set-Cookie"] = f"{_COOKIE}={_browser_token()}; {_COOKIE_SCOPE}{_secure(request)}"

    @desk.get("/")
    async def show(request: Request) -> HTTPResponse:
        try:
            found = await asyncio.to_thread(listed)
        except StoreUnavailable as error:
            return _away(error)
        return html(page(found, clinic, _form_token, _view(request)), headers=_HEADERS)

    async def change(request: Request, work: Callable[[str], None]) -> HTTPResponse:
        """Do what a form of the page asks for, when it truly was read from the page."""
        form = request.form or RequestParameters()
        reference = str(form.get("reference") or "")
        if not _is_form_token(str(form.get("token") or ""), reference):
            return text("Please go back, reload the page and try again.", 403, _HEADERS)
        try:
            await asyncio.to_thread(work, reference)
        except UnknownReference:
            return text("This request is no longer there.", 404, _HEADERS)
        except StoreUnavailable as error:
            return _away(error)
        return redirect("/frontdesk", status=303, headers=dict(_HEADERS))

    @desk.post("/done")
    async def done(request: Request) -> HTTPResponse:
        return await change(request, lambda reference: bookings().done(reference))

    @desk.post("/undo")
    async def undo(request: Request) -> HTTPResponse:
        return await change(request, lambda reference: bookings().reopen(reference))

    @desk.post("/seen")
    async def seen(request: Request) -> HTTPResponse:
        answer = await change(request, lambda newest: None)
        newest = str((request.form or RequestParameters()).get("reference") or "")
        if answer.status == 303 and newest.isdigit():
            answer.headers["Set-Cookie"] = f"{_SEEN_COOKIE}={newest}; {_COOKIE_SCOPE}{_secure(request)}"
        return answer

    return desk


def _login() -> tuple[str, str] | None:
    user, password = settings().frontdesk_user, settings().frontdesk_password
    return (user, password) if user and password else None


def _is_let_in(request: Request, login: tuple[str, str]) -> bool:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    user, _, password = given.partition(b":")
    # Both are compared in full, so that the time it takes tells nothing.
    known = hmac.compare_digest(user, login[0].encode()) & hmac.compare_digest(password, login[1].encode())
    return scheme.lower() == "basic" and bool(known)


def _comes_from_elsewhere(request: Request) -> bool:
    """Tell whether a browser says that another site's page made this request; following a link there is no harm."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    followed = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
    return site not in {"same-origin", "none"} and not followed


def _view(request: Request) -> View:
    shown, seen = str(request.args.get("show") or ""), str(request.cookies.get(_SEEN_COOKIE) or "")
    return View(
        shown if shown in _FILTERS else "waiting",
        str(request.args.get("q") or "")[:_LONGEST_SEARCH],
        int(seen) if seen.isdigit() and len(seen) < 12 else 0,
    )


def _secure(request: Request) -> str:
    return "" if is_from_here(request) else "; Secure"


def _key() -> str:
    """Return a key that only a server that knows the login of today has."""
    return hashlib.sha256("\0".join(_login() or ("", "")).encode()).hexdigest()


def _browser_token() -> str:
    """Return the cookie of a browser that has logged in."""
    return TimestampSigner(_key(), salt="browser").sign(_COOKIE).decode()


def _is_known(request: Request) -> bool:
    """Tell whether this browser has logged in before, with the login of today."""
    return TimestampSigner(_key(), salt="browser").validate(str(request.cookies.get(_COOKIE) or ""), _SECONDS_KNOWN)


def _form_token(reference: str) -> str:
    """Return what proves that a form was read from the page: another site can have it sent, but never reads it."""
    return Signer(_key(), salt="form").get_signature(reference).decode()


def _is_form_token(given: str, reference: str) -> bool:
    return bool(reference) and Signer(_key(), salt="form").verify_signature(reference, given)


def _away(error: StoreUnavailable) -> HTTPResponse:
    logger.error("the front-desk page cannot reach the database (%s)", error)
    return text("The requests cannot be read right now. Please try again in a minute.", 503, _HEADERS)
