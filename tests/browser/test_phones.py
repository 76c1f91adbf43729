"""What a phone's visitor does: going back, scrolling, walking from page to page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chat import PHONE, Chat, picture
from tests.support.servers import Server

Contexts = Callable[..., BrowserContext]


@pytest.fixture
def phone(open_context: Contexts, server: Server) -> Page:
    """The demo page on a phone, come to from another page."""
    page = open_context(**PHONE).new_page()
    page.goto(f"{server.url}/chat/check")
    page.goto(f"{server.url}/chat/")
    page.evaluate("window.mark = 1")
    return page


def test_back_closes_the_chat_and_reloads_nothing(phone: Page) -> None:
    heard = "addEventListener('popstate', () => { window.routed = 1; })"
    phone.evaluate(heard)
    chat = Chat(phone).open()
    phone.go_back()
    expect(chat.dialog).to_have_count(0)
    assert phone.evaluate("[window.mark, window.routed]") == [1, None]
    assert phone.url.endswith("/chat/")
    expect(chat.launcher).to_have_attribute("aria-expanded", "false")
    chat.open()
    phone.go_back()
    expect(chat.dialog).to_have_count(0)
    assert phone.evaluate("window.mark") == 1


def test_after_closing_back_leads_to_the_page_before(phone: Page) -> None:
    chat = Chat(phone).open()
    chat.close()
    phone.wait_for_function("!history.state")
    phone.go_back()
    assert phone.url.endswith("/chat/check")


@pytest.mark.parametrize("gesture", ["requestClose()", "close()"])
def test_a_phones_own_gesture_closes_it(phone: Page, gesture: str) -> None:
    chat = Chat(phone).open()
    phone.evaluate(f"document.querySelector('clinic-assistant').shadowRoot.querySelector('dialog').{gesture}")
    expect(chat.dialog).to_have_count(0)
    expect(chat.launcher).to_have_attribute("aria-expanded", "false")
    chat.open()
    expect(chat.dialog).to_be_visible()


def test_a_page_that_is_loaded_is_not_covered(phone: Page) -> None:
    chat = Chat(phone).open()
    chat.ask("What is runner's knee?")
    phone.reload()
    expect(chat.launcher).to_be_visible()
    expect(chat.dialog).to_have_count(0)
    chat.open()
    expect(chat.said).to_have_count(1)
    phone.go_back()
    expect(chat.dialog).to_have_count(0)


def test_the_page_behind_does_not_scroll(phone: Page) -> None:
    chat = Chat(phone).open()
    assert phone.evaluate("getComputedStyle(document.documentElement).overflowY") == "hidden"
    chat.close()
    assert phone.evaluate("getComputedStyle(document.documentElement).overflowY") == "visible"


def test_the_button_is_small_once_the_page_is_read(phone: Page) -> None:
    chat = Chat(phone)
    picture(phone, "phone-closed")
    phone.mouse.wheel(0, 300)
    expect(chat.launcher.locator(".words")).to_be_hidden()
    box = chat.launcher.bounding_box()
    assert box
    assert box["width"] <= 60
    expect(chat.launcher).to_have_accessible_name("Ask about your knee")
    picture(phone, "phone-scrolled")


def test_what_is_begun_is_there_on_the_next_page(phone: Page) -> None:
    chat = Chat(phone).open()
    chat.field.fill("My knee")
    phone.goto(f"{phone.url}?another=page")
    chat.open()
    expect(chat.field).to_have_value("My knee")
