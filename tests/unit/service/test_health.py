"""The state of a process, as those who watch it see it."""

import asyncio
import json
import socket
import time

import pytest
import requests

from service import health
from service.database import StoreUnavailable
from service.health import Health
from service.startup import StartError


def away() -> None:
    raise StoreUnavailable("OperationalError")


def there() -> None:
    pass


async def ready(state: Health) -> tuple[int, dict[str, object]]:
    answer = await state.ready()
    return answer.status, json.loads(answer.body)


async def test_a_process_is_ready_with_all_of_its_parts() -> None:
    assert await ready(Health({"store": there}, {"actions": there})) == (
        200,
        {"status": "ready", "parts": {"store": "ok", "actions": "ok"}},
    )


async def test_a_process_without_a_useful_part_stays_in_use() -> None:
    status, body = await ready(Health({"store": there}, {"actions": lambda: False}))
    assert (status, body["status"]) == (200, "degraded")


async def test_a_process_without_a_needed_part_is_not_ready() -> None:
    assert await ready(Health({"store": away})) == (503, {"status": "not ready", "parts": {"store": "away"}})


async def test_a_check_that_hangs_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_SECONDS_TO_CHECK", 0.05)

    async def hangs() -> None:
        await asyncio.sleep(60)

    begun = time.monotonic()
    assert (await ready(Health({"store": hangs})))[0] == 503
    assert time.monotonic() - begun < 5


def test_a_process_without_a_web_server_listens_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        with pytest.raises(StartError):
            Health({}).serve("127.0.0.1", port)
    Health({"bookings": away}).serve("127.0.0.1", port)
    address = f"http://127.0.0.1:{port}"
    assert requests.get(f"{address}/health").json() == {"status": "ok"}
    assert requests.get(f"{address}/ready").status_code == 503
    assert "python_info" in requests.get(f"{address}/metrics").text
    assert requests.get(f"{address}/other").status_code == 404
    monkeypatch.setenv("METRICS_TOKEN", "a token")
    assert requests.get(f"{address}/metrics").status_code == 403
    given = {"Authorization": "Bearer a token"}
    assert requests.get(f"{address}/metrics", headers=given).status_code == 200
