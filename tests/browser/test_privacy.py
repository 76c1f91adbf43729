"""What the browser keeps of a chat, for how long, and what a visitor is told of it."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chat import Chat, kept_texts, picture
from tests.support.servers import Server

Contexts = Callable[..., BrowserContext]
QUESTION = "What is runner's knee?"
FILL = """() => {
    for (let size = 1 << 20; size; size >>= 1) {
        try { for (let at = 0; ; at++) localStorage.setItem(`fill ${size} ${at}`, "x".repeat(size)); } catch {}
    }
}"""
BLOCKED = """for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, {get() { throw new DOMException("switched off", "SecurityError"); }});
}"""


def conversations(folder: Path) -> int:
    with sqlite3.connect(folder / "conversations.db") as database:
        return int(database.execute("SELECT count(*) FROM conversations").fetchone()[0])


def test_what_is_kept_is_said_before_the_first_word(page: Page) -> None:
    chat = Chat(page).open()
    expect(chat.log).to_contain_text("erased 60 minutes after your last message")
    expect(chat.log.get_by_role("link", name="Privacy policy")).to_be_in_viewport()


def test_words_that_have_expired_are_erased_by_any_page_with_the_button(page: Page) -> None:
    chat = Chat(page).open()
    chat.ask(QUESTION)
    chat.field.fill("My name is Ana")
    chat.close()
    assert "runner's knee" in kept_texts(page)
    page.evaluate(
        """() => Object.keys(localStorage).forEach(key => {
            const kept = JSON.parse(localStorage.getItem(key));
            localStorage.setItem(key, JSON.stringify({...kept, expires: Date.now() - 1}));
        })"""
    )
    page.reload()
    expect(chat.launcher).to_be_visible()
    assert "runner's knee" not in kept_texts(page)
    assert "Ana" not in kept_texts(page)
    assert page.evaluate("localStorage.length") == 0


def test_words_expire_on_a_page_that_is_left_open(open_context: Contexts, server: Server) -> None:
    page = open_context().new_page()
    page.clock.install()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    chat.ask(QUESTION)
    chat.close()
    page.reload()
    expect(chat.launcher).to_be_visible()
    page.clock.fast_forward("01:00:05")
    page.wait_for_function("localStorage.length === 0")


def test_nothing_is_lost_when_the_sites_storage_is_full(page: Page) -> None:
    page.evaluate(FILL)
    chat = Chat(page).open()
    expect(chat.ask(QUESTION)).to_contain_text("Runner's knee is pain")
    expect(chat.ask("What causes it?")).to_contain_text("exercising too much")
    expect(chat.said).to_have_count(2)
    expect(chat.answers).to_have_count(3)


def test_storage_that_fills_up_within_a_talk_keeps_no_older_words(page: Page) -> None:
    chat = Chat(page).open()
    chat.ask(QUESTION)
    page.evaluate(FILL)
    expect(chat.ask("my chest hurts and I cannot breathe")).to_contain_text("911")
    expect(chat.said).to_have_count(2)
    assert "chest" not in kept_texts(page)
    assert "runner's knee" not in kept_texts(page)


def test_nothing_is_lost_when_storage_is_switched_off(open_context: Contexts, server: Server) -> None:
    context = open_context()
    context.add_init_script(BLOCKED)
    page = context.new_page()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    expect(chat.ask(QUESTION)).to_contain_text("Runner's knee is pain")
    expect(chat.said).to_have_count(1)


def test_deleting_forgets_here_at_once_and_on_the_server_when_it_cannot_be_undone(page: Page, folder: Path) -> None:
    page.clock.install()
    chat = Chat(page).open()
    chat.ask(QUESTION)
    before = conversations(folder)
    chat.pick("Delete this chat")
    expect(chat.notices).to_have_text("This chat has been deleted.")
    picture(page, "deleted")
    assert "runner's knee" not in kept_texts(page)
    assert conversations(folder) == before
    with page.expect_response("**/chat/clear") as response:
        page.clock.fast_forward(5_100)
    assert response.value.status == 204
    assert conversations(folder) == before - 1
    expect(chat.dialog.get_by_role("button", name="Undo")).to_have_count(0)
    expect(chat.ask("hello")).to_contain_text("automated assistant")


def test_deleting_is_undone(page: Page) -> None:
    chat = Chat(page).open()
    chat.ask(QUESTION)
    cleared: list[str] = []
    page.on("request", lambda request: request.url.endswith("/clear") and cleared.append(request.url))
    chat.pick("Delete this chat")
    expect(chat.said).to_have_count(0)
    chat.dialog.get_by_role("button", name="Undo").click()
    expect(chat.said).to_have_count(1)
    expect(chat.answers).to_have_count(2)
    expect(chat.ask("What causes it?")).to_contain_text("exercising too much")
    assert cleared == []


def test_starting_over_opens_anew_and_is_undone(page: Page) -> None:
    chat = Chat(page).open()
    chat.ask(QUESTION)
    token = json.loads(page.evaluate("Object.values(localStorage)[0]"))["token"]
    with page.expect_response("**/chat/session"):
        chat.pick("Start over")
    expect(chat.answers).to_have_count(1)
    expect(chat.said).to_have_count(0)
    chat.dialog.get_by_role("button", name="Undo").click()
    expect(chat.said).to_have_count(1)
    assert json.loads(page.evaluate("Object.values(localStorage)[0]"))["token"] == token


def test_a_page_that_ends_while_undoing_is_offered_still_forgets(page: Page, folder: Path) -> None:
    chat = Chat(page).open()
    chat.ask(QUESTION)
    before = conversations(folder)
    chat.pick("Delete this chat")
    chat.close()
    page.goto(f"{page.url}?another=page")
    expect(chat.launcher).to_be_visible()
    page.wait_for_function("Object.values(localStorage).every(value => !value.includes('forget\":[\"'))")
    assert conversations(folder) == before - 1


def test_a_session_left_alone_ends(open_context: Contexts, server: Server) -> None:
    page = open_context().new_page()
    page.clock.install()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    chat.ask(QUESTION)
    page.clock.fast_forward("01:00:01")
    expect(chat.notices).to_contain_text("left alone")
    assert "Runner's knee is pain" not in kept_texts(page)
    expect(chat.answers).to_have_count(1)
    expect(chat.said).to_have_count(0)


def test_who_writes_after_a_sleep_past_the_end_is_told_so(open_context: Contexts, server: Server) -> None:
    """A device sleeps and so do its timers: the first thing to happen is that the visitor writes."""
    page = open_context().new_page()
    page.clock.install()
    page.goto(f"{server.url}/chat/")
    chat = Chat(page).open()
    chat.ask(QUESTION)
    page.clock.set_system_time("2040-01-01T00:00:00")
    chat.say("What causes it?")
    expect(chat.notices.first).to_contain_text("left alone")
    expect(chat.said).to_have_count(1)
