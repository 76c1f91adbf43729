import csv
import html
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
import requests
from sanic import Sanic

from booking.delivery import LEASE
from booking.frontdesk import __main__ as frontdesk
from booking.frontdesk.page import blueprint, page
from booking.store import Bookings
from service import limits
from service.database import StoreUnavailable
from tests.support.samples import CLINIC, NOW, Clock, a_request
from tests.support.sanic_server import serving

HOSTILE = "<img src=x onerror=alert(1)>\"'&\x1b[31m"
LOGIN = ("desk", "pässword")


@pytest.fixture
def desk(bookings: Bookings, url: str, monkeypatch: pytest.MonkeyPatch) -> Bookings:
    """A store that the commands find by the environment."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr(frontdesk, "the_clinic", lambda: CLINIC)
    return bookings


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = frontdesk.main(arguments, Clock())
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_list_is_a_clear_table(desk: Bookings, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = desk.add(a_request(name="Ana O'Brien"), "one")
    urgent, _ = desk.add(a_request(name="李小龍", contact="ana@x.com", time="12/3 at 2:30pm", urgent=True), "two")
    done, _ = desk.add(a_request(name="Zoë"), "three")
    desk.done(done)
    code, out, _ = run(capsys, "list")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == [
        *("Reference", "Asked", "State", "Name", "Contact", "Would", "suit", "Patient", "About", "Delivery")
    ]
    assert desk.show(first).shown in lines[2]
    assert "Ana O'Brien" in lines[2]
    assert "(949) 555-0133" in lines[2]
    assert "Nov 24, 10 am" in lines[2]
    assert desk.show(urgent).shown in out
    assert "URGENT" in out
    assert "Zoë" not in out
    assert "Zoë" in run(capsys, "list", "--all")[1]


def test_an_empty_list_says_so(desk: Bookings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "list") == (0, "No requests are waiting.\n", "")


def test_the_list_tells_how_far_each_delivery_has_come(
    desk: Bookings, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.add(a_request(), "one")
    shown = " ".join(run(capsys, "show", desk.list()[0].reference)[1].split())
    assert "no mail server is set, so this was not mailed" in shown
    parcel = desk.claim(["email"], LEASE)
    assert parcel
    desk.postponed(parcel, "HTTP 500", clock.now, is_isolated=False)
    hook = desk.claim(["webhook"], LEASE)
    assert hook
    desk.failed(hook, "HTTP 410")
    shown = " ".join(run(capsys, "show", parcel.booking.reference)[1].split())
    assert "not mailed yet (HTTP 500), tried again, NOT posted to the webhook (HTTP 410): given up" in shown


def test_show_done_and_retry_take_a_reference_as_it_is_said(desk: Bookings, capsys: pytest.CaptureFixture[str]) -> None:
    reference, _ = desk.add(a_request(reason="asked about exercises"), "one")
    said = f"{reference[:3]}-{reference[3:]}".lower()
    code, out, _ = run(capsys, "show", said)
    assert code == 0
    assert "asked about exercises" in out
    assert run(capsys, "done", said)[1] == f"{desk.show(reference).shown} is done.\n"
    assert run(capsys, "retry", said)[1] == "To be sent again: 2.\n"
    assert run(capsys, "retry")[1] == "To be sent again: 0.\n"
    for command in ("show", "done", "retry"):
        assert run(capsys, command, "XXX-XXX") == (1, "", "There is no request XXX-XXX.\n")


def test_the_spreadsheet_can_run_no_formula(desk: Bookings, capsys: pytest.CaptureFixture[str]) -> None:
    for index, name in enumerate(("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", 'quo"te, comma\nline')):
        desk.add(a_request().model_copy(update={"name": name}), str(index))
    code, out, _ = run(capsys, "export", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["name"] for row in rows[:5]] == ["'=HYPERLINK(1)", "'+1", "'-1", "'@SUM(A1)", "'\tx"]
    assert rows[5]["name"] == 'quo"te, comma\nline'
    assert all(not value.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for value in row.values())


def test_the_export_for_programs(desk: Bookings, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(run(capsys, "export", "--json")[1]) == []
    reference, _ = desk.add(a_request(name="José", time="12/3 at 2:30pm"), "one")
    [entry] = json.loads(run(capsys, "export", "--json")[1])
    assert entry["reference"] == desk.show(reference).shown
    assert entry["name"] == "José"
    assert entry["contact"] == "+19495550133"
    assert entry["preferred_start"] == "2026-12-03T22:30:00+00:00"
    assert "conversation" not in entry


@pytest.mark.parametrize(
    ("arguments", "erased"),
    [
        (("--phone", "949 555 0133"), 1),
        (("--email", "Ana@X.com"), 1),
        (("--email", "bob@x.com"), 0),
        (("--older-than", "1"), 0),
        (("--older-than", "0"), 0),
    ],
)
def test_forget(desk: Bookings, capsys: pytest.CaptureFixture[str], arguments: tuple[str, str], erased: int) -> None:
    desk.add(a_request(), "one")
    desk.add(a_request(contact="ana@x.com"), "two")
    assert run(capsys, "forget", *arguments)[1] == f"Erased: {erased}.\n"
    assert len(desk.list()) == 2 - erased


def test_wrong_uses_end_with_a_sentence(
    desk: Bookings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, "forget", "--phone", "banana") == (1, "", "That is no telephone number or e-mail address.\n")
    for arguments in ((), ("forget",), ("export",), ("forget", "--older-than", "-3"), ("nonsense",)):
        with pytest.raises(SystemExit) as ended:
            frontdesk.main(arguments)
        assert ended.value.code == 2
    capsys.readouterr()
    monkeypatch.setenv("DATABASE_URL", "sqlite:////proc/nothing/bookings.db")
    code, _, err = run(capsys, "list")
    assert code == 1
    assert "check DATABASE_URL" in err


def test_nothing_in_a_table_moves_the_terminals_cursor(desk: Bookings, capsys: pytest.CaptureFixture[str]) -> None:
    reference, _ = desk.add(a_request().model_copy(update={"name": "Ana\x1b[2J\u202e"}), "one")
    for arguments in (("list",), ("show", reference)):
        out = run(capsys, *arguments)[1]
        assert "\x1b" not in out
        assert "\u202e" not in out


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def test_the_page_is_plain_and_safe(bookings: Bookings) -> None:
    bookings.add(a_request(time="12/3 at 2:30pm").model_copy(update={"name": HOSTILE, "reason": HOSTILE}), "one")
    bookings.add(a_request(contact="ana+a&b@x.com", urgent=True), "two")
    text = page(bookings.list(), CLINIC, lambda reference: f"token of {reference}")
    elements = Elements(text).found
    tags = {tag for tag, _ in elements}
    assert not tags & {"script", "img", "iframe", "link", "object"}
    assert not any(name.startswith("on") or name == "style" for _, found in elements for name in found)
    assert html.escape("<img src=x onerror=alert(1)>") in text
    links = [found["href"] for tag, found in elements if tag == "a" and ":" in str(found["href"])]
    assert links == ["mailto:ana%2Ba%26b%40x.com", "tel:+19495550133"], "the urgent one first"
    [viewport] = [found for tag, found in elements if found.get("name") == "viewport"]
    assert "width=device-width" in str(viewport["content"])


def test_an_empty_page_says_so() -> None:
    assert "No requests are waiting." in page([], CLINIC, str)


@pytest.fixture
def site(bookings: Bookings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # No test may use up what another is let to do.
    limits.the_counters.cache_clear()
    monkeypatch.setattr(Sanic, "test_mode", True)
    monkeypatch.setenv("FRONTDESK_USER", LOGIN[0])
    monkeypatch.setenv("FRONTDESK_PASSWORD", LOGIN[1])
    app = Sanic("frontdesk_test", configure_logging=False)
    app.blueprint(blueprint(lambda: bookings, CLINIC))
    with serving(app) as address:
        yield f"{address}/frontdesk"


def login() -> tuple[bytes, bytes]:
    return LOGIN[0].encode(), LOGIN[1].encode()


def form(text: str) -> dict[str, str]:
    """The fields of the form of the page's first request."""
    return dict(re.findall(r'name="(reference|token)" value="([^"]*)"', text.partition("<tbody>")[2])[:2])


