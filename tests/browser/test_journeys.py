import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from tests.browser.chat import Chat, picture
from tests.support.servers import Server

PHONE = "+1 949-555-0142"
DEFINITION = "Runner's knee is pain felt under the kneecap"
Contexts = Callable[..., BrowserContext]


def deliveries(page: Page) -> list[str]:
    """Return a list that fills with the ids of the messages that the server is sent."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/chat/messages"):
            sent.append(json.loads(request.post_data or "{}")["id"])

    page.on("request", note)
    return sent


# ------------------------------------------------------------------ asking


def test_a_visitor_asks_by_button_and_by_words(page: Page) -> None:
    chat = Chat(page).open()
    expect(chat.answers).to_have_count(1)
    expect(chat.answers.first).to_contain_text("I am the automated assistant of In Motion O.C.")
    expect(chat.answers.first.locator("time")).to_be_visible()
    picture(page, "opening")
    chat.choose("What is runner's knee?")
    expect(chat.answers.last).to_contain_text(DEFINITION)
    expect(chat.answers.last.locator(".source")).to_have_text(
        "Source: “What Is Runner’s Knee?”, reviewed by Dr. Natalie Thomas, PT, DPT."
    )
    for button in chat.answers.first.locator(".choices button").all():
        expect(button).to_be_disabled()
    for button in chat.answers.last.locator(".choices button").all():
        expect(button).to_be_enabled()
    picture(page, "answer")
    expect(chat.ask("Could surgery be needed?")).to_contain_text("for severe cases")


def test_what_is_typed_is_shown_as_typed(page: Page) -> None:
    chat = Chat(page).open()
    text = "pain > 7 & <b> <img src=x onerror=alert(1)> javascript:alert(2)"
    chat.ask(text)
    expect(chat.said.last.locator(".bubble")).to_have_text(text)
    assert chat.log.locator("img, b, .visitor a").count() == 0


def test_hostile_answers_stay_text_and_links_are_safe(page: Page) -> None:
    chat = Chat(page).open()
    text = (
        "<script>alert(1)</script> javascript:alert(2) data:text/html,x https://clinic.example/a?b=1&c. "
        f"mail a.b@clinic.example, call {PHONE} or 911; not 1911"
    )

    def answer(route: Route) -> None:
        content = route.fetch().json()
        content["messages"][0] |= {"text": text, "buttons": [{"title": "<b>x</b>", "payload": "/ask_help"}]}
        route.fulfill(json=content)

    page.route("**/chat/messages", answer)
    said = chat.ask("hello")
    expect(said.locator(".bubble")).to_have_text(text)
    links = said.locator("a").evaluate_all("links => links.map(link => [link.getAttribute('href'), link.rel])")
    assert links == [
        ["https://clinic.example/a?b=1&c", "noopener noreferrer"],
        ["mailto:a.b@clinic.example", ""],
        ["tel:+19495550142", ""],
        ["tel:911", ""],
    ]
    expect(said.get_by_role("button", name="<b>x</b>")).to_be_visible()


def test_an_answer_is_rated(page: Page, folder: Path) -> None:
    chat = Chat(page).open()
    answer = chat.ask("What is runner's knee?")
    with page.expect_response("**/chat/ratings") as response:
        answer.get_by_role("button", name="This answer helped").click()
    assert response.value.status == 204
    expect(answer.get_by_role("button", name="This answer helped")).to_have_attribute("aria-pressed", "true")
    expect(answer).to_contain_text("Thank you")
    assert ratings(page, folder) == [("utter_ask_definition", "up", None)]
    # Withdrawn by the same button.
    answer.get_by_role("button", name="This answer helped").click()
    expect(answer.get_by_role("button", name="This answer helped")).to_have_attribute("aria-pressed", "false")
    assert ratings(page, folder) == []


def test_a_thumb_down_asks_why_and_offers_a_person(page: Page, folder: Path) -> None:
    chat = Chat(page).open()
    answer = chat.ask("What is runner's knee?")
    answer.get_by_role("button", name="This answer did not help").click()
    expect(answer).to_contain_text("What was wrong with it?")
    expect(answer.get_by_role("link", name=PHONE)).to_be_in_viewport(ratio=1)
    picture(page, "why")
    with page.expect_response("**/chat/ratings"):
        answer.get_by_role("button", name="Hard to understand").click()
    expect(answer).to_contain_text("Thank you")
    assert ratings(page, folder) == [("utter_ask_definition", "down", "unclear")]


def test_a_rating_that_cannot_be_kept_says_so_and_leaves_the_one_before(page: Page) -> None:
    chat = Chat(page).open()
    answer = chat.ask("What is runner's knee?")
    with page.expect_response("**/chat/ratings"):
        answer.get_by_role("button", name="This answer helped").click()
    page.route("**/chat/ratings", lambda route: route.abort())
    answer.get_by_role("button", name="This answer did not help").click()
    expect(answer).to_contain_text("could not be kept")
    expect(answer.get_by_role("button", name="This answer helped")).to_have_attribute("aria-pressed", "true")


def ratings(page: Page, folder: Path) -> list[Any]:
    """Return the verdicts on the answers of the talk on a page, with what they are verdicts on and why."""
    entries = json.loads(page.evaluate("Object.values(localStorage)[0]"))["entries"]
    query = (
        "SELECT response, verdict, reason FROM website_ratings LEFT JOIN website_reasons USING (answer) "
        f"WHERE answer IN ({', '.join('?' * len(entries))})"
    )
    with sqlite3.connect(folder / "conversations.db") as database:
        return database.execute(query, [entry["id"] for entry in entries]).fetchall()


def test_a_topic_of_the_page_starts_the_chat(page: Page) -> None:
    page.get_by_role("button", name="Exercises").click()
    chat = Chat(page)
    expect(chat.answers).to_have_count(2)
    expect(chat.said).to_contain_text("Which exercises are there for runner's knee?")
    expect(chat.answers.first).to_contain_text("I am the automated assistant")
    expect(chat.answers.last).to_contain_text("hamstring stretches")


def test_the_phone_is_one_tap_away(page: Page) -> None:
    Chat(page).open()
    expect(page.get_by_role("link", name=f"Call In Motion O.C. at {PHONE}")).to_have_attribute(
        "href", "tel:+19495550142"
    )


# ------------------------------------------------------------------ keeping and forgetting


def test_booking_goes_on_after_a_reload_and_on_another_page(page: Page) -> None:
    chat = Chat(page).open()
    chat.choose("Book a visit")
    expect(chat.answers.last).to_contain_text("name")
    chat.ask("Ana Ruiz")
    before = chat.log.locator(".bubble").all_inner_texts()
    page.reload()
    expect(chat.dialog).to_be_visible()
    assert chat.log.locator(".bubble").all_inner_texts() == before
    chat.ask("949-555-0133")
    page.goto(page.url + "?another=page")
    card = chat.read_back()
    expect(card.locator("dt")).to_contain_text(["Name", "Contact", "Would suit"])
    expect(card.locator("dd").first).to_have_text("Ana Ruiz")
    picture(page, "booking-card")
    page.evaluate("document.addEventListener('clinic-assistant:booked', () => { window.booked = true; })")
    chat.choose(chat.answers.last.locator(".choices button").first.inner_text())
    expect(chat.answers.last).to_contain_text("reference")
    assert page.evaluate("window.booked")
    picture(page, "booked")


def test_two_tabs_show_one_conversation(page: Page) -> None:
    first = Chat(page).open()
    other = page.context.new_page()
    other.goto(page.url)
    second = Chat(other).open()
    first.ask("What is runner's knee?")
    expect(second.answers).to_have_count(2)
    second.choose("What causes it?")
    expect(second.answers).to_have_count(3)
    expect(first.answers).to_have_count(3)
    expect(first.answers.last).to_contain_text("exercising too much")


def test_words_written_after_the_session_has_ended_are_answered(page: Page, folder: Path) -> None:
    chat = Chat(page).open()
    with sqlite3.connect(folder / "conversations.db") as database:
        database.execute("DELETE FROM website_sessions")
    chat.choose("What is runner's knee?")
    expect(chat.log.locator(".notice")).to_contain_text("has ended")
    expect(chat.answers.last).to_contain_text(DEFINITION)


# ------------------------------------------------------------------ when something fails


def test_the_server_is_killed_and_comes_back(page: Page, server: Server) -> None:
    chat = Chat(page).open()
    chat.ask("What is runner's knee?")
    server.kill()
    chat.choose("What causes it?")
    banner = chat.banner
    expect(banner).to_contain_text("cannot be reached")
    expect(banner.get_by_role("link", name=PHONE)).to_have_attribute("href", "tel:+19495550142")
    expect(chat.said.last).to_contain_text("Waiting to be sent")
    picture(page, "server-away")
    server.start()
    expect(chat.answers.last).to_contain_text("exercising too much")
    expect(chat.answers).to_have_count(3)
    expect(chat.said).to_have_count(2)
    expect(banner).to_have_count(0)


def test_a_page_whose_server_is_away_still_offers_the_phone(page: Page) -> None:
    page.route("**/chat/chat.js*", lambda route: route.abort())
    Chat(page).launcher.click()
    fault = page.locator("clinic-assistant .card")
    expect(fault.get_by_role("link", name=PHONE)).to_be_visible()
    picture(page, "chat-not-loaded")
    page.unroute("**/chat/chat.js*")
    Chat(page).open()
    expect(fault).to_be_empty()


def test_a_message_written_offline_is_kept_and_sent_once(page: Page) -> None:
    chat = Chat(page).open()
    page.context.set_offline(True)
    expect(chat.banner).to_contain_text("You are offline")
    chat.say("What is runner's knee?")
    expect(chat.said.last).to_contain_text("Waiting to be sent")
    picture(page, "offline")
    page.context.set_offline(False)
    expect(chat.answers.last).to_contain_text(DEFINITION)
    expect(chat.said).to_have_count(1)
    expect(chat.answers).to_have_count(2)
    expect(chat.banner).to_have_count(0)


def test_a_lost_answer_is_asked_for_again_and_shown_once(page: Page) -> None:
    chat = Chat(page).open()
    sent = deliveries(page)
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().json()["messages"][0]["id"])
        route.abort()

    page.route("**/chat/messages", lose_the_first)
    chat.say("What is runner's knee?")
    expect(chat.answers.last).to_contain_text(DEFINITION)
    expect(chat.answers).to_have_count(2)
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert lost[0].startswith(sent[0])


def test_a_message_survives_a_reload_before_its_answer(page: Page) -> None:
    chat = Chat(page).open()
    page.route("**/chat/messages", lambda route: route.abort())
    chat.say("What is runner's knee?")
    expect(chat.banner).to_be_visible()
    page.unroute("**/chat/messages")
    page.reload()
    expect(chat.answers.last).to_contain_text(DEFINITION)
    expect(chat.said).to_have_count(1)


def test_a_slow_answer_shows_that_it_is_coming_and_counts_as_unread_when_closed(page: Page) -> None:
    chat = Chat(page).open()
    held: list[Route] = []
    page.route("**/chat/messages", lambda route: held.append(route))
    chat.say("What is runner's knee?")
    expect(page.locator("clinic-assistant .typing")).to_be_visible()
    picture(page, "typing")
    chat.dialog.get_by_role("button", name="Close the chat").click()
    expect(chat.dialog).to_have_count(0)
    held[0].continue_()
    expect(chat.launcher).to_have_accessible_name("Ask about your knee, 1 unread")
    picture(page, "unread")
    page.reload()
    expect(chat.launcher).to_have_accessible_name("Ask about your knee, 1 unread")
    chat.launcher.click()
    expect(chat.answers.last).to_contain_text(DEFINITION)
    expect(chat.launcher).to_have_accessible_name("Ask about your knee")


def test_a_slowed_visitor_is_answered_later(page: Page) -> None:
    chat = Chat(page).open()
    slowed: list[Any] = []

    def slow_the_first(route: Route) -> None:
        if slowed:
            route.continue_()
            return
        slowed.append(route)
        route.fulfill(status=429, headers={"Retry-After": "3"}, json={})

    page.route("**/chat/messages", slow_the_first)
    chat.say("What is runner's knee?")
    expect(chat.banner).to_contain_text("this goes on in 3 s")
    expect(chat.banner.get_by_role("link", name=PHONE)).to_be_visible()
    picture(page, "slowed")
    expect(chat.answers.last).to_contain_text(DEFINITION)
    expect(chat.said).to_have_count(1)


def test_a_page_of_something_in_between_is_no_answer(page: Page) -> None:
    """A hotel's network answers with a page of its own: 200, and no JSON."""
    chat = Chat(page).open()
    page.route("**/chat/messages", lambda route: route.fulfill(status=200, content_type="text/html", body="<h1>Log in"))
    chat.say("What is runner's knee?")
    expect(chat.banner).to_contain_text("cannot be reached")
    expect(chat.banner.get_by_role("link", name=PHONE)).to_be_visible()
    page.unroute("**/chat/messages")
    expect(chat.answers.last).to_contain_text(DEFINITION)
    expect(chat.said).to_have_count(1)


