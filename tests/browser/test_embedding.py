"""The widget on pages that nobody here wrote: every way to install it, and what a page may do to it."""

import gzip
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chat import PHONE, Chat, picture, site
from tests.support.servers import ROOT, Server

LARGEST_BEFORE_OPENING = 4_096
LARGEST_IN_ALL = 25_000
Contexts = Callable[..., BrowserContext]
HEAD = '<!doctype html><html lang="en"><title>A site</title><meta name="viewport" content="width=device-width">'
TAG = '<script src="{server}/chat/widget.js" defer></script>'
# A page that uses nothing of ours, with rules that would harm a widget outside a shadow root.
FOREIGN = HEAD + '<link rel="stylesheet" href="/style.css"><h1>A site</h1><p>Its words.</p>' + TAG
STYLE = """* { all: unset !important; color: red !important; font: 40px serif !important; }
button { display: none !important }"""
INSTALLS = {
    "in the head, without defer": '<script src="{server}/chat/widget.js"></script>',
    "async": '<script src="{server}/chat/widget.js" async></script>',
    "as a module": '<script type="module" src="{server}/chat/widget.js"></script>',
    "imported": '<script type="module">import "{server}/chat/widget.js"</script>',
    "copied into the page": "<script>{loader}</script>",
    "in the site's bundle": '<script src="/bundle.js" data-server="{server}"></script>',
    "in the site's bundle, named by the page": '<meta name="clinic-assistant" data-server="{server}">'
    '<script src="/bundle.js"></script>',
    "in the site's bundle, named nowhere": '<script src="/bundle.js" defer></script>',
    "by a tag manager": "<script>document.head.append(Object.assign(document.createElement('script'),"
    "{{src: '{server}/chat/widget.js'}}))</script>",
    "twice": TAG + TAG,
}
SWAPS = {
    "Turbo, Swup": "document.body.replaceWith(document.createElement('body'))",
    "htmx": "document.body.innerHTML = '<h1>Another page</h1>'",
    "Astro": "document.documentElement.replaceWith(document.documentElement.cloneNode(false))",
    "a cleaner": "document.querySelector('clinic-assistant').remove()",
}
OLD_SAFARI = """delete CSSStyleSheet.prototype.replaceSync; delete AbortSignal.timeout; delete Array.prototype.findLast;
delete Array.prototype.findLastIndex; delete HTMLDialogElement.prototype.show; delete HTMLDialogElement.prototype.close;
delete HTMLDialogElement.prototype.showModal; delete window.CloseWatcher; delete crypto.randomUUID;
delete Document.prototype.adoptedStyleSheets; delete ShadowRoot.prototype.adoptedStyleSheets"""


def test_a_page_pays_little_until_the_chat_is_opened(page: Page, server: Server) -> None:
    sizes: dict[str, int] = {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    names: dict[str, str] = {}
    session.on("Network.responseReceived", lambda event: names.update({event["requestId"]: event["response"]["url"]}))
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.update({names.get(event["requestId"], ""): event["encodedDataLength"]}),
    )
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.reload()
    page.wait_for_load_state("networkidle")
    ours = {url: size for url, size in sizes.items() if url.endswith("widget.js")}
    assert len(ours) == 1
    assert sum(ours.values()) <= LARGEST_BEFORE_OPENING
    assert not any("chat.js" in url for url in sizes)
    Chat(page).open()
    page.wait_for_load_state("networkidle")
    opened = {url: size for url, size in sizes.items() if "widget.js" in url or "chat.js" in url or "session" in url}
    assert len(opened) == 3
    assert sum(opened.values()) <= LARGEST_IN_ALL


def test_files_are_pressed_once_and_fetched_once(server: Server) -> None:
    loader = requests.get(f"{server.url}/chat/widget.js", headers={"Accept-Encoding": "gzip"}, timeout=5)
    assert loader.headers["Content-Encoding"] == "gzip"
    again = requests.get(f"{server.url}/chat/widget.js", headers={"If-None-Match": loader.headers["ETag"]}, timeout=5)
    assert (again.status_code, again.content) == (304, b"")
    name = loader.text.split("chat.js?v=")[1][:12]
    for encoding in ("br", "gzip"):
        headers = {"Accept-Encoding": encoding}
        chat = requests.get(f"{server.url}/chat/chat.js?v={name}", headers=headers, timeout=5, stream=True)
        assert chat.headers["Content-Encoding"] == encoding
        assert "immutable" in chat.headers["Cache-Control"]
    assert "immutable" not in requests.get(f"{server.url}/chat/chat.js?v=another", timeout=5).headers["Cache-Control"]
    refused = requests.get(f"{server.url}/chat/widget.js", headers={"Accept-Encoding": "br;q=1, gzip;q=0"}, timeout=5)
    assert "Content-Encoding" not in refused.headers
    assert gzip.decompress((ROOT / "widget" / "dist" / "chat.js.gz").read_bytes()).startswith(b"var ")


