"""Chromium and the real servers for the browser tests."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.browsers import FLAGS, chromium
from tests.support.servers import ROOT, Server, assistant

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
        running = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
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