def test_what_the_server_will_not_take_is_said_with_the_phone(page: Page) -> None:
    chat = Chat(page).open()
    page.route("**/chat/messages", lambda route: route.fulfill(status=413, json={}))
    chat.say("What is runner's knee?")
    expect(chat.notices).to_contain_text("could not be taken")
    expect(chat.notices.get_by_role("link", name=PHONE)).to_have_attribute("href", "tel:+19495550142")


# ------------------------------------------------------------------ a long talk


def test_who_reads_older_words_is_not_pulled_away_from_them(page: Page) -> None:
    chat = Chat(page).open()
    for question in ("What is runner's knee?", "What causes it?"):
        chat.ask(question)
    held: list[Route] = []
    page.route("**/chat/messages", lambda route: held.append(route))
    chat.say("What are the signs?")
    expect(page.locator("clinic-assistant .typing")).to_be_visible()
    chat.log.evaluate("log => { log.scrollTop = 0; }")
    page.wait_for_timeout(100)
    held[0].continue_()
    newer = chat.dialog.get_by_role("button", name="New answer")
    expect(newer).to_be_visible()
    assert chat.log.evaluate("log => log.scrollTop") == 0
    picture(page, "new-answer")
    newer.click()
    expect(newer).to_have_count(0)
    expect(chat.answers.last).to_be_in_viewport()


