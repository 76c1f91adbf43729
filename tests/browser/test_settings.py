"""What a page may set on its one line, ask of the chat and hear from it."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chat import PHONE, Chat, picture, site
from tests.support.servers import Server

Contexts = Callable[..., BrowserContext]
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PAGE = (
    '<!doctype html><html lang="en"><title>A site</title><meta name="viewport" content="width=device-width">{head}'
    '<h1>A site</h1><a href="#assistant">Ask</a>{tag}'
)
LISTEN = """<script>window.heard = [];
for (const name of ["opened", "asked", "answered", "booked", "unreachable", "closed"])
    document.addEventListener("clinic-assistant:" + name, event => heard.push([name, event.detail]))</script>"""


def page_with(server: Server, settings: str, head: str = "") -> str:
    return PAGE.format(head=head, tag=f'<script src="{server.url}/chat/widget.js" {settings} defer></script>')


def test_every_setting_of_the_one_line_is_seen(open_context: Contexts, server: Server) -> None:
    logo = f"{server.url}/chat/no-such-logo.png"
    settings = (
        'data-position="left" data-offset="30 90" data-z-index="7" data-color="#ffd54a" data-theme="light" '
        f'data-label="Ask Ana" data-title="Ana" data-placeholder="Write here" data-logo="{logo}" '
        'data-greeting="Welcome to our exercises." data-questions="Which exercises are there?|Book a visit"'
    )
    with site({"/": page_with(server, settings)}) as address:
        page = open_context(color_scheme="dark", **DESKTOP).new_page()
        page.goto(address)
        chat = Chat(page)
        expect(chat.launcher).to_have_text("Ask Ana")
        expect(chat.launcher).to_have_accessible_name("Ask Ana")
        expect(chat.launcher).to_have_css("background-color", "rgb(255, 213, 74)")
        box = chat.launcher.bounding_box()
        assert box
        assert box["x"] == 30
        assert round(box["y"] + box["height"]) == 800 - 90
        assert page.locator("clinic-assistant").evaluate("host => getComputedStyle(host).zIndex") == "7"
        chat.open()
        expect(chat.dialog).to_have_accessible_name("Ana")
        expect(chat.dialog).to_have_css("background-color", "rgb(255, 255, 255)")
        expect(chat.field).to_have_attribute("placeholder", "Write here")
        expect(chat.log).to_contain_text("Welcome to our exercises.")
        expect(chat.log).to_contain_text("I am the automated assistant")
        expect(chat.dialog.locator("img")).to_have_attribute("src", logo)
        assert (chat.dialog.bounding_box() or {})["x"] == 30
        picture(page, "settings")
        chat.choose("Which exercises are there?")
        expect(chat.answers.last).to_contain_text("hamstring stretches")


def test_other_words_and_their_language_take_the_place_of_ours(open_context: Contexts, server: Server) -> None:
    words = '{"send": "Enviar", "field": "Su mensaje", "foot": "Sin diagnóstico. Emergencia: {number}.", "no": "x"}'
    with site({"/": page_with(server, f"data-lang=es data-words='{words}'")}) as address:
        page = open_context(**DESKTOP).new_page()
        page.goto(address)
        Chat(page).launcher.click()
        expect(page.get_by_role("button", name="Enviar")).to_be_visible()
        expect(page.get_by_label("Su mensaje")).to_be_visible()
        expect(page.get_by_text("Sin diagnóstico. Emergencia: 911.")).to_be_visible()
        expect(page.locator("clinic-assistant")).to_have_attribute("lang", "es")
        expect(Chat(page).log).to_have_attribute("lang", "en")


def test_colours_follow_the_pages_variables_and_the_scripts_theme(open_context: Contexts, server: Server) -> None:
    style = "<style>:root {--assistant-accent: rgb(120, 20, 90)}</style>"
    with site({"/": page_with(server, 'data-theme="light"', style)}) as address:
        page = open_context(color_scheme="dark").new_page()
        page.goto(address)
        chat = Chat(page).open()
        expect(chat.launcher).to_have_css("background-color", "rgb(120, 20, 90)")
        expect(chat.dialog).to_have_css("background-color", "rgb(255, 255, 255)")


def test_it_opens_by_itself_beside_a_page_and_never_over_it(open_context: Contexts, server: Server) -> None:
    with site({"/": page_with(server, 'data-open="0.1"')}) as address:
        page = open_context(**DESKTOP).new_page()
        page.goto(address)
        chat = Chat(page)
        expect(chat.answers).to_have_count(1)
        assert page.evaluate("document.activeElement === document.body")
        chat.close()
        page.reload()
        page.wait_for_timeout(500)
        expect(chat.dialog).to_have_count(0)
        phone = open_context(**PHONE).new_page()
        phone.goto(address)
        phone.wait_for_timeout(500)
        expect(Chat(phone).dialog).to_have_count(0)


def test_a_hint_is_shown_until_it_is_waved_away(open_context: Contexts, server: Server) -> None:
    with site({"/": page_with(server, 'data-hint="Questions? Ask here."')}) as address:
        page = open_context(**DESKTOP).new_page()
        page.goto(address)
        hint = page.get_by_text("Questions? Ask here.")
        expect(hint).to_be_visible()
        picture(page, "hint")
        page.get_by_role("button", name="Hide this").click()
        expect(hint).to_have_count(0)
        page.reload()
        expect(Chat(page).launcher).to_be_visible()
        page.wait_for_timeout(300)
        expect(hint).to_have_count(0)


def test_it_is_hidden_where_a_page_says_so(open_context: Contexts, server: Server) -> None:
    content = page_with(server, 'data-hidden-on="/intake, /portal/*"')
    with site({"/": content, "/intake": content, "/portal/a": content}) as address:
        page = open_context().new_page()
        for path, shown in (("/", True), ("/intake", False), ("/portal/a", False)):
            page.goto(address + path)
            expect(page.locator("clinic-assistant")).to_have_count(1)
            assert Chat(page).launcher.is_visible() is shown, path


def test_a_page_opens_asks_hides_and_hears_no_word_of_it(open_context: Contexts, server: Server) -> None:
    with site({"/": page_with(server, "", LISTEN)}) as address:
        page = open_context(**DESKTOP).new_page()
        page.goto(address)
        chat = Chat(page)
        heard: list[Any] = []

        def hears(*names: str) -> None:
            heard.extend([name, None] for name in names)
            page.wait_for_function("count => heard.length >= count", arg=len(heard))
            assert page.evaluate("heard") == heard

        page.evaluate("clinicAssistant.open()")
        expect(chat.answers).to_have_count(1)
        hears("opened")
        page.evaluate("clinicAssistant.ask(`What is runner's knee?`)")
        expect(chat.answers).to_have_count(2)
        hears("asked", "answered")
        page.evaluate("clinicAssistant.close()")
        expect(chat.dialog).to_have_count(0)
        hears("closed")
        page.evaluate("clinicAssistant.hide()")
        expect(chat.launcher).to_be_hidden()
        page.evaluate("clinicAssistant.show()")
        expect(chat.launcher).to_be_visible()
        page.evaluate("clinicAssistant.set({position: 'left', label: 'Ask'})")
        expect(chat.launcher).to_have_text("Ask")
        assert (chat.launcher.bounding_box() or {})["x"] == 20
        page.context.set_offline(True)
        page.evaluate("clinicAssistant.ask('hello')")
        hears("opened", "asked", "unreachable")


def test_an_address_opens_it_once(open_context: Contexts, server: Server) -> None:
    with site({"/": page_with(server, "")}) as address:
        page = open_context(**DESKTOP).new_page()
        page.goto(f"{address}/#assistant")
        chat = Chat(page)
        expect(chat.answers).to_have_count(1)
        assert page.url == f"{address}/"
        chat.close()
        page.get_by_role("link", name="Ask").click()
        expect(chat.dialog).to_be_visible()


def test_a_topic_that_is_clicked_twice_is_asked_once(page: Page) -> None:
    page.get_by_role("button", name="Exercises").dblclick()
    chat = Chat(page)
    expect(chat.answers).to_have_count(2)
    page.wait_for_timeout(300)
    expect(chat.said).to_have_count(1)


def test_the_configurator_writes_the_line_and_shows_it(open_context: Contexts, server: Server) -> None:
    page = open_context(**DESKTOP).new_page()
    page.goto(f"{server.url}/chat/setup.html")
    page.get_by_label("Side", exact=True).select_option("left")
    page.get_by_label("Words of the button").fill('Ask "Ana" & Bo')
    page.get_by_label("Pixels from the edges").fill("40 60")
    chat = Chat(page)
    expect(chat.launcher).to_have_text('Ask "Ana" & Bo')
    assert (chat.launcher.bounding_box() or {})["x"] == 40
    line = page.get_by_label("The line").input_value()
    assert 'data-position="left" data-offset="40 60"' in line
    picture(page, "setup")
    with site({"/": f'<!doctype html><html lang="en"><title>A site</title>{line}'}) as address:
        page.goto(address)
        expect(chat.launcher).to_have_text('Ask "Ana" & Bo')
        assert (chat.launcher.bounding_box() or {})["x"] == 40
