"""The delivery worker's own state, for who watches it: /health, /ready and /metrics on a port of its own."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, make_wsgi_app

from booking.metrics import Backlog
from booking.store import Bookings
from service.database import StoreUnavailable
from service.health import REFUSAL, may_read
from service.startup import StartError, check_port


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def serve_status(bookings: Bookings, environment: Mapping[str, str]) -> None:
    """Tell how the worker is on DELIVERY_HOST (127.0.0.1) and DELIVERY_PORT, in a thread; without a port do nothing.

    Raises:
        StartError: nothing can listen there.
    """
    port = environment.get("DELIVERY_PORT") or ""
    if not port:
        return
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise StartError("DELIVERY_PORT must be a port such as 5056.")
    host = environment.get("DELIVERY_HOST") or "127.0.0.1"
    check_port(host, int(port))
    REGISTRY.register(Backlog(bookings))
    server = make_server(host, int(port), _application(bookings), _Server, _QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _application(bookings: Bookings) -> Callable[..., Iterable[bytes]]:
    exposition = make_wsgi_app()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            is_here = ip_address(environ["REMOTE_ADDR"]).is_loopback
            if may_read(is_here, environ.get("HTTP_AUTHORIZATION", "")):
                return exposition(environ, start_response)
            status, body = "403 Forbidden", {"error": REFUSAL}
        elif path == "/ready":
            status, body = _ready(bookings)
        elif path == "/health":
            status, body = "200 OK", {"status": "ok"}
        else:
            status, body = "404 Not Found", {"error": "there is no such page"}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    return application


def _ready(bookings: Bookings) -> tuple[str, dict[str, Any]]:
    try:
        bookings.ping()
    except StoreUnavailable:
        return "503 Service Unavailable", {"status": "not ready", "parts": {"bookings": "away"}}
    return "200 OK", {"status": "ready", "parts": {"bookings": "ok"}}
