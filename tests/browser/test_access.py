"""For everyone: every size, keyboard, screen readers, colours and motion as the visitor has them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.browser.browsers import FLAGS, chromium
from tests.browser.chat import PHONE, Chat, faults, focused, picture, site
from tests.support.servers import Server

Contexts = Callable[..., BrowserContext]
SMALLEST_TARGET = 44
SMALL_PHONE = {**PHONE, "viewport": {"width": 320, "height": 640}}
QUESTION = "What is runner's knee?"
EMERGENCY = "Emergency: call 911"
CALL = "Call In Motion O.C. at +1 949-555-0142"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_axe_finds_nothing_in_any_state(open_context: Contexts, server: Server, scheme: str, device: str) -> None:
    screen = SMALL_PHONE if device == "phone" else {"viewport": {"width": 1280, "height": 800}}
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
    answer = chat.ask(QUESTION)
    answer.get_by_role("button", name="This answer did not help").click()
    expect(answer).to_contain_text("What was wrong with it?")
    look("rated")
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
    expect(chat.banner).to_be_visible()
    look("error")
    page.unroute("**/chat/messages")
    chat.pick("Delete this chat")
    expect(chat.notices).to_be_visible()
    look("deleted")
    assert {state: each for state, each in found.items() if each} == {}


def test_axe_finds_nothing_on_the_pages_beside_the_demo(open_context: Contexts, server: Server) -> None:
    plain = open_context(java_script_enabled=True, **PHONE).new_page()
    plain.route("**/chat/widget.js", lambda route: route.abort())
    for path in ("talk", "check?site=https://www.clinic.example", "setup.html"):
        plain.goto(f"{server.url}/chat/{path}")
        assert faults(plain) == [], path
        assert plain.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


# ------------------------------------------------------------------ keyboard


def test_everything_by_keyboard(page: Page) -> None:
    chat = Chat(page)
    chat.launcher.focus()
    page.keyboard.press("Enter")
    expect(chat.field).to_be_focused()
    expect(chat.answers).to_have_count(1)
    page.keyboard.type(QUESTION)
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
    # On to what was answered, and not through all that was said before.
    expect(chat.answers.last).to_be_focused()
    page.keyboard.press("Tab")
    assert focused(page) == "This answer helped"
    page.keyboard.press("F6")
    expect(chat.field).to_be_focused()
    page.keyboard.press("F6")
    expect(chat.log).to_be_focused()
    chat.dialog.get_by_role("button", name="More").focus()
    page.keyboard.press("Enter")
    for item in ("Copy this chat", "Save it as a file", "Print it", "Start over", "Delete this chat"):
        page.keyboard.press("Tab")
        assert focused(page).startswith(item)
    page.keyboard.press("Escape")
    assert focused(page) == "More"
    expect(chat.dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(chat.dialog).to_have_count(0)
    expect(chat.launcher).to_be_focused()


def test_old_ratings_are_one_stop_of_the_tab_key(page: Page) -> None:
    chat = Chat(page).open()
    for question in (QUESTION, "What causes it?", "What are the signs?"):
        chat.ask(question)
    chat.log.focus()
    stops = []
    while not stops or stops[-1] != "Your message":
        page.keyboard.press("Tab")
        stops.append(focused(page))
    assert [stop for stop in stops if "helped" in stop or "did not help" in stop] == [
        "This answer helped",
        "This answer helped",
        "This answer did not help",
    ]
    chat.answers.nth(2).get_by_label("This answer helped").focus()
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    expect(chat.answers.nth(1).get_by_label("This answer helped")).to_be_focused()


def test_escape_closes_it_from_anywhere(page: Page) -> None:
    chat = Chat(page).open()
    page.get_by_role("button", name="Exercises").focus()
    page.keyboard.press("Escape")
    expect(chat.dialog).to_have_count(0)
    chat.open()
    chat.launcher.focus()
    page.keyboard.press("Escape")
    expect(chat.dialog).to_have_count(0)


def test_the_menu_closes_when_it_is_left(page: Page) -> None:
    chat = Chat(page).open()
    more = chat.dialog.get_by_role("button", name="More")
    for leave in (
        lambda: chat.log.click(position={"x": 5, "y": 300}),
        lambda: page.mouse.click(50, 400),
        lambda: chat.field.press("a"),
        lambda: chat.dialog.get_by_role("button", name="Close the chat").focus(),
    ):
        more.click()
        expect(more).to_have_attribute("aria-expanded", "true")
        leave()
        expect(more).to_have_attribute("aria-expanded", "false")


# ------------------------------------------------------------------ screen readers


def test_what_is_said_is_announced_once_and_without_its_buttons(page: Page) -> None:
    chat = Chat(page).open()
    told = chat.announcements()
    answer = chat.ask(QUESTION)
    answer.get_by_role("button", name="This answer helped").click()
    expect(answer).to_contain_text("Thank you")
    chat.ask("What causes it?")
    assert len(told) == 2
    assert told[0].startswith("Runner's knee is pain")
    assert not [text for text in told if "What causes it?" in text or "helped" in text]


def test_a_screen_reader_is_told_that_an_answer_is_coming(page: Page) -> None:
    chat = Chat(page).open()
    told = chat.announcements()
    held: list[Route] = []
    page.route("**/chat/messages", lambda route: held.append(route))
    chat.say("hello")
    expect(chat.dialog.locator("> .unseen")).to_have_text("The assistant is writing.")
    held[0].continue_()
    expect(chat.answers).to_have_count(2)
    assert told[0] == "The assistant is writing."
    assert len(told) == 2


def test_the_accessibility_tree_says_what_is_seen(page: Page) -> None:
    chat = Chat(page)
    expect(page.locator("clinic-assistant")).to_match_aria_snapshot('- button "Ask about your knee"')
    chat.open()
    chat.ask(QUESTION)
    expect(chat.dialog).to_match_aria_snapshot(
        f"""
        - dialog "In Motion O.C.":
          - heading "In Motion O.C." [level=2]
          - paragraph: Automated assistant
          - 'link "{EMERGENCY}"'
          - link "{CALL}"
          - button "More"
          - button "Close the chat"
          - log "Conversation":
            - paragraph:
              - link "Privacy policy"
            - group /Automated assistant/:
              - paragraph: /I am the automated assistant/
              - button "What is runner's knee?" [disabled]
            - group /You/:
              - paragraph: What is runner's knee?
            - group /Automated assistant/:
              - paragraph: /Runner's knee is pain/
              - paragraph: /Source/
              - group "Did this answer help?":
                - button "This answer helped"
                - button "This answer did not help"
              - button "What causes it?"
          - textbox "Your message"
          - button "Send"
        """
    )


def test_a_reload_does_not_take_the_focus(page: Page) -> None:
    chat = Chat(page).open()
    page.reload()
    expect(chat.answers).to_have_count(1)
    assert page.evaluate("document.activeElement === document.body")


# ------------------------------------------------------------------ sizes


@pytest.mark.parametrize(
    ("width", "height"), [(320, 640), (640, 400), (640, 360), (844, 390), (320, 256), (320, 200), (1280, 800)]
)
def test_nothing_is_lost_or_too_small(open_context: Contexts, server: Server, width: int, height: int) -> None:
    """A phone; 200 % zoom of two laptops; a phone on its side; 400 % zoom of two screens; a desktop."""
    page = open_context(viewport={"width": width, "height": height}).new_page()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    chat.ask(QUESTION)
    picture(page, f"screen-{width}x{height}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chat.log.evaluate("log => log.scrollWidth <= log.clientWidth")
    assert chat.log.evaluate("log => log.clientHeight") >= 60
    expect(chat.answers.last.locator(".bubble")).to_be_in_viewport()
    for target in page.locator("clinic-assistant").locator("button:visible, a.icon:visible, textarea:visible").all():
        assert_large_enough(target)
    for always in (
        chat.field,
        page.get_by_role("button", name="Send"),
        page.get_by_role("link", name=EMERGENCY),
        page.get_by_role("link", name=CALL),
        page.get_by_role("button", name="Close the chat"),
    ):
        assert_large_enough(always)
        box = always.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height


def assert_large_enough(target: Locator) -> None:
    box = target.bounding_box()
    assert box
    assert box["width"] >= SMALLEST_TARGET
    assert box["height"] >= SMALLEST_TARGET


def test_a_phones_keyboard_leaves_the_field_in_view(open_context: Contexts, server: Server) -> None:
    page = open_context(**SMALL_PHONE).new_page()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    assert focused(page) == "In Motion O.C."
    chat.field.tap()
    page.set_viewport_size({"width": 320, "height": 340})
    expect(chat.field).to_be_in_viewport(ratio=1)
    picture(page, "phone-keyboard")
    for number in (EMERGENCY, CALL):
        # All but a pixel's edge, which scrolling to the field may leave out.
        expect(page.get_by_role("link", name=number)).to_be_in_viewport(ratio=0.95)
    assert float(chat.field.evaluate("field => parseFloat(getComputedStyle(field).fontSize)")) >= 16


def test_a_notch_and_a_home_bar_cover_nothing(open_context: Contexts, server: Server) -> None:
    page = open_context(**{**PHONE, "viewport": {"width": 844, "height": 390}}).new_page()
    insets = {"top": 0, "left": 47, "right": 47, "bottom": 21}
    page.context.new_cdp_session(page).send("Emulation.setSafeAreaInsetsOverride", {"insets": insets})
    page.goto(f"{server.url}/chat/")
    chat = Chat(page)
    box = chat.launcher.bounding_box()
    assert box
    assert box["x"] + box["width"] <= 844 - 47
    assert box["y"] + box["height"] <= 390 - 21
    chat.open()
    picture(page, "notch")
    for edge in (page.get_by_role("heading", name="In Motion O.C."), chat.field, chat.answers.first):
        box = edge.bounding_box()
        assert box
        assert box["x"] >= 47
    for edge in (page.get_by_role("button", name="Send"), page.get_by_role("button", name="Close the chat")):
        box = edge.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 844 - 47
        assert box["y"] + box["height"] <= 390 - 21


def test_the_visitors_font_size_counts(browser: Browser, server: Server) -> None:
    large_print = [*FLAGS, "--blink-settings=defaultFontSize=28"]
    large = browser.browser_type.launch(executable_path=chromium(), args=large_print)
    page = large.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    assert chat.field.evaluate("field => getComputedStyle(field).fontSize") == "28px"
    picture(page, "large-print")
    for always in (chat.field, page.get_by_role("link", name=EMERGENCY)):
        expect(always).to_be_in_viewport(ratio=1)
    large.close()


# ------------------------------------------------------------------ colours and motion


def test_in_forced_colours_shapes_are_seen(open_context: Contexts, server: Server) -> None:
    page = open_context(forced_colors="active").new_page()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page)
    assert chat.launcher.evaluate("button => getComputedStyle(button).borderTopColor") != "rgba(0, 0, 0, 0)"
    picture(page, "forced-closed")
    chat.open()
    answer = chat.ask(QUESTION)
    answer.get_by_label("This answer helped").click()
    expect(answer.get_by_label("This answer helped")).to_have_css("outline-style", "solid")
    picture(page, "forced-open")


def test_nothing_moves_for_those_who_want_it_so(open_context: Contexts, server: Server) -> None:
    page = open_context(reduced_motion="reduce").new_page()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    page.route("**/chat/messages", lambda route: None)
    chat.say("hello")
    expect(page.locator("clinic-assistant .typing")).to_be_visible()
    moving = "document.querySelector('clinic-assistant').shadowRoot.getAnimations().length"
    assert page.evaluate(moving) == 0


@pytest.mark.parametrize("colour", ["#ffd54a", "rgb(120, 20, 90)", "#7cb342", "black"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_colour_of_the_page_is_enough_to_be_read(
    open_context: Contexts, server: Server, colour: str, scheme: str
) -> None:
    tag = f'<script src="{server.url}/chat/widget.js" data-color="{colour}" defer></script>'
    content = f'<!doctype html><html lang="en"><title>A site</title><main><h1>A site</h1></main>{tag}'
    with site({"/": content}) as address:
        page = open_context(color_scheme=scheme, reduced_motion="reduce").new_page()
        page.goto(address)
        chat = Chat(page).open()
        picture(page, f"colour-{scheme}-{colour.strip('#')}")
        assert faults(page) == []
        chat.close()
        assert faults(page) == []