def test_it_stands_on_a_page_however_it_came_there(open_context: Contexts, server: Server) -> None:
    loader = requests.get(f"{server.url}/chat/widget.js", timeout=5).text
    pages = {
        f"/{number}": HEAD + install.format(server=server.url, loader=loader) + "<p>Its words.</p>"
        for number, install in enumerate(INSTALLS.values())
    }
    with site({**pages, "/bundle.js": f"var sites = 1;\n{loader}\nvar more = 2;"}) as address:
        page = open_context().new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        for number, install in enumerate(INSTALLS):
            page.goto(f"{address}/{number}")
            chat = Chat(page)
            expect(chat.launcher, install).to_have_count(1)
            chat.open()
            assert page.evaluate("document.documentElement.lastElementChild.tagName") == "CLINIC-ASSISTANT", install
            chat.close()
        assert faults == []


def test_it_stays_when_a_site_swaps_its_pages(open_context: Contexts, server: Server) -> None:
    with site({"/": HEAD + f'<body style="height:3000px">{TAG.format(server=server.url)}'}) as address:
        page = open_context().new_page()
        page.goto(address)
        chat = Chat(page).open()
        chat.close()
        for name, swap in SWAPS.items():
            page.evaluate(swap)
            expect(chat.launcher, name).to_be_visible()
        chat.open()


def test_what_a_page_does_to_its_own_elements_does_it_no_harm(open_context: Contexts, server: Server) -> None:
    harm = (
        "<style>* { all: unset !important } body { transform: translateZ(0); filter: blur(0); height: 3000px }"
        " #cookies { position: fixed; inset: auto 0 0 0; height: 60px; z-index: 2147483647; background: #fff }</style>"
    )
    tag = TAG.format(server=server.url).replace("defer", 'defer data-offset="20 90"')
    with site({"/": f'{HEAD.replace("<html", "<html dir=rtl")}{harm}<div id="cookies">Cookies?</div>{tag}'}) as address:
        page = open_context(viewport={"width": 1000, "height": 700}).new_page()
        page.goto(address)
        chat = Chat(page)
        expect(chat.launcher).to_be_in_viewport(ratio=1)
        chat.open()
        expect(chat.launcher).to_have_css("direction", "ltr")
        expect(chat.dialog).to_have_css("direction", "ltr")
        picture(page, "hostile-page")
        page.emulate_media(media="print")
        expect(chat.launcher).to_be_hidden()


def test_a_sites_shortcuts_stay_out_of_what_is_typed(open_context: Contexts, server: Server) -> None:
    shortcuts = """<script defer src="/shortcuts.js"></script>"""
    script = """for (const kind of ["keydown", "keypress", "keyup"]) for (const early of [true, false])
        document.addEventListener(kind, event => { window.heard = event.key; event.preventDefault(); }, early)"""
    with site({"/": HEAD + TAG.format(server=server.url) + shortcuts, "/shortcuts.js": script}) as address:
        page = open_context().new_page()
        page.goto(address)
        chat = Chat(page).open()
        chat.field.focus()
        page.keyboard.type("so / s")
        expect(chat.field).to_have_value("so / s")
        page.keyboard.press("Enter")
        expect(chat.said).to_have_count(1)
        assert page.evaluate("window.heard") is None


def test_a_foreign_page_with_a_strict_policy_holds_it(open_context: Contexts, server: Server) -> None:
    own = f"script-src {server.url}; connect-src {server.url}"
    policy = f"default-src 'none'; style-src 'self'; {own}; require-trusted-types-for 'script'"
    pages = {"/": FOREIGN.format(server=server.url), "/style.css": STYLE, "/without": "<!doctype html><title>x</title>"}
    with site(pages, policy) as address:
        page = open_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(f"{address}/without")
        names = "Object.getOwnPropertyNames(window)"
        before = set(page.evaluate(names))
        complaints: list[str] = []
        asked: set[str] = set()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        page.goto(address)
        chat = Chat(page).open()
        expect(chat.ask("What is runner's knee?")).to_contain_text("Runner's knee is pain")
        picture(page, "foreign-page")
        assert complaints == []
        assert asked == {urlsplit(address).netloc, urlsplit(server.url).netloc}
        assert set(page.evaluate(names)) - before == {"clinicAssistant"}
        assert page.evaluate("document.cookie") == ""
        assert page.context.cookies() == []


def test_a_policy_that_forbids_it_is_named_in_the_console(open_context: Contexts, server: Server) -> None:
    with site({"/": HEAD + TAG.format(server=server.url)}, f"script-src {server.url}; connect-src 'none'") as address:
        page = open_context().new_page()
        with page.expect_console_message(
            lambda message: message.type == "warning" and f"add {server.url} to connect-src" in message.text
        ):
            page.goto(address)
            Chat(page).launcher.click()
            expect(Chat(page).banner).to_contain_text("+1 949-555-0142")


