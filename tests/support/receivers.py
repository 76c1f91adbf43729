"""A real mail server and a real web server that receive what is delivered, and fail on demand."""

import asyncio
import datetime
import email
import email.policy
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What a receiver does with a message beside taking it.
CLOSE = "close"
SILENCE = "silence"


class MailServer:
    """Takes mail on 127.0.0.1. `script` holds what it does with each coming message: an SMTP answer, or a fault.

    Attributes:
        received: every message that came in whole, in order, also when the answer was a fault.
        hook: called with each message before it is answered.
    """

    def __init__(
        self, tls: ssl.SSLContext | None = None, starttls: bool = False, login: tuple[str, str] | None = None
    ) -> None:
        self.received: list[EmailMessage] = []
        self.script: list[str] = []
        self.hook: Callable[[EmailMessage], None] = lambda _: None
        self.released = threading.Event()
        self._tls, self._starttls, self._login = tls, starttls, login
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "MailServer":
        self._thread.start()
        made = self._loop.create_server(
            self._protocol, "127.0.0.1", 0, ssl=self._tls if self._tls and not self._starttls else None
        )
        self._server = asyncio.run_coroutine_threadsafe(made, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def ids(self) -> list[str]:
        return [message["Message-ID"] for message in self.received]

    def environment(self, security: str = "none") -> dict[str, str]:
        values = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self.port), "SMTP_SECURITY": security}
        if self._login:
            values |= {"SMTP_USER": self._login[0], "SMTP_PASSWORD": self._login[1]}
        return values

    def _protocol(self) -> SMTP:
        return SMTP(
            self,
            hostname="mail.example",
            enable_SMTPUTF8=True,
            tls_context=self._tls if self._starttls else None,
            require_starttls=self._starttls,
            authenticator=self._authenticate if self._login else None,
            auth_required=bool(self._login),
            auth_require_tls=self._starttls,
            loop=self._loop,
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=(data.login.decode(), data.password.decode()) == self._login, handled=False)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)  # type: ignore[arg-type]
        self.received.append(message)
        self.hook(message)
        answer = self.script.pop(0) if self.script else "250 Taken"
        if answer == CLOSE:
            server.transport.abort()
        elif answer == SILENCE:
            await asyncio.to_thread(self.released.wait)
        return answer


class WebReceiver:
    """Takes posts on 127.0.0.1. `script` holds what it does with each: a status, or a fault.

    Attributes:
        received: the headers and body of every post that came in whole, in order.
        hook: called with each body before it is answered.
    """

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.script: list[int | str] = []
        self.hook: Callable[[bytes], None] = lambda _: None
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                receiver.hook(body)
                answer = receiver.script.pop(0) if receiver.script else 200
                if answer == SILENCE:
                    receiver.released.wait()
                    answer = CLOSE
                if answer == CLOSE:
                    self.close_connection = True
                    return
                self.send_response(int(answer))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> "WebReceiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for headers, _ in self.received]

    def environment(self) -> dict[str, str]:
        return {"WEBHOOK_URL": self.url, "WEBHOOK_SECRET": "a secret of the tests"}


@contextmanager
def both(mail: MailServer | None = None) -> Iterator[tuple[MailServer, WebReceiver]]:
    """Start a mail server and a web receiver."""
    with mail or MailServer() as mails, WebReceiver() as posts:
        yield mails, posts


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1; return the file that makes it trusted, and the server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "certificate.pem", folder / "key.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return trusted, context