def test_the_page_is_not_there_without_a_login_in_the_environment(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FRONTDESK_PASSWORD", "FRONTDESK_USER"):
        monkeypatch.delenv(name)
        assert requests.get(site, auth=login()).status_code == 404
        assert requests.post(f"{site}/done", auth=login()).status_code == 404
    monkeypatch.setenv("FRONTDESK_USER", "")
    monkeypatch.setenv("FRONTDESK_PASSWORD", "")
    assert requests.get(site, auth=("", "")).status_code == 404


@pytest.mark.parametrize(
    "header",
    [None, "Basic", "Basic !!!", "Basic ZGVzazp3cm9uZw==", "Bearer ZGVzazp3cm9uZw==", "Basic ZGVzaw==", "Basic w6k="],
)
def test_only_who_knows_the_login_gets_in(site: str, bookings: Bookings, header: str | None) -> None:
    reference, _ = bookings.add(a_request(), "one")
    for answer in (
        requests.get(site, headers={"Authorization": header} if header else {}),
        requests.post(f"{site}/done", data={"reference": reference}, headers={"Authorization": header or ""}),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert reference not in answer.text
    assert bookings.show(reference).status == "new"


def test_guesses_are_slowed_down_and_the_desk_still_gets_in(site: str) -> None:
    desk = requests.Session()
    desk.auth = login()
    first = desk.get(site)
    assert first.status_code == 200
    assert {"HttpOnly", "SameSite=Lax", "Path=/frontdesk"} <= set(first.headers["Set-Cookie"].split("; "))
    guesses = [requests.get(site, auth=(LOGIN[0].encode(), f"{number}")).status_code for number in range(30)]
    assert guesses[:9] == [401] * 9
    assert guesses[10:] == [429] * 20
    # Not even the right login: it would tell a guesser that it is right.
    assert requests.get(site, auth=login()).status_code == 429
    assert [desk.get(site).status_code for _ in range(20)] == [200] * 20
    forged = requests.get(site, auth=login(), cookies={"frontdesk": "0" * 64})
    assert (forged.status_code, int(forged.headers["Retry-After"]) > 0) == (429, True)


def test_a_browser_without_a_login_is_asked_for_it_however_often_it_comes(site: str) -> None:
    assert {requests.get(site).status_code for _ in range(30)} == {401}


def test_a_cookie_ends_with_its_login(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = requests.Session()
    assert desk.get(site, auth=login()).status_code == 200
    monkeypatch.setenv("FRONTDESK_PASSWORD", "another")
    answers = [desk.get(site, auth=(LOGIN[0].encode(), b"another")) for _ in range(2)]
    assert ["Set-Cookie" in answer.headers for answer in answers] == [True, False]


def test_the_page_forbids_scripts_framing_and_keeping(site: str, bookings: Bookings) -> None:
    bookings.add(a_request(), "one")
    answer = requests.get(site, auth=login())
    assert answer.status_code == 200
    assert "Ana Ruiz" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_request_is_done_by_its_form(site: str, bookings: Bookings) -> None:
    reference, _ = bookings.add(a_request(), "one")
    fields = form(requests.get(site, auth=login()).text)
    answer = requests.post(f"{site}/done", data=fields, auth=login(), allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/frontdesk")
    assert bookings.show(reference).status == "done"
    assert "Done lately" in requests.get(site, auth=login()).text
    bookings.forget(contact=a_request().contact)
    assert requests.post(f"{site}/done", data=fields, auth=login()).status_code == 404


def test_a_request_that_was_done_by_mistake_is_put_back(site: str, bookings: Bookings) -> None:
    reference, _ = bookings.add(a_request(), "one")
    bookings.done(reference)
    page_of_done = requests.get(f"{site}?show=done", auth=login()).text
    assert requests.post(f"{site}/undo", data=form(page_of_done), auth=login()).status_code == 200
    assert bookings.show(reference).status == "new"


def test_what_is_new_since_the_last_look_is_marked_until_it_was_seen(site: str, bookings: Bookings) -> None:
    desk = requests.Session()
    bookings.add(a_request(), "one")
    before = desk.get(site, auth=login()).text
    assert "fresh" in before.partition("<tbody>")[2]
    fields = dict(re.findall(r'name="(reference|token)" value="([^"]*)"', before.partition("/seen")[2])[:2])
    desk.post(f"{site}/seen", data=fields, auth=login())
    assert "fresh" not in desk.get(site, auth=login()).text.partition("<tbody>")[2]
    bookings.add(a_request(name="Zoë"), "two")
    assert "New since the last look (1)" in desk.get(site, auth=login()).text


def test_the_requests_can_be_searched_and_the_same_contact_is_linked(site: str, bookings: Bookings) -> None:
    first, _ = bookings.add(a_request(), "one")
    bookings.add(a_request(name="Zoë", contact="zoe@x.com"), "two")
    bookings.add(a_request(name="Ana R"), "three")
    found = requests.get(f"{site}?show=all&q=zoe", auth=login()).text
    assert "zoe@x.com" in found
    assert "Ana" not in found.partition("<tbody>")[2]
    assert f"earlier: {bookings.show(first).shown}" in requests.get(site, auth=login()).text


def test_another_site_can_neither_press_the_button_nor_read_the_page(site: str, bookings: Bookings) -> None:
    reference, _ = bookings.add(a_request(), "one")
    other, _ = bookings.add(a_request(), "two")
    fields = form(requests.get(site, auth=login()).text)
    assert fields["reference"] == reference
    for forged in (
        {"reference": reference},
        {"reference": reference, "token": ""},
        {"reference": reference, "token": "é" * 64},
        {"reference": other, "token": fields["token"]},
        {},
    ):
        assert requests.post(f"{site}/done", data=forged, auth=login()).status_code == 403
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert requests.post(f"{site}/done", data=fields, auth=login(), headers=headers).status_code == 403
        assert requests.get(site, auth=login(), headers=headers).status_code == 403
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert requests.get(site, auth=login(), headers=followed).status_code == 200
    assert requests.post(f"{site}/done", data=fields, auth=login(), headers=followed).status_code == 403
    assert {booking.status for booking in bookings.list()} == {"new"}


def test_a_database_that_is_away_is_told_plainly(
    site: str, bookings: Bookings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, _ = bookings.add(a_request(), "one")
    fields = form(requests.get(site, auth=login()).text)

    def away(*_: object) -> None:
        raise StoreUnavailable("OperationalError")

    monkeypatch.setattr(bookings, "list", away)
    monkeypatch.setattr(bookings, "done", away)
    for answer in (requests.get(site, auth=login()), requests.post(f"{site}/done", data=fields, auth=login())):
        assert answer.status_code == 503
        assert "cannot be read right now" in answer.text
    assert bookings.show(reference).created_at == NOW
