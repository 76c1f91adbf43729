"""Chromium and the real servers for the browser tests."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.packages import PackageUnavailable, program
from tests.support.servers import ROOT, Server, assistant

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Web sites of other names are on this machine too.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]
_PLENTY = {"burst": 1_000_000, "per_minute": 1_000_000}
# Longer than any answer takes on a busy machine: a passing test never waits for it.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="package", autouse=True)
def _widget() -> None:
    """Build the widget, so that what is tested is what the sources say."""
    subprocess.run([sys.executable, "-m", "widget", "build"], cwd=ROOT, check=True)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=_chromium(), args=_FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="package")
def server(folder: Path) -> Iterator[Server]:
    """The Rasa server with its action server; limits of one address do not matter, since all tests have one."""
    credentials = folder / "credentials.yml"
    limits = {"requests_per_address": _PLENTY, "sessions_per_address": _PLENTY}
    credentials.write_text(yaml.safe_dump({"assistant.website.channel.WebsiteChannel": limits}))
    with assistant(folder, with_actions=True, credentials=credentials) as running:
        yield running


@pytest.fixture
def open_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Opens browser contexts, each another visitor; all are closed after the test."""
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**options)
        context.set_default_timeout(30_000)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


@pytest.fixture
def page(open_context: Callable[..., BrowserContext], server: Server) -> Page:
    """The demo page, the chat closed, on a desktop screen."""
    page = open_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{server.url}/chat/")
    return page


def _chromium() -> str | None:
    """Return the path of a Chromium, installed from Debian when missing; None means Playwright's own."""
    try:
        return os.environ.get("CHROMIUM") or str(program("chromium", "chromium"))
    except PackageUnavailable:
        return None
