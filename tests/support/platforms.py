"""The platforms' own servers as their documentation describes them, on loopback: what the channels call to answer.

Each takes the calls of one platform at its real paths, refuses what the platform would refuse in the platform's own
shapes, keeps what it was sent, and is limited, slow or away on demand.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# What a platform does with a call beside answering it.
CLOSE = "close"
SILENCE = "silence"


@dataclass
class Call:
    """A call that came in.

    Attributes:
        path: without the query.
        query: the query's values, one a name.
        body: the JSON object or form that was posted; of a form one value a name.
        at: when, in seconds of the monotonic clock.
    """

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)


@dataclass
class Answer:
    """How a call is answered; `body` becomes JSON, or stands as it is when it is a text."""

    status: int
    body: dict[str, Any] | str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Refusal(Exception):
    """A call is not what the documentation asks for."""

    answer: Answer


class Platform:
    """One platform's API on a port of 127.0.0.1.

    Attributes:
        calls: every call that came in whole, in order.
        sent: what was taken for a person to see, in order.
        script: what happens to the next calls instead of the usual: an `Answer`, a fault, or seconds to wait before the
            usual answer.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.sent: list[Call] = []
        self.script: list[Answer | str | float] = []
        self.released = threading.Event()
        self._port = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "Platform":
        platform = self
        self.released.clear()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer = platform._take(self._call())
                if answer is None:
                    self.close_connection = True
                    return
                content = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST

            def _call(self) -> Call:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                kind = (self.headers.get("Content-Type") or "").split(";")[0]
                body = json.loads(content) if kind == "application/json" else _one_each(content)
                address = urlsplit(self.path)
                return Call(address.path, _one_each(address.query), dict(self.headers), body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse every connection meanwhile."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def limited(self, seconds: int) -> Answer:
        """Return the platform's way to say that it was called too often."""
        raise NotImplementedError

    def answer(self, call: Call) -> Answer:
        """Answer a call as the platform does.

        Raises:
            Refusal: the call is not what the documentation asks for.
        """
        raise NotImplementedError

    def _take(self, call: Call) -> Answer | None:
        with self._lock:
            self.calls.append(call)
            step = self.script.pop(0) if self.script else 0.0
        if isinstance(step, Answer):
            return step
        if step == SILENCE:
            self.released.wait()
        if isinstance(step, str):
            return None
        time.sleep(step)
        try:
            with self._lock:
                return self.answer(call)
        except Refusal as refusal:
            return refusal.answer


class Telegram(Platform):
    """The Bot API (https://core.telegram.org/bots/api).

    Attributes:
        webhook: what `setWebhook` was last called with.
    """

    TOKEN = "7000001:AAtests-token_of_nobody-0123456789abcde"
    SECRET = "a-secret_of-the-tests"
    BOT = 7000001
    USERNAME = "InMotionKneeBot"

    def __init__(self) -> None:
        super().__init__()
        self.webhook: dict[str, Any] = {}

    def environment(self) -> dict[str, str]:
        return {
            "TELEGRAM_BOT_TOKEN": self.TOKEN,
            "TELEGRAM_WEBHOOK_SECRET": self.SECRET,
            "TELEGRAM_API_URL": self.url,
        }

    def limited(self, seconds: int) -> Answer:
        body = self._fault(429, f"Too Many Requests: retry after {seconds}").body
        assert isinstance(body, dict)
        return Answer(429, {**body, "parameters": {"retry_after": seconds}}, {"Retry-After": str(seconds)})

    def answer(self, call: Call) -> Answer:
        if not call.path.startswith("/bot") or call.path.count("/") != 2:
            return self._fault(404, "Not Found")
        token, method = call.path[len("/bot") :].split("/")
        if token != self.TOKEN:
            return self._fault(401, "Unauthorized")
        methods: dict[str, Callable[[Call], Any]] = {
            "getMe": self._get_me,
            "sendMessage": self._send_message,
            "sendChatAction": lambda _: True,
            "answerCallbackQuery": self._answer_callback_query,
            "editMessageReplyMarkup": lambda _: True,
            "setWebhook": self._set_webhook,
            "getWebhookInfo": lambda _: {"has_custom_certificate": False, "pending_update_count": 0, **self.webhook},
            "setMyCommands": lambda _: True,
        }
        if method not in methods:
            return self._fault(404, "Not Found: method not found")
        return Answer(200, {"ok": True, "result": methods[method](call)})

    def _get_me(self, _call: Call) -> dict[str, Any]:
        return {"id": self.BOT, "is_bot": True, "first_name": "In Motion", "username": self.USERNAME}

    def _send_message(self, call: Call) -> dict[str, Any]:
        body, text = call.body, call.body.get("text")
        if not isinstance(body.get("chat_id"), int | str):
            raise Refusal(self._fault(400, "Bad Request: chat_id is empty"))
        if not isinstance(text, str) or not text.strip():
            raise Refusal(self._fault(400, "Bad Request: message text is empty"))
        if len(text) > 4096:
            raise Refusal(self._fault(400, "Bad Request: message is too long"))
        rows = (body.get("reply_markup") or {}).get("inline_keyboard", [])
        for button in [button for row in rows for button in row]:
            if not button["text"] or not 1 <= len(button["callback_data"].encode()) <= 64:
                raise Refusal(self._fault(400, "Bad Request: BUTTON_DATA_INVALID"))
        self.sent.append(call)
        me = self._get_me(call)
        chat = {"id": body["chat_id"], "type": "private"}
        return {"message_id": len(self.sent), "from": me, "chat": chat, "date": int(time.time()), "text": text}

    def _answer_callback_query(self, call: Call) -> bool:
        if not call.body.get("callback_query_id"):
            raise Refusal(self._fault(400, "Bad Request: query is too old or query ID is invalid"))
        return True

    def _set_webhook(self, call: Call) -> bool:
        if not str(call.body.get("url", "")).startswith("https://"):
            raise Refusal(self._fault(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"))
        self.webhook = {name: value for name, value in call.body.items() if name != "secret_token"}
        return True

    @staticmethod
    def _fault(status: int, description: str) -> Answer:
        return Answer(status, {"ok": False, "error_code": status, "description": description})


class Messenger(Platform):
    """The Send API (https://developers.facebook.com/docs/messenger-platform/reference/send-api)."""

    PAGE_TOKEN = "EAAtests0token0of0nobody0123456789"
    APP_SECRET = "0123456789abcdef0123456789abcdef"
    VERIFY_TOKEN = "a verify token of the tests"

    def environment(self) -> dict[str, str]:
        return {
            "MESSENGER_PAGE_TOKEN": self.PAGE_TOKEN,
            "MESSENGER_APP_SECRET": self.APP_SECRET,
            "MESSENGER_VERIFY_TOKEN": self.VERIFY_TOKEN,
            "MESSENGER_API_URL": f"{self.url}/v25.0",
        }

    def limited(self, seconds: int) -> Answer:
        answer = self._fault(429, "(#613) Calls to this api have exceeded the rate limit.", 613, "OAuthException")
        return Answer(429, answer.body, {"Retry-After": str(seconds)})

    def throttled(self) -> Answer:
        """Return the Graph API's other way to say it: status 400, and the code alone tells."""
        return self._fault(400, "(#613) Calls to this api have exceeded the rate limit.", 613, "OAuthException")

    def answer(self, call: Call) -> Answer:
        if call.path != "/v25.0/me/messages":
            return self._fault(404, f"Unknown path components: {call.path}", 2500, "OAuthException")
        if call.query.get("access_token") != self.PAGE_TOKEN:
            return self._fault(400, "Invalid OAuth access token - Cannot parse access token", 190, "OAuthException")
        proof = hmac.new(self.APP_SECRET.encode(), self.PAGE_TOKEN.encode(), hashlib.sha256).hexdigest()
        if call.query.get("appsecret_proof", proof) != proof:
            return self._fault(400, "Invalid appsecret_proof provided in the API argument", 100, "GraphMethodException")
        recipient = (call.body.get("recipient") or {}).get("id")
        if not recipient:
            return self._fault(400, "(#100) The parameter recipient is required", 100)
        if "sender_action" in call.body:
            return Answer(200, {"recipient_id": recipient})
        self._check(call.body)
        self.sent.append(call)
        return Answer(200, {"recipient_id": recipient, "message_id": f"m_tests{len(self.sent)}"})

    def _check(self, body: dict[str, Any]) -> None:
        message = body.get("message") or {}
        text, replies = message.get("text"), message.get("quick_replies", [])
        if body.get("messaging_type") != "RESPONSE":
            raise Refusal(self._fault(400, "(#10) This message is sent outside of allowed window.", 10))
        if not isinstance(text, str) or not text:
            raise Refusal(self._fault(400, "(#100) Param message[text] must be a non-empty string", 100))
        if len(text) > 2000:
            raise Refusal(self._fault(400, "(#100) Length of param message[text] must be less than 2000", 100))
        if len(replies) > 13:
            raise Refusal(self._fault(400, "(#100) Param message[quick_replies] has too many elements.", 100))
        for reply in replies:
            fits = reply.get("content_type") == "text" and 1 <= len(reply["title"]) <= 20
            if not fits or not 1 <= len(reply["payload"]) <= 1000:
                raise Refusal(self._fault(400, "(#100) Invalid quick reply", 100))

    @staticmethod
    def _fault(status: int, message: str, code: int, kind: str = "OAuthException") -> Answer:
        return Answer(
            status, {"error": {"message": message, "type": kind, "code": code, "fbtrace_id": "AtestsTrace0123456789"}}
        )


class Slack(Platform):
    """The Web API (https://docs.slack.dev/reference/methods), and the response addresses of slash commands."""

    BOT_TOKEN = "xoxb-tests-0123456789-token-of-nobody"
    SIGNING_SECRET = "00112233445566778899aabbccddeeff"
    RESPONSES = "/commands/"

    def environment(self) -> dict[str, str]:
        return {
            "SLACK_BOT_TOKEN": self.BOT_TOKEN,
            "SLACK_SIGNING_SECRET": self.SIGNING_SECRET,
            "SLACK_API_URL": f"{self.url}/api",
        }

    def limited(self, seconds: int) -> Answer:
        return Answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(seconds)})

    def answer(self, call: Call) -> Answer:
        if call.path.startswith(self.RESPONSES):
            self._check_blocks(call.body)
            self.sent.append(call)
            return Answer(200, "ok")
        if call.path != "/api/chat.postMessage":
            return Answer(200, {"ok": False, "error": "unknown_method"})
        if call.headers.get("Authorization") != f"Bearer {self.BOT_TOKEN}":
            return Answer(200, {"ok": False, "error": "invalid_auth"})
        if not call.body.get("channel"):
            return Answer(200, {"ok": False, "error": "channel_not_found"})
        self._check_blocks(call.body)
        self.sent.append(call)
        stamp = f"{int(time.time())}.{len(self.sent):06}"
        return Answer(200, {"ok": True, "channel": call.body["channel"], "ts": stamp, "message": {"type": "message"}})

    def _check_blocks(self, body: dict[str, Any]) -> None:
        if not body.get("text"):
            raise Refusal(Answer(200, {"ok": False, "error": "no_text"}))
        blocks = body.get("blocks", [])
        if len(body["text"]) > 40_000:
            raise Refusal(Answer(200, {"ok": False, "error": "msg_too_long"}))
        identifiers = [element["action_id"] for block in blocks for element in block.get("elements", [])]
        if len(blocks) > 50 or len(set(identifiers)) < len(identifiers) or not all(map(self._is_block, blocks)):
            raise Refusal(Answer(200, {"ok": False, "error": "invalid_blocks"}))

    def _is_block(self, block: dict[str, Any]) -> bool:
        if block["type"] == "section":
            return block["text"]["type"] == "mrkdwn" and 1 <= len(block["text"]["text"]) <= 3000
        return (
            block["type"] == "actions"
            and 1 <= len(block["elements"]) <= 25
            and all(
                element["type"] == "button"
                and element["text"]["type"] == "plain_text"
                and 1 <= len(element["text"]["text"]) <= 75
                and 1 <= len(element["value"]) <= 2000
                and 1 <= len(element["action_id"]) <= 255
                for element in block["elements"]
            )
        )


class Twilio(Platform):
    """The Messages resource (https://www.twilio.com/docs/messaging/api/message-resource).

    Attributes:
        opted_out: the numbers whose person has sent STOP.
    """

    ACCOUNT = "AC00000000000000000000000000000001"
    AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
    PUBLIC_URL = "https://chat.clinic.example"

    def __init__(self) -> None:
        super().__init__()
        self.opted_out: set[str] = set()

    def environment(self) -> dict[str, str]:
        return {
            "TWILIO_ACCOUNT_SID": self.ACCOUNT,
            "TWILIO_AUTH_TOKEN": self.AUTH_TOKEN,
            "TWILIO_API_URL": self.url,
            "PUBLIC_URL": self.PUBLIC_URL,
        }

    def limited(self, seconds: int) -> Answer:
        return Answer(429, self._fault(429, 20429, "Too Many Requests").body, {"Retry-After": str(seconds)})

    def answer(self, call: Call) -> Answer:
        if call.path != f"/2010-04-01/Accounts/{self.ACCOUNT}/Messages.json":
            return self._fault(404, 20404, "The requested resource was not found")
        token = base64.b64encode(f"{self.ACCOUNT}:{self.AUTH_TOKEN}".encode()).decode()
        if call.headers.get("Authorization") != f"Basic {token}":
            return self._fault(401, 20003, "Authenticate")
        to, sender, body = (call.body.get(name, "") for name in ("To", "From", "Body"))
        if not body.strip():
            return self._fault(400, 21602, "Message body is required.")
        if len(body) > 1600:
            return self._fault(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
        if to.startswith("whatsapp:") != sender.startswith("whatsapp:"):
            return self._fault(400, 21910, "Invalid From and To pair.")
        if not re.fullmatch(r"(whatsapp:)?\+[1-9]\d{6,14}", to):
            return self._fault(400, 21211, "Invalid 'To' Phone Number")
        if to in self.opted_out:
            return self._fault(400, 21610, "Attempt to send to unsubscribed recipient")
        self.sent.append(call)
        sid = f"SM{len(self.sent):032x}"
        return Answer(201, {"sid": sid, "status": "queued", "to": to, "from": sender, "error_code": None})

    @staticmethod
    def _fault(status: int, code: int, message: str) -> Answer:
        more_info = f"https://www.twilio.com/docs/errors/{code}"
        return Answer(status, {"code": code, "message": message, "more_info": more_info, "status": status})


def _one_each(form: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(form, keep_blank_values=True).items()}