def test_a_talk_is_copied_saved_and_printed(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.context.add_init_script("window.print = () => { document.title += ' printed'; }")
    chat = Chat(page).open()
    chat.ask("What is runner's knee?")
    chat.pick("Copy this chat")
    expect(chat.dialog.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    for part in ("In Motion O.C., +1 949-555-0142", "You, ", "What is runner's knee?", DEFINITION, "Source: “What"):
        assert part in copied
    with page.expect_download() as download:
        chat.dialog.get_by_role("button", name="Save it as a file").click()
    assert download.value.path().read_text() == copied
    chat.dialog.get_by_role("button", name="More").click()
    with page.expect_popup() as popup:
        chat.dialog.get_by_role("button", name="Print it").click()
    expect(popup.value.locator("pre")).to_contain_text(DEFINITION)


def test_what_is_too_long_is_cut_and_said_to_be(page: Page) -> None:
    chat = Chat(page).open()
    chat.field.fill("x" * 1_200)
    expect(chat.field).to_have_value("x" * 1_000)
    expect(chat.dialog.locator(".count")).to_have_text("Cut after 1000 characters")


def test_a_long_talk_is_not_drawn_again_and_again(page: Page) -> None:
    """Each message writes its time when it is drawn: of a talk twice as long, twice as many are written."""
    page.context.add_init_script(
        """window.drawn = 0;
        const write = Date.prototype.toLocaleTimeString;
        Date.prototype.toLocaleTimeString = function (...how) { window.drawn++; return write.apply(this, how); };"""
    )

    def answer(route: Route) -> None:
        said = json.loads(route.request.post_data or "{}")["id"]
        message = {"id": f"{said}.0", "text": "Yes.", "source": None, "buttons": [], "card": [], "response": "utter_x"}
        route.fulfill(json={"messages": [message], "token": "x", "expires_in": 3600})

    page.reload()
    page.route("**/chat/messages", answer)
    chat = Chat(page).open()
    drawn = []
    for number in range(20):
        page.evaluate(f"clinicAssistant.ask('Question {number}')")
        expect(chat.answers).to_have_count(number + 2)
        drawn.append(page.evaluate("window.drawn"))
    assert drawn[19] - drawn[9] <= 1.2 * drawn[9]


def test_another_tab_counts_what_is_unread(page: Page) -> None:
    chat = Chat(page).open()
    other = page.context.new_page()
    other.goto(page.url)
    held: list[Route] = []
    page.route("**/chat/messages", lambda route: held.append(route))
    chat.say("What is runner's knee?")
    expect(page.locator("clinic-assistant .typing")).to_be_visible()
    chat.close()
    held[0].continue_()
    for tab in (page, other):
        expect(Chat(tab).launcher).to_have_accessible_name("Ask about your knee, 1 unread")
        expect(tab.locator("clinic-assistant").get_by_role("status").last).to_have_text("1 unread from the assistant")
