import gzip
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chat import Chat, picture, site
from tests.support.servers import ROOT, Server

LARGEST_LOADER = 10_000
Contexts = Callable[..., BrowserContext]
# A page that uses nothing of ours, with rules that would harm a widget outside a shadow root.
FOREIGN = """<!doctype html><html lang="en"><title>A site</title><meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/style.css"><h1>A site</h1><p>Its words.</p>
<script src="{server}/chat/widget.js" defer></script>"""
STYLE = "* { color: red !important; font: 40px serif !important; } button { display: none !important }"


def test_a_page_pays_little_until_the_chat_is_opened(page: Page) -> None:
    assert len(gzip.compress((ROOT / "widget" / "dist" / "widget.js").read_bytes())) <= LARGEST_LOADER
    loaded = "performance.getEntriesByType('resource').map(entry => entry.name.split('/').pop().split('?')[0])"
    assert "chat.js" not in page.evaluate(loaded)
    Chat(page).open()
    assert "chat.js" in page.evaluate(loaded)


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
        assert set(page.evaluate(names)) == before
        assert page.evaluate("document.cookie") == ""
        assert page.context.cookies() == []


def test_colours_follow_the_pages_variables_and_the_scripts_theme(open_context: Contexts, server: Server) -> None:
    tag = f'<script src="{server.url}/chat/widget.js" data-theme="light" defer></script>'
    style = "<style>:root {--assistant-accent: rgb(120, 20, 90)}</style>"
    with site({"/": f'<!doctype html><html lang="en"><title>A site</title>{style}{tag}{tag}'}) as address:
        page = open_context(color_scheme="dark").new_page()
        page.goto(address)
        chat = Chat(page).open()
        expect(chat.launcher).to_have_count(1)
        expect(chat.launcher).to_have_css("background-color", "rgb(120, 20, 90)")
        expect(chat.dialog).to_have_css("background-color", "rgb(255, 255, 255)")


def test_a_page_of_a_site_that_is_not_the_clinics_is_told_the_phone(open_context: Contexts, server: Server) -> None:
    with site({"/": FOREIGN.format(server=server.url)}) as address:
        page = open_context().new_page()
        page.goto(address.replace("127.0.0.1", "elsewhere.example"))
        Chat(page).launcher.click()
        expect(page.locator("clinic-assistant .banner")).to_contain_text("+1 949-555-0142")


def test_the_demo_page_works_from_disk(open_context: Contexts, server: Server, tmp_path: Path) -> None:
    for source in (ROOT / "widget" / "demo").iterdir():
        # The page names the port that `make run` uses.
        content = source.read_text().replace("http://localhost:5005/", f"{server.url}/")
        (tmp_path / source.name).write_text(content)
    page = open_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto((tmp_path / "index.html").as_uri())
    picture(page, "demo")
    page.get_by_role("button", name="What causes it").click()
    expect(Chat(page).answers.last).to_contain_text("exercising too much")
