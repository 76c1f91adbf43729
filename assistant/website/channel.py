"""The website channel: the chat widget, its demo page and its protocol, under /chat/ of the Rasa server."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from typing import Any

from rasa.core.channels.channel import InputChannel, UserMessage
from rasa.shared.exceptions import RasaException
from sanic import Blueprint, Request, Sanic, response
from sanic.exceptions import SanicException
from sanic.response import HTTPResponse

from assistant.gate import Gate, stated
from assistant.web.health import health_of_server
from assistant.website.files import Files
from assistant.website.origins import METHODS, Origins
from assistant.website.output import WebsiteOutput
from assistant.website.sessions import Reply, Sessions
from assistant.website.talk import Talk
from clinic.intents import GREET
from clinic.profile import the_clinic
from service.database import Database, database_url
from service.limits import ConcurrencyLimit, Rate, TooLarge, TooMany, body_of
from service.secrets import secret

logger = logging.getLogger(__name__)

LARGEST_BODY = 32_768
_LEAST_SECRET = 32
_PREFIX = "/chat"
_MESSAGE_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_ANSWER_ID = re.compile(r"[A-Za-z0-9-]{8,64}\.\d{1,2}")
_VERDICTS = ("up", "down", None)
_REASONS = ("unasked", "unclear", "wrong", None)
_SECONDS_BETWEEN_SWEEPS = 60
_RATES = {
    "requests_per_address": {"burst": 120, "per_minute": 240},
    "sessions_per_address": {"burst": 30, "per_minute": 30},
    "messages_per_session": {"burst": 10, "per_minute": 30},
}
_AT_ONCE = {"at_once_per_address": 20, "at_once_per_session": 2}

Handler = Callable[[Request], Coroutine[Any, Any, HTTPResponse]]
Fault = Callable[[Request, int, str], HTTPResponse]


class Refused(Exception):
    """A request cannot be taken: the status to answer with, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class WebsiteChannel(InputChannel):
    """Serves the widget and takes visitors' messages.

    `POST /chat/session` begins a conversation; `messages`, `ratings` and `clear` need its token. Every fault is
    answered with JSON that holds the clinic's phone.
    """

    def __init__(self, sessions: Sessions, settings: dict[str, Any]) -> None:
        rates = {name: Rate(name, **settings.get(name, default)) for name, default in _RATES.items()}
        self._requests = rates["requests_per_address"]
        self._openings = rates["sessions_per_address"]
        self._messages = rates["messages_per_session"]
        at_once = {name: ConcurrencyLimit(int(settings.get(name, default))) for name, default in _AT_ONCE.items()}
        self._at_once_there = at_once["at_once_per_address"]
        self._at_once_here = at_once["at_once_per_session"]
        self._sessions = sessions
        self._clinic = the_clinic()
        self._origins = Origins(self._clinic)
        self._files = Files(self._clinic)
        self._turns: dict[tuple[str, str], asyncio.Task[Reply]] = {}

    @classmethod
    def name(cls) -> str:
        return "website"

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> "WebsiteChannel":
        """Return the channel with the limits that `credentials.yml` names.

        Raises:
            RasaException: a limit is unknown or malformed, or SESSION_SECRET is too short.
        """
        settings = credentials or {}
        unknown = settings.keys() - _RATES.keys() - _AT_ONCE.keys()
        if unknown:
            raise RasaException(f"credentials.yml: the website channel has no setting {', '.join(sorted(unknown))}.")
        signing = secret("SESSION_SECRET")
        if len(signing) < _LEAST_SECRET:
            raise RasaException(f"SESSION_SECRET must have at least {_LEAST_SECRET} characters.")
        sessions = Sessions(Database(database_url("conversations")), signing, the_clinic().session_minutes * 60)
        try:
            return cls(sessions, settings)
        except (TypeError, ValueError) as error:
            raise RasaException(f"credentials.yml: a limit of the website channel is malformed: {error}") from error

    def url_prefix(self) -> str:
        return _PREFIX

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        chat = Blueprint("website_channel")

        @chat.listener("before_server_start")
        async def prepare(_app: Sanic, _loop: asyncio.AbstractEventLoop) -> None:
            await self._sessions.prepare()

        @chat.listener("after_server_start")
        async def sweep(app: Sanic, _loop: asyncio.AbstractEventLoop) -> None:
            app.add_task(self._sweep(app))

        chat.middleware("response")(self._origins.share)
        for path, handler in {
            "/session": self._open,
            "/messages": self._message,
            "/ratings": self._rate,
            "/clear": self._clear,
        }.items():
            guarded = self._guarded(handler, self._fault)
            chat.add_route(guarded, path, methods=METHODS, name=path[1:], stream=True)
        talk = Talk(self._files, self._origins, self._sessions, self._begin, self._say)
        answer = self._guarded(talk.answer, talk.fault)
        chat.add_route(answer, "/talk", methods=["POST"], name="talk_form", stream=True)

        # Also here, for those who watch from outside and reach nothing but the chat.
        handlers = health_of_server().handlers()
        chat.add_route(handlers["/health"], "/health", name="health")
        chat.add_route(handlers["/ready"], "/ready", name="ready")

        @chat.get("/talk")
        async def show(request: Request) -> HTTPResponse:
            return talk.page(request)

        @chat.get("/check")
        async def check(request: Request) -> HTTPResponse:
            return self._check(request)

        @chat.get("/")
        async def demo(request: Request) -> HTTPResponse:
            # The page's own addresses are relative to the slash.
            if not request.path.endswith("/"):
                return response.redirect(f"{_PREFIX}/")
            return self._file(request, "index.html")

        @chat.get("/<name>")
        async def file(request: Request, name: str) -> HTTPResponse:
            return self._file(request, name or "index.html")

        return chat

    def _guarded(self, handler: Handler, fault: Fault) -> Handler:
        """Return a handler that keeps to origins and limits, and turns every fault into an answer by `fault`."""

        async def guarded(request: Request) -> HTTPResponse:
            address = request.remote_addr or request.ip
            retry: dict[str, str] = {}
            try:
                if not self._origins.may_embed(request):
                    raise Refused(403, "this web site is not among the clinic's origins")
                await self._requests.take(address)
                with self._at_once_there.hold(address):
                    answer = await handler(request)
            except Refused as refusal:
                answer = fault(request, refusal.status, refusal.reason)
            except TooLarge:
                answer = fault(request, 413, f"a request has at most {LARGEST_BODY} bytes")
            except TooMany as limit:
                answer = await self._urgent(request) or fault(request, 429, "too much at once; please wait a moment")
                retry = {"Retry-After": str(limit.seconds)} if answer.status == 429 else {}
            except SanicException:
                raise
            except Exception as error:
                logger.error("A request to %s failed: %s.", request.path, type(error).__name__)
                answer = await self._urgent(request) or fault(request, 503, "something went wrong on our side")
                retry = {"Retry-After": "5"} if answer.status == 503 else {}
            answer.headers.update({"Cache-Control": "no-store", **retry})
            return answer

        return guarded

    def _fault(self, _request: Request, status: int, reason: str) -> HTTPResponse:
        body = {"error": f"{reason}; or call {self._clinic.name} at {self._clinic.phone}", "phone": self._clinic.phone}
        return response.json(body, status=status)

    async def _open(self, request: Request) -> HTTPResponse:
        await _body(request)
        session = await self._begin(request)
        opening = await self._turn(request.app, session, "opening-message", None)
        return response.json(self._said(session, [{**each, "response": None} for each in opening]), status=201)

    async def _message(self, request: Request) -> HTTPResponse:
        session, body = await self._session(request), await _body(request)
        said = await self._say(request, session, body.get("id"), body.get("text"))
        return response.json(self._said(session, said))

    async def _rate(self, request: Request) -> HTTPResponse:
        session, body = await self._session(request), await _body(request)
        answer, verdict, reason = body.get("answer"), body.get("verdict", ""), body.get("reason")
        if not isinstance(answer, str) or not _ANSWER_ID.fullmatch(answer) or verdict not in _VERDICTS:
            raise Refused(400, "answer must be the id of an answer, and verdict up, down or null")
        if reason not in _REASONS or (reason and verdict != "down"):
            raise Refused(400, "reason must be unasked, unclear or wrong, of a verdict down")
        await self._messages.take(session)
        if not await self._sessions.rate(session, answer, verdict, reason):
            raise Refused(404, "there is no such answer to rate")
        return response.empty()

    async def _clear(self, request: Request) -> HTTPResponse:
        session = await self._session(request)
        await _body(request)
        await self._forget(request.app, [session])
        return response.empty()

    def _file(self, request: Request, name: str) -> HTTPResponse:
        missing = "there is no such page; the chat is made by `python -m widget build`"
        return self._files.answer(name, request) or self._fault(request, 404, missing)

    def _check(self, request: Request) -> HTTPResponse:
        """Tell a web master, and the widget itself, whether a site may hold the chat and what there is to do."""
        site = request.args.get("site", "")
        advice = self._origins.advice(site, request.host) if site else None
        if "application/json" not in request.headers.get("accept", ""):
            server = f"{request.scheme}://{request.host}"
            return self._files.page("check.html", request, advice=advice, server=server)
        answer = asdict(advice) if advice else {"advice": "Name a site: /chat/check?site=https://www.clinic.example"}
        return response.json(answer, headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"})

    async def _begin(self, request: Request) -> str:
        """Open a session and return it.

        Raises:
            TooMany: the request's address has opened too many.
        """
        await self._openings.take(request.remote_addr or request.ip)
        await self._forget(request.app, await self._sessions.expired())
        return await self._sessions.open()

    async def _say(self, request: Request, session: str, message: object, text: object) -> Reply:
        """Return what is said to a message of a session; to one that was answered before, the same again.

        Raises:
            Refused: the id or the text is malformed.
            TooMany: the session says too much.
        """
        if not isinstance(message, str) or not _MESSAGE_ID.fullmatch(message):
            raise Refused(400, "id must be 8 to 64 letters, digits or dashes")
        if not isinstance(text, str):
            raise Refused(400, "text must be a text")
        said = await self._sessions.reply(session, message)
        if said is None:
            await self._messages.take(session)
            with self._at_once_here.hold(session):
                said = await self._turn(request.app, session, message, text)
        return said

    async def _urgent(self, request: Request) -> HTTPResponse | None:
        """Return what care says to a message that could not be taken, whoever sent it, or None when it says nothing.

        An emergency waits for no quota, token or database. These words are not kept.
        """
        if request.path != f"{_PREFIX}/messages":
            return None
        try:
            body = await _body(request)
            text, message = body.get("text"), body.get("id")
            if not isinstance(text, str) or not isinstance(message, str):
                return None
            output = WebsiteOutput(self.name(), message)
            conversation = self._conversation(f"{hash(request.token)}")
            reply = await Gate.of(request.app).emergency(
                UserMessage(text, output, conversation, input_channel=self.name(), message_id=message)
            )
            for words in reply.words if reply else ():
                await output.send_response(conversation, words)
        except Exception as error:
            logger.error("An emergency could not be looked for: %s.", type(error).__name__)
            return None
        if not output.said:
            return None
        return response.json({"messages": output.said, "token": request.token, "expires_in": self._sessions.seconds})

    async def _session(self, request: Request) -> str:
        """Return the session of the request's token.

        Raises:
            Refused: the token is missing, forged, expired or cleared.
        """
        session = await self._sessions.of(request.token or "")
        if session is None:
            raise Refused(401, "this chat is over; a new one can be opened")
        return session

    async def _turn(self, app: Sanic, session: str, message: str, text: str | None) -> Reply:
        """Return the reply to a message, or to a visitor who has opened the chat (no `text`).

        A turn goes on when the visitor's connection ends, and a retry in between waits for the same turn.
        """
        key = session, message
        if key not in self._turns:
            self._turns[key] = asyncio.create_task(self._answer(app, session, message, text))
            self._turns[key].add_done_callback(lambda _: self._turns.pop(key))
        return await asyncio.shield(self._turns[key])

    async def _answer(self, app: Sanic, session: str, message: str, text: str | None) -> Reply:
        output = WebsiteOutput(self.name(), message)
        conversation = self._conversation(session)
        meaning = stated(GREET) if text is None else None
        await Gate.of(app)(
            UserMessage(text, output, conversation, parse_data=meaning, input_channel=self.name(), message_id=message)
        )
        kept = await self._sessions.keep(session, message, output.said)
        if kept is not None:
            return kept
        # Cleared since the message was let in.
        await app.ctx.agent.tracker_store.delete(conversation)
        return output.said

    async def _sweep(self, app: Sanic) -> None:
        """Forget the sessions whose time is over, for as long as the server runs, also when nobody opens another."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_SWEEPS)
            try:
                while expired := await self._sessions.expired():
                    await self._forget(app, expired)
            except Exception as error:
                logger.error("Forgetting the sessions that are over failed: %s.", type(error).__name__)

    async def _forget(self, app: Sanic, sessions: list[str]) -> None:
        """End sessions, and remove every trace of their conversations."""
        await self._sessions.close(sessions)
        running = [turn for (session, _), turn in self._turns.items() if session in sessions]
        await asyncio.gather(*running, return_exceptions=True)
        for session in sessions:
            await app.ctx.agent.tracker_store.delete(self._conversation(session))
        # What a turn that was still running has kept.
        if running:
            await self._sessions.close(sessions)

    def _conversation(self, session: str) -> str:
        return f"{self.name()}:{session}"

    def _said(self, session: str, said: Reply) -> dict[str, Any]:
        return {"messages": said, "token": self._sessions.token(session), "expires_in": self._sessions.seconds}


async def _body(request: Request) -> dict[str, Any]:
    """Read a request's body, which must be a JSON object; it is kept for who asks again.

    Raises:
        TooLarge: it is larger than `LARGEST_BODY`.
        Refused: it is something else.
    """
    if hasattr(request.ctx, "read"):
        kept: dict[str, Any] = request.ctx.read
        return kept
    content = await body_of(request, LARGEST_BODY)
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body must be JSON") from error
    if not isinstance(body, dict):
        raise Refused(400, "the body must be a JSON object")
    request.ctx.read = body
    return body
