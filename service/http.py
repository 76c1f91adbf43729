"""HTTP as both servers take it: only what is well formed, and each request only for so long.

Sanic reads some malformed requests in a way of its own, and a proxy before it perhaps in another: then a request could
hide in the body of the one before. Here they are refused before any of our code sees them.
"""

import re
from time import monotonic

from sanic.exceptions import BadRequest, InvalidHeader, RequestTimeout, SanicException
from sanic.helpers import STATUS_CODES
from sanic.http import Http, Stage
from sanic.server import HttpProtocol

from service.settings import settings

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# RFC 9112: no folded headers, no space before a colon, no control characters.
_HEAD = re.compile(rb"%s [!-~]+ HTTP/1\.[01](?:\r\n%s:[\t\x20-\x7e\x80-\xff]*)*" % (_TOKEN, _TOKEN))
_SIZE = {10: re.compile(r"[0-9]{1,18}"), 16: re.compile(r"[0-9A-Fa-f]{1,15}")}


class _Messages(Http):
    """Reads the requests of a connection, and refuses those that are malformed."""

    async def http1_request_header(self) -> None:
        """Read the head of a request.

        Raises:
            BadRequest: it is malformed.
        """
        await super().http1_request_header()
        if not _HEAD.fullmatch(self.request.head):
            # Where its body ends is not known.
            self.request_body = None
            raise BadRequest("Bad Request")
        if not self.request.head.isascii():
            self._make_headers_readable()
        self._forget_strange_wishes()

    def _make_headers_readable(self) -> None:
        """Replace bytes that are not UTF-8, which Sanic gives as text that nothing can encode, log or compare."""
        headers = self.request.headers
        readable = [(name, _readable(value)) for name, value in headers.items()]
        headers.clear()
        headers.extend(readable)

    def _forget_strange_wishes(self) -> None:
        """Take away an Accept that cannot be read: Sanic looks at it for the page of a fault, and fails again."""
        try:
            _ = self.request.accept
        except InvalidHeader:
            del self.request.headers["accept"]

    async def error_response(self, exception: Exception) -> None:
        """Refuse what is malformed or late with a bare answer; all other faults are the application's."""
        if self.protocol.conn_info and self.protocol.conn_info.lost:
            self.keep_alive = False
        elif self.stage is Stage.REQUEST and isinstance(exception, SanicException):
            self.keep_alive = False
            code = exception.status_code
            refusal = b"HTTP/1.1 %d %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            await self._send(refusal % (code, STATUS_CODES[code]))
        else:
            await super().error_response(exception)

    @staticmethod
    def _safe_int(value: str, base: int = 10) -> int:
        """Return the size of a body or of a chunk; Python would also take "+5", "1_0" or "٥" for a number."""
        if not _SIZE[base].fullmatch(value):
            raise ValueError(value)
        return int(value, base)


def _readable(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")


class Protocol(HttpProtocol):
    """Sanic's protocol with a time for the whole of a request to arrive, and not for the pause between two bytes."""

    HTTP_CLASS = _Messages

    def _setup(self) -> None:
        super()._setup()
        self.request_timeout = settings().sanic_request_timeout

    def data_received(self, data: bytes) -> None:
        """Take bytes; only the first ones of a request begin its time."""
        began, is_within = self._time, self._is_receiving()
        super().data_received(data)
        if is_within:
            self._time = began

    def check_timeouts(self) -> None:
        """End a request whose body does not come; Sanic leaves it to the time that an answer has, and answers 503."""
        http = self.http
        if self._task and self._awaits_body() and monotonic() - self._time > self.request_timeout:
            http.request_body = None
            http.exception = RequestTimeout("Request Timeout")
            self._task.cancel()
        else:
            super().check_timeouts()

    def _is_receiving(self) -> bool:
        # Sanic's `Http` counts as false until a handler runs.
        return self.http is not None and (self.http.stage is not Stage.IDLE or self._awaits_body())

    def _awaits_body(self) -> bool:
        # Before its first request a connection does not have it.
        return bool(getattr(self.http, "request_body", None))
