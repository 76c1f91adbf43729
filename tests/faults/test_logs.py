"""No log of any process holds what people type or who they are, at any level and whatever fails."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.faults.chat import READ_BACK, SENT, Chat
from tests.support.servers import ROOT, Server, actions, assistant, rasa

MARKS = ("Zaphodia", "Ruizmark", "949-555-0133", "9495550133", "(949) 555-0133", "markerword", "zaphodia@example.org")
SENDER = "sendermark-1"


def everything_goes_wrong(server: Server, helper: Server) -> None:
    chat = Chat(server, SENDER)
    for text in (
        "my name is Zaphodia Ruizmark and markerword hurts",
        "/restart Zaphodia",
        '/inform{"booking_name": "Zaphodia"}',
        "what are the treatments for lupus, asks Zaphodia",
        "book me a visit, Zaphodia Ruizmark, 949-555-0133, monday morning",
        "no, markerword is why I come",
        "my mail is zaphodia@example.org",
    ):
        assert chat.say(text)
    for body in (b"", b"Zaphodia", b'{"sender": "Zaphodia Ruizmark", "message": "markerword"}', b"\xff"):
        requests.post(f"{server.url}/webhooks/rest/webhook", data=body, timeout=60)
        requests.post(f"{helper.url}/webhook", data=body, headers={"X-Action-Token": "Zaphodia"}, timeout=60)
    requests.get(f"{server.url}/Zaphodia?text=markerword", timeout=60)
    helper.pause()
    chat.say("skip, says Zaphodia")
    helper.resume()
    helper.kill()
    chat.say("the reason is markerword")
    helper.start()


def assert_clean(logged: str) -> None:
    for mark in (*MARKS, SENDER):
        assert mark.lower() not in logged.lower(), mark


def test_json_at_debug_level_tells_every_turn_and_no_words(tmp_path: Path) -> None:
    told = {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json", "ACTION_TOKEN": secrets.token_hex(16)}
    helper = actions(tmp_path, told)
    server = rasa(tmp_path, {**told, "ACTION_URL": f"{helper.url}/webhook"})
    try:
        for one in (helper, server):
            one.start()
        everything_goes_wrong(server, helper)
    finally:
        server.kill()
        helper.kill()
    answering, acting = server.log.read_text(), helper.log.read_text()
    assert_clean(answering + acting)
    events = [json.loads(line) for line in answering.splitlines()]
    turns = [event for event in events if event["logger"] == "assistant.gate"]
    assert {turn["outcome"] for turn in turns} >= {"answered", "timeout"}
    assert len({turn["turn"] for turn in turns}) == len(turns)
    assert any(event["level"] == "debug" for event in events)
    # A turn bears one name in the logs of both servers.
    named = {json.loads(line).get("turn") for line in acting.splitlines()} - {None}
    assert named
    assert named <= {turn["turn"] for turn in turns}


def test_lines_for_people_are_short_and_tell_no_words(tmp_path: Path) -> None:
    with assistant(tmp_path, with_actions=True) as server:
        chat = Chat(server, SENDER)
        for text in ("book me a visit, Zaphodia Ruizmark, 949-555-0133, any monday morning", "skip", "skip"):
            said = chat.say(text)
        assert READ_BACK in said
        assert SENT in chat.say("yes")
    logged = server.log.read_text() + (tmp_path / "actions.log").read_text()
    assert_clean(logged)
    assert max(map(len, logged.splitlines())) < 160
    assert logged.count("outcome=answered") == 4


LEAKS = {
    "a library's line": "logging.getLogger('library').error('said %s', MARK)",
    "a library's line of its own making": "logging.getLogger('library').error(f'said {MARK}')",
    "a logger without handlers": (
        "l = logging.getLogger('sanic.error'); l.propagate = False; l.error('said %s', MARK)"
    ),
    "a line that cannot be formatted": "logging.getLogger('assistant.x').error('said %d', MARK)",
    "a fault with its words": (
        "try: raise ValueError(MARK)\nexcept ValueError: logging.getLogger('assistant.x').exception('failed')"
    ),
    "a fault with its causes": (
        "try:\n try: raise ValueError(MARK)\n except ValueError as e: raise KeyError(MARK) from e\n"
        "except KeyError: logging.getLogger('assistant.x').exception('failed')"
    ),
    "a warning": "warnings.simplefilter('always'); warnings.warn(MARK)",
    "a fault nobody catches": "raise ValueError(MARK)",
    "a fault in a thread": "t = threading.Thread(target=fail); t.start(); t.join()",
    "a task nobody waits for": (
        "async def main():\n asyncio.create_task(afail()); await asyncio.sleep(0.01); gc.collect()\nasyncio.run(main())"
    ),
    "structlog as Rasa sets it up": (
        "from rasa.utils.log_utils import configure_structlog\nconfigure_structlog(10)\n"
        "import structlog; structlog.get_logger('rasa.x').debug('event', text=MARK, slots=[MARK])"
    ),
}


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("leak", LEAKS)
def test_nothing_that_is_logged_brings_words_along(leak: str, form: str) -> None:
    code = (
        "import asyncio, gc, logging, threading, warnings\nfrom service import logs\nlogs.configure()\n"
        "MARK = 'Zapho' + 'dia'\n"
        "def fail(): raise ValueError(MARK)\nasync def afail(): raise ValueError(MARK)\n" + LEAKS[leak]
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "LOG_LEVEL": "DEBUG", "LOG_FORMAT": form},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_clean(done.stderr + done.stdout)
    assert "Traceback" not in done.stderr
    assert done.stderr or leak == "a line that cannot be formatted"
    if form == "json":
        assert all(isinstance(json.loads(line), dict) for line in done.stderr.splitlines())