def test_a_site_that_is_not_the_clinics_is_told_the_phone_and_its_web_master_the_line(
    open_context: Contexts, server: Server
) -> None:
    with site({"/": HEAD + TAG.format(server=server.url)}) as address:
        page = open_context().new_page()
        said: list[str] = []
        sent: list[str] = []
        page.on("console", lambda message: message.type == "warning" and said.append(message.text))
        page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
        elsewhere = address.replace("127.0.0.1", "elsewhere.example")
        page.goto(elsewhere)
        Chat(page).launcher.click()
        expect(Chat(page).banner).to_contain_text("does not work on this page")
        expect(Chat(page).banner.get_by_role("link", name="+1 949-555-0142")).to_be_visible()
        assert said == [f"The clinic's chat takes nothing from {elsewhere}: add it to origins in clinic.yml."]
        page.wait_for_timeout(1_500)
        assert len(sent) == 1
        page.goto(f"{server.url}/chat/check?site={elsewhere}/a/page")
        expect(page.get_by_role("status")).to_contain_text("Not yet.")
        expect(page.get_by_text(f"- {elsewhere}")).to_be_visible()
        picture(page, "check")
        page.get_by_label("The address of the site").fill(address)
        page.get_by_role("button", name="Look").click()
        expect(page.get_by_role("status")).to_contain_text("Yes.")


def test_it_works_in_a_safari_of_2021(open_context: Contexts, server: Server) -> None:
    """What that browser lacks is taken out of this one."""
    context = open_context(**PHONE)
    context.add_init_script(OLD_SAFARI)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    with site({"/": HEAD + TAG.format(server=server.url)}) as address:
        page.goto(address)
        chat = Chat(page).open()
        expect(chat.ask("What is runner's knee?")).to_contain_text("Runner's knee is pain")
        expect(chat.said).to_have_css("align-self", "flex-end")
        picture(page, "old-safari")
        chat.close()
    assert faults == []


def test_the_demo_page_works_from_disk(open_context: Contexts, server: Server, tmp_path: Path) -> None:
    folder = tmp_path
    for source in (ROOT / "widget" / "pages").iterdir():
        # The page names the port that `make run` uses.
        content = source.read_text().replace("http://localhost:5005/", f"{server.url}/")
        (folder / source.name).write_text(content)
    page = open_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto((folder / "index.html").as_uri())
    picture(page, "demo")
    page.get_by_role("button", name="What causes it").click()
    expect(Chat(page).answers.last).to_contain_text("exercising too much")


@pytest.mark.parametrize("framed", [False, True])
def test_the_chat_has_a_page_of_its_own(open_context: Contexts, server: Server, framed: bool) -> None:
    with site(
        {"/": f'{HEAD}<iframe title="Chat" src="{server.url}/chat/talk" width="400" height="600"></iframe>'}
    ) as address:
        page = open_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(address if framed else f"{server.url}/chat/talk")
        there = page.frame_locator("iframe") if framed else page
        expect(there.get_by_role("log")).to_contain_text("automated assistant")
        expect(there.get_by_role("button", name="Close the chat")).to_have_count(0)
        expect(there.locator("main")).to_be_hidden()
        there.get_by_role("textbox", name="Your message").fill("What is runner's knee?")
        there.get_by_role("textbox", name="Your message").press("Enter")
        expect(there.locator(".entry.assistant").last).to_contain_text("Runner's knee is pain")
        picture(page, f"talk{'-framed' if framed else ''}")


def test_the_page_of_its_own_works_without_a_script(open_context: Contexts, server: Server) -> None:
    page = open_context(java_script_enabled=False, viewport={"width": 390, "height": 800}).new_page()
    page.goto(f"{server.url}/chat/talk")
    expect(page.get_by_role("link", name="911")).to_have_attribute("href", "tel:911")
    page.get_by_label("Your message").fill("What is runner's knee?")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("main")).to_contain_text("Runner's knee is pain")
    expect(page.get_by_role("main")).to_contain_text("Source: “What Is Runner’s Knee?”")
    picture(page, "talk-without-script")
    page.get_by_role("button", name="What causes it?").click()
    expect(page.get_by_role("main")).to_contain_text("exercising too much")
    for text in ("I would like to book a visit", "Ana Ruiz", "949-555-0133", "next tuesday in the morning"):
        page.get_by_label("Your message").fill(text)
        page.get_by_role("button", name="Send").click()
    for _ in range(3):
        if not page.locator("dl").count():
            page.get_by_role("button", name="Skip").click()
    expect(page.locator("dd").first).to_have_text("Ana Ruiz")
