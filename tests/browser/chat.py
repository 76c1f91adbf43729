"""The widget as tests see and use it, and pages that hold it."""

import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Locator, Page, expect

from tests.support.servers import ROOT

SCREENSHOTS = ROOT / "results" / "screenshots"
PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
_QUESTIONS_TO_SKIP = 3
AXE = ROOT / "widget" / "node_modules" / "axe-core" / "axe.min.js"


class Chat:
    """The widget as a person finds it on a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.launcher = page.locator("clinic-assistant .launcher")
        self.dialog = page.get_by_role("dialog")
        self.log = page.get_by_role("log")
        self.field = page.get_by_label("Your message")
        self.banner = page.locator("clinic-assistant .banner")
        self.answers = self.log.locator(".entry.assistant")
        self.said = self.log.locator(".entry.visitor")
        self.notices = self.log.locator(".notice")

    def open(self) -> "Chat":
        """Open it, and wait for the opening message."""
        self.launcher.click()
        expect(self.answers.first).to_be_visible()
        return self

    def close(self) -> None:
        self.dialog.get_by_role("button", name="Close the chat").click()
        expect(self.dialog).to_have_count(0)

    def say(self, text: str) -> None:
        self.field.fill(text)
        self.field.press("Enter")

    def ask(self, text: str) -> Locator:
        """Say something, wait for the answer and return it."""
        count = self.answers.count()
        self.say(text)
        expect(self.answers).not_to_have_count(count)
        return self.answers.last

    def read_back(self) -> Locator:
        """Answer the booking form, from where it asks for the time, until it reads back; return the card."""
        self.ask("next tuesday in the morning")
        card = self.log.locator("dl")
        for _ in range(_QUESTIONS_TO_SKIP):
            if not card.count():
                self.ask("skip")
        expect(card).to_be_visible()
        return card

    def choose(self, title: str) -> None:
        self.log.get_by_role("button", name=title, exact=True, disabled=False).click()

    def pick(self, item: str) -> None:
        """Pick an item of the menu."""
        self.dialog.get_by_role("button", name="More").click()
        self.dialog.get_by_role("button", name=item).click()

    def announcements(self) -> list[str]:
        """Return a list that fills with what screen readers are told."""
        told: list[str] = []
        self.page.expose_function("announced", lambda text: told.append(text))
        self.dialog.locator("> .unseen").evaluate(
            "status => new MutationObserver(() => status.textContent && announced(status.textContent))"
            ".observe(status, {childList: true, characterData: true, subtree: true})"
        )
        return told


@contextmanager
def site(pages: dict[str, str], policy: str = "") -> Iterator[str]:
    """Serve some pages as a web site of its own; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            content = pages.get(path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", f"{mimetypes.guess_type(path)[0] or 'text/html'}; charset=utf-8")
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write((content or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        running.server_close()


def kept_texts(page: Page) -> str:
    """Return all that the page's site has stored in the browser."""
    return str(page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"))


def focused(page: Page) -> str:
    """Return the name of what has the focus in the chat."""
    element = "document.activeElement.shadowRoot.activeElement"
    return str(page.evaluate(f"{element}.ariaLabel || {element}.textContent"))


def faults(page: Page) -> list[str]:
    """Return what axe-core finds against WCAG 2.2 A and AA and its best practices."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def picture(page: Page, name: str) -> None:
    """Keep a screenshot for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
