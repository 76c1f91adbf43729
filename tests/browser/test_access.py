from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.chat import Chat, faults, picture
from tests.support.servers import Server

Contexts = Callable[..., BrowserContext]
SMALLEST_TARGET = 44
PHONE = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_axe_finds_nothing_in_any_state(open_context: Contexts, server: Server, scheme: str, device: str) -> None:
    screen = PHONE if device == "phone" else {"viewport": {"width": 1280, "height": 800}}
    page = open_context(color_scheme=scheme, reduced_motion="reduce", **screen).new_page()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page)
    found: dict[str, list[str]] = {}

    def look(state: str) -> None:
        picture(page, f"{device}-{scheme}-{state}")
        found[state] = faults(page)

    look("closed")
    chat.open()
    look("open")
    answer = chat.ask("What is runner's knee?")
    answer.get_by_role("button", name="This answer helped").click()
    look("answer")
    chat.dialog.get_by_role("button", name="More").click()
    look("menu")
    page.keyboard.press("Escape")
    chat.field.fill("x" * 950)
    look("long-text")
    chat.field.fill("")
    for answer_of_form in ("I would like to book a visit", "Ana Ruiz", "949-555-0133"):
        chat.ask(answer_of_form)
    chat.read_back()
    look("card")
    chat.ask("I can't feel my foot and it is cold")
    look("warning")
    held: list[Route] = []
    page.route("**/chat/messages", lambda route: held.append(route))
    chat.say("hello")
    expect(page.locator("clinic-assistant .typing")).to_be_visible()
    look("typing")
    held[0].abort()
    expect(page.locator("clinic-assistant .banner")).to_be_visible()
    look("error")
    page.unroute("**/chat/messages")
    chat.dialog.get_by_role("button", name="More").click()
    chat.dialog.get_by_role("button", name="Delete this chat").click()
    expect(chat.log.locator(".notice")).to_be_visible()
    look("deleted")
    assert {state: each for state, each in found.items() if each} == {}


def test_everything_by_keyboard(page: Page) -> None:
    chat = Chat(page)
    chat.launcher.focus()
    page.keyboard.press("Enter")
    expect(chat.field).to_be_focused()
    expect(chat.answers).to_have_count(1)
    page.keyboard.type("What is runner's knee?")
    page.keyboard.press("Enter")
    expect(chat.answers).to_have_count(2)
    expect(chat.field).to_be_focused()
    visited = []
    for _ in range(5):
        page.keyboard.press("Shift+Tab")
        visited.append(focused(page))
    assert visited == [
        "How is it treated?",
        "What are the signs?",
        "What causes it?",
        "This answer did not help",
        "This answer helped",
    ]
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(chat.answers).to_have_count(3)
    expect(chat.log).to_be_focused()
    chat.dialog.get_by_role("button", name="More").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert focused(page).startswith("Start over")
    page.keyboard.press("Escape")
    assert focused(page) == "More"
    expect(chat.dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(chat.dialog).to_have_count(0)
    expect(chat.launcher).to_be_focused()


def focused(page: Page) -> str:
    """Return the name of what has the focus."""
    element = "document.activeElement.shadowRoot.activeElement"
    return str(page.evaluate(f"{element}.ariaLabel || {element}.textContent"))


def test_each_message_is_announced_once(page: Page) -> None:
    chat = Chat(page).open()
    expect(chat.log).to_have_attribute("aria-relevant", "additions")
    chat.log.evaluate(
        """log => {
            log.added = [];
            new MutationObserver(changes => changes.forEach(change => change.addedNodes.forEach(node =>
                node.classList?.contains("entry") && log.added.push(node.querySelector(".bubble").textContent)
            ))).observe(log, {childList: true, subtree: true});
        }"""
    )
    chat.ask("What is runner's knee?")
    answer = chat.ask("What causes it?")
    answer.get_by_role("button", name="This answer helped").click()
    expect(answer).to_contain_text("Thank you")
    added = chat.log.evaluate("log => log.added")
    assert len(added) == len(set(added)) == 4


def test_a_reload_does_not_take_the_focus(page: Page) -> None:
    chat = Chat(page).open()
    page.reload()
    expect(chat.answers).to_have_count(1)
    assert page.evaluate("document.activeElement === document.body")


@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 360), (320, 256), (1280, 800)])
def test_nothing_is_lost_or_too_small(open_context: Contexts, server: Server, width: int, height: int) -> None:
    """A phone; 200 % zoom of 1280 x 720; 400 % of 1280 x 1024; a desktop."""
    page = open_context(viewport={"width": width, "height": height}).new_page()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    chat.ask("What is runner's knee?")
    picture(page, f"screen-{width}x{height}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chat.log.evaluate("log => log.scrollWidth <= log.clientWidth")
    assert chat.log.evaluate("log => log.clientHeight") >= 60
    for target in page.locator("clinic-assistant").locator("button:visible, a.icon:visible, textarea:visible").all():
        box = target.bounding_box()
        assert box
        assert box["width"] >= SMALLEST_TARGET
        assert box["height"] >= SMALLEST_TARGET
    for always in (
        chat.field,
        page.get_by_role("button", name="Send"),
        page.get_by_role("link", name="Call In Motion"),
    ):
        box = always.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height


def test_a_phones_keyboard_leaves_the_field_in_view(open_context: Contexts, server: Server) -> None:
    page = open_context(**PHONE).new_page()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    assert focused(page) == "In Motion O.C."
    chat.field.tap()
    page.set_viewport_size({"width": 320, "height": 340})
    expect(chat.field).to_be_in_viewport(ratio=1)
    picture(page, "phone-keyboard")
    expect(page.get_by_role("link", name="Call In Motion")).to_be_in_viewport(ratio=1)
    assert float(chat.field.evaluate("field => parseFloat(getComputedStyle(field).fontSize)")) >= 16


def test_nothing_moves_for_those_who_want_it_so(open_context: Contexts, server: Server) -> None:
    page = open_context(reduced_motion="reduce").new_page()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    page.route("**/chat/messages", lambda route: None)
    chat.say("hello")
    expect(page.locator("clinic-assistant .typing")).to_be_visible()
    moving = "document.querySelector('clinic-assistant').shadowRoot.getAnimations().length"
    assert page.evaluate(moving) == 0
