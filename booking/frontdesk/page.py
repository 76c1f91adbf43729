"""The front desk's list as one web page, for the Rasa server to carry at /frontdesk."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import jinja2
from sanic import Blueprint, Request
from sanic.request import RequestParameters
from sanic.response import HTTPResponse, html, redirect, text

from booking.request import Booking
from booking.store import Bookings, UnknownReference
from booking.summary import facts, moment_in_words, progress
from clinic.profile import Clinic
from service.database import StoreUnavailable
from service.health import is_from_here
from service.limits import Rate, TooMany
from service.settings import settings

_DONE_SHOWN = 30
# Tries to log in: at once, and a minute in the long run.
_GUESSES_BY_ADDRESS = (10, 6)
_GUESSES_ALTOGETHER = (100, 60)
_COOKIE = "frontdesk"
_COOKIE_SCOPE = f"Path=/frontdesk; Max-Age={30 * 24 * 3600}; HttpOnly; SameSite=Lax"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:0 auto;padding:1rem;color:#1d2733;background:#fff}"
    "h1{font-size:1.4rem}h1 small{font-weight:400;color:#566}article{border:1px solid #ccd;border-radius:.5rem;"
    "padding:0 1rem 1rem;margin:1rem 0}.urgent{border:2px solid #b00020}.urgent strong{color:#b00020}"
    "h2{font-size:1.1rem;letter-spacing:.05em}dl{display:grid;grid-template-columns:7rem 1fr;gap:.25rem .5rem}"
    "dt{color:#566}dd{margin:0;overflow-wrap:anywhere}"
    "button{font:inherit;min-height:2.75rem;padding:0 1.5rem;border:1px solid #1d2733;border-radius:.5rem;"
    "background:#fff}"
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


def page(bookings: Sequence[Booking], clinic: Clinic, token: Callable[[str], str]) -> str:
    """Return the requests as an HTML page: those that wait first, the urgent ones above all.

    Args:
        token: gives for a reference what its form must carry to be believed.
    """
    waiting = [booking for booking in bookings if booking.status == "new"]
    return _TEMPLATES.get_template("page.html").render(
        style=jinja2.utils.markupsafe.Markup(_STYLE),
        clinic=clinic,
        waiting=sorted(waiting, key=lambda booking: not booking.request.urgent),
        finished=[booking for booking in reversed(bookings) if booking.status == "done"],
        facts=facts,
        progress=progress,
        moment_in_words=moment_in_words,
        token=token,
    )


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
            secure = "" if is_from_here(request) else "; Secure"
            answer.headers["Set-Cookie"] = f"{_COOKIE}={_proof('browser')}; {_COOKIE_SCOPE}{secure}"

    @desk.get("/")
    async def show(request: Request) -> HTTPResponse:
        try:
            found = await asyncio.to_thread(listed)
        except StoreUnavailable as error:
            return _away(error)
        return html(page(found, clinic, _form_token), headers=_HEADERS)

    @desk.post("/done")
    async def done(request: Request) -> HTTPResponse:
        form = request.form or RequestParameters()
        reference = str(form.get("reference") or "")
        if not hmac.compare_digest(str(form.get("token") or "").encode(), _form_token(reference).encode()):
            return text("Please go back, reload the page and try again.", 403, _HEADERS)
        try:
            await asyncio.to_thread(lambda: bookings().done(reference))
        except UnknownReference:
            return text("This request is no longer there.", 404, _HEADERS)
        except StoreUnavailable as error:
            return _away(error)
        return redirect("/frontdesk", status=303, headers=dict(_HEADERS))

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


def _is_known(request: Request) -> bool:
    """Tell whether this browser has logged in before, with the login of today."""
    return hmac.compare_digest((request.cookies.get(_COOKIE) or "").encode(), _proof("browser").encode())


def _form_token(reference: str) -> str:
    """Return what proves that the form was read from the page: another site can have it sent, but never reads it."""
    return _proof(f"done {reference}")


def _proof(what: str) -> str:
    """Return what only a server that knows the login can have made."""
    key = hashlib.sha256("\0".join(_login() or ("", "")).encode()).digest()
    return hmac.new(key, what.encode(), hashlib.sha256).hexdigest()


def _away(error: StoreUnavailable) -> HTTPResponse:
    logger.error("the front-desk page cannot reach the database (%s)", error)
    return text("The requests cannot be read right now. Please try again in a minute.", 503, _HEADERS)
