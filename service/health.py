"""The metrics of a process as Prometheus reads them at /metrics, and who may."""

import asyncio
import hmac
import ipaddress
import os
from functools import lru_cache

from prometheus_client import CONTENT_TYPE_LATEST, disable_created_metrics, generate_latest
from sanic import Request, response
from sanic.response import HTTPResponse

# When a counter began tells nobody here anything.
disable_created_metrics()
# What a proxy or a browser sends.
_OF_OTHERS = ("x-forwarded-for", "forwarded", "x-real-ip", "origin")
REFUSAL = "metrics need METRICS_TOKEN, or a program on this machine"


def is_from_here(request: Request) -> bool:
    """Tell whether a program of this machine asks, and neither a proxy nor a page in a browser."""
    return not any(header in request.headers for header in _OF_OTHERS) and _is_loopback(request.ip)


@lru_cache
def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def may_read(address_is_here: bool, authorization: str) -> bool:
    """Tell whether metrics may be read: with METRICS_TOKEN by who sends it, without it by programs of this machine."""
    token = os.environ.get("METRICS_TOKEN")
    if not token:
        return address_is_here
    # Sanic keeps bytes that are no UTF-8 as surrogates.
    given = authorization.encode(errors="surrogateescape")
    return hmac.compare_digest(given, f"Bearer {token}".encode())


async def exposition(request: Request) -> HTTPResponse:
    """Answer a request for the metrics of this process."""
    if not may_read(is_from_here(request), request.headers.get("authorization", "")):
        return response.json({"error": REFUSAL}, status=403)
    # In a thread, since a collector may ask a database.
    return response.raw(await asyncio.to_thread(generate_latest), content_type=CONTENT_TYPE_LATEST)
