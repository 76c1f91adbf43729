"""Requests as no sane client sends them, and random ones, over bare sockets."""

import json
import random
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SECONDS_TO_ANSWER = 15
_STATUS = re.compile(rb"(?:^|\n)HTTP/1\.1 (\d{3}) ")
_MESSAGE = b'{"sender": "ana", "message": "hi"}'


def exchange(port: int, sent: bytes, source: str = "127.0.0.1") -> list[int]:
    """Return the statuses that a server of this machine answers with until it closes the connection.

    Args:
        source: the loopback address to call from.

    Raises:
        TimeoutError: it neither answers nor closes.
    """
    with socket.create_connection(("127.0.0.1", port), SECONDS_TO_ANSWER, (source, 0)) as connection:
        received = b""
        try:
            connection.sendall(sent)
            while part := connection.recv(65_536):
                received += part
        except (ConnectionResetError, BrokenPipeError):
            # It has closed with some of this unread, as it may after a refusal.
            pass
    return [int(status) for status in _STATUS.findall(received)]


def _request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, *headers, b"Connection: close", b"", body])


def oddities(path: str) -> dict[str, bytes]:
    """Return complete requests to a route that takes JSON, by what is odd about them."""
    get, post, host = f"GET {path} HTTP/1.1".encode(), f"POST {path} HTTP/1.1".encode(), b"Host: localhost"
    chunked = b"Transfer-Encoding: chunked"

    def sized(*lengths: bytes) -> bytes:
        return _request(post, host, *(b"Content-Length: " + length for length in lengths), body=_MESSAGE)

    def in_chunks(size: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
        return _request(post, host, chunked, body=size + b"\r\n" + _MESSAGE + b"\r\n" + end)

    length = str(len(_MESSAGE)).encode()
    size = f"{len(_MESSAGE):x}".encode()
    return {
        "a negative length": sized(b"-1"),
        "a signed length": sized(b"+" + length),
        "two lengths": sized(length, length),
        "two different lengths": sized(length, b"5"),
        "a list of lengths": sized(length + b", " + length),
        "an underscored length": sized(b"1_0"),
        "a hexadecimal length": sized(b"0x22"),
        "a length in other digits": sized("٣٤".encode()),
        "no length": sized(b""),
        "a huge length": sized(b"9" * 4000),
        "a length beyond all bodies": sized(b"99999999999"),
        "a length and chunks": _request(
            post, host, b"Content-Length: 5", chunked, body=size + b"\r\n" + _MESSAGE + b"\r\n0\r\n\r\n"
        ),
        "chunks and a length": _request(
            post, host, chunked, b"Content-Length: 5", body=size + b"\r\n" + _MESSAGE + b"\r\n0\r\n\r\n"
        ),
        "a space before the colon": _request(post, host, b"Content-Length : " + length, body=_MESSAGE),
        "an unknown coding": _request(post, host, b"Transfer-Encoding: identity"),
        "two codings": _request(post, host, b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
        "a coding in capitals": _request(post, host, b"TRANSFER-ENCODING: CHUNKED", body=b"0\r\n\r\n"),
        "chunks": in_chunks(size),
        "a negative chunk": in_chunks(b"-" + size),
        "a signed chunk": in_chunks(b"+" + size),
        "a chunk with 0x": in_chunks(b"0x" + size),
        "a spaced chunk": in_chunks(b" " + size + b" "),
        "a huge chunk": in_chunks(b"F" * 40),
        "a chunk beyond all bodies": in_chunks(b"FFFFFFFF"),
        "a chunk of words": in_chunks(b"many"),
        "a chunk with a long extension": in_chunks(size + b";" + b"a" * 5000),
        "a wrong chunk": in_chunks(b"5"),
        "a trailer": in_chunks(size, b"0\r\nX-After: all\r\n\r\n"),
        "bytes in a header": _request(get, host, b"X-Name: \xff\xfe\x80"),
        "bytes in the name of a header": _request(get, host, b"X-\xff: name"),
        "bytes in a token": _request(get, host, b"Authorization: Bearer \xff\xfe", b"X-Action-Token: \xff\xfe"),
        "bytes in a cookie": _request(get, host, b"Cookie: a=\xff\xfe; \xff=b; ;;="),
        "bytes in the host": _request(get, b"Host: \xff\xfe:80:x"),
        "bytes in an address": _request(get, host, b"X-Forwarded-For: \xff", b"Forwarded: for=\xff;by=", b"Via: \xff"),
        "bytes in a path": _request(b"GET /\xff\xfe HTTP/1.1", host),
        "escaped bytes in a path": _request(f"GET {path}/%ff%fe%00?%ff=%fe&=&a HTTP/1.1".encode(), host),
        "a zero in a header": _request(get, host, b"X-Name: a\x00b"),
        "a bare line feed": _request(get, host, b"X-Name: a\nContent-Length: 5"),
        "a folded header": _request(get, host, b"X-Name: a", b" b"),
        "a header without a colon": _request(get, host, b"X-Name"),
        "a header without a name": _request(get, host, b": a"),
        "a huge header": _request(get, host, b"X-Name: " + b"a" * 200_000),
        "many headers": _request(get, host, *[b"X-Name: a"] * 700),
        "a huge path": _request(b"GET /" + b"a" * 100_000 + b" HTTP/1.1", host),
        "a time stamp of 400 digits": _request(
            post,
            host,
            b"X-Slack-Request-Timestamp: " + b"9" * 400,
            b"X-Slack-Signature: v0=" + b"0" * 64,
            b"Content-Type: application/json",
            b"Content-Length: " + length,
            body=_MESSAGE,
        ),
        "bytes in the body": _request(
            post, host, b"Content-Type: application/json", b"Content-Length: 2", body=b"\xff\xfe"
        ),
        "an unknown charset": _request(
            post, host, b"Content-Type: application/json; charset=none", b"Content-Length: " + length, body=_MESSAGE
        ),
        "an unknown expectation": _request(
            post, host, b"Expect: miracles", b"Content-Length: " + length, body=_MESSAGE
        ),
        "an upgrade": _request(get, host, b"Upgrade: websocket", b"Sec-WebSocket-Key: \xff"),
        "no host": _request(get),
        "two hosts": _request(get, host, host),
        "a whole address": _request(f"GET http://clinic.example{path} HTTP/1.1".encode(), host),
        "an address that is none": _request(b"GET http://[::1 HTTP/1.1", host),
        "no path": _request(b"OPTIONS * HTTP/1.1", host),
        "a tunnel": _request(b"CONNECT localhost:22 HTTP/1.1", host),
        "HTTP 0.9": f"GET {path}\r\n\r\n".encode(),
        "HTTP 1.0": _request(f"GET {path} HTTP/1.0".encode()),
        "HTTP 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "HTTP 3": _request(f"GET {path} HTTP/3.0".encode(), host),
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "a proxy named by itself": _request(get, host, b"Via: 1.1 somewhere"),
        "ten at once": b"\r\n".join([get, host, b"", b""]) * 9 + _request(get, host),
        "rubbish after a request": _request(get, host) + b"\xff" * 3000,
    }


def halves(path: str) -> dict[str, bytes]:
    """Return requests whose end never comes."""
    post, length = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n".encode(), b"Content-Length: 500\r\n"
    return {
        "half a line": f"POST {path}".encode(),
        "half a head": post + length,
        "half a body": post + length + b"\r\n{",
        "half a chunk": post + b"Transfer-Encoding: chunked\r\n\r\n50\r\n{",
        "half a body for nobody": b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n{",
    }


# ---------------------------------------------------------------- random requests

_METHODS = ("GET", "POST", "POST", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "X")
_PARAMETER = re.compile(r"<[^>]*>")
_WORDS = ("x", "1", "%ff", "%00", "..", "%2e%2e%2f", "~", "'", "%F0%9F%92%A9", "a" * 300, "chat.js", "-1", "{}")
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**40, 1e308, "", "x", "0", "\ud800", "\x00", "a" * 3000, "/restart", "١٢"),
    *([], {}, [[]], {"": None}, [None] * 50, "1e999", "-" * 40, "<b>", "'; --", "${x}"),
)
_TYPES = (
    *("application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded", "text/plain"),
    *("multipart/form-data", "multipart/form-data; boundary=", "\xff", "", "a" * 500),
)
_HEADERS = {
    "Content-Type": _TYPES,
    "Content-Encoding": ("gzip", "deflate", "identity", "br"),
    "Accept-Encoding": ("gzip", "*;q=0", "\xff"),
    "Accept": ("*/*", "text/html", "a/b/c", "\xff"),
    "Authorization": ("Bearer x", "Bearer a.b.c", "Bearer \xff", "Basic x", "Basic \xff", "Basic eDp5", "Digest", ""),
    "Cookie": ("a=b", "=", ";;", "a=\xff", 'a="\\400"', "known=x"),
    "Host": ("", "x:99999999", "[::1", "a,b", "\xff"),
    "Origin": ("null", "http://x", "\xff", "http://[", "//"),
    "Referer": ("\xff", "http://[", "a" * 2000),
    "Forwarded": ("for=x;by=", "for=\xff", 'for="[::1', ";;==,"),
    "X-Forwarded-For": ("1.2.3.4", "x", "1.2.3.4, \xff", ",,,", "::1%x", "a" * 900),
    "X-Forwarded-Proto": ("https", "x", ""),
    "X-Forwarded-Port": ("x", "-1", "99999999999999"),
    "X-Forwarded-Host": ("\xff", "x"),
    "X-Real-IP": ("x", "\xff"),
    "Via": ("1.1 x", "\xff"),
    "X-Action-Token": ("x", "\xff", ""),
    "X-Slack-Request-Timestamp": ("9" * 400, "x", "-1", "1e9", "\xb3"),
    "X-Slack-Signature": ("v0=x", "\xff"),
    "X-Hub-Signature-256": ("sha256=x", "\xff", "sha256="),
    "X-Twilio-Signature": ("x", "\xff"),
    "X-Telegram-Bot-Api-Secret-Token": ("x", "\xff"),
    "X-Request-ID": ("x", "\xff", "a" * 500),
    "If-None-Match": ("*", '"x"', "\xff"),
    "If-Modified-Since": ("yesterday", "Thu, 99 Foo 99999 99:99:99 GMT"),
    "Range": ("bytes=5-1", "bytes=-", "x=0-1"),
    "Upgrade": ("websocket", "h2c"),
    "Sec-Fetch-Site": ("cross-site", "x"),
    "Sec-WebSocket-Key": ("x",),
}


@dataclass
class Fuzz:
    """Makes random requests, the same ones each time.

    Attributes:
        routes: paths, with their parameters as in "/files/<name>".
        bodies: well-formed bodies, of which parts are replaced.
        proofs: headers that prove a caller, some of which are sent with most requests.
    """

    routes: Sequence[str]
    bodies: Sequence[Any]
    proofs: Sequence[dict[str, str]]
    seed: int

    def requests(self, count: int) -> Iterator[bytes]:
        chooser = random.Random(self.seed)
        for _ in range(count):
            yield self._request(chooser)

    def _request(self, chooser: random.Random) -> bytes:
        path = _PARAMETER.sub(lambda _: chooser.choice(_WORDS), chooser.choice(self.routes))
        for part, odds in (("/" + chooser.choice(_WORDS), 0.1), ("?" + chooser.choice(_WORDS) + "=%ff&&=", 0.1)):
            path += part if chooser.random() < odds else ""
        body = self._body(chooser)
        headers = {"Host": "localhost", "Content-Type": "application/json"}
        headers |= chooser.choice(self.proofs) if chooser.random() < 0.8 else {}
        for name in chooser.sample(sorted(_HEADERS), chooser.choice((0, 0, 1, 2, 4))):
            headers[name] = chooser.choice(_HEADERS[name])
        if body or chooser.random() < 0.5:
            headers["Content-Length"] = str(len(body))
        lines = [
            f"{chooser.choice(_METHODS)} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body

    def _body(self, chooser: random.Random) -> bytes:
        kind = chooser.random()
        if kind < 0.1:
            return b""
        if kind < 0.2:
            return chooser.randbytes(chooser.choice((1, 20, 2000)))
        if kind < 0.25:
            return b"[" * chooser.choice((10, 5000, 30_000))
        if kind < 0.3:
            return b"Body=hi&From=%2B1949&MessageSid=SM1&payload={}&a=%ff&&=" * chooser.choice((1, 40))
        body = json.dumps(self._changed(chooser.choice(self.bodies), chooser)).encode()
        return body if kind < 0.9 else body[: chooser.randrange(len(body))]

    def _changed(self, value: Any, chooser: random.Random) -> Any:
        """Return a value with one of its parts, however deep, replaced or taken away."""
        if not value or not isinstance(value, dict | list) or chooser.random() < 0.15:
            return chooser.choice(_VALUES)
        if isinstance(value, list):
            place = chooser.randrange(len(value))
            return [*value[:place], self._changed(value[place], chooser), *value[place + 1 :]]
        name = chooser.choice(sorted(value))
        if chooser.random() < 0.15:
            return {kept: part for kept, part in value.items() if kept != name}
        return {**value, name: self._changed(value[name], chooser)}
