"""What a failed call to a platform means for the next try, and that its fault tells no token."""

from collections.abc import AsyncIterator, Iterator

import pytest

from assistant.messaging import api as outgoing
from assistant.messaging.api import Api, CallFailed, Refused, TryAgain
from tests.support.platforms import CLOSE, SILENCE, Answer, Telegram


@pytest.fixture
def platform() -> Iterator[Telegram]:
    with Telegram() as telegram:
        yield telegram


@pytest.fixture
async def api(platform: Telegram) -> AsyncIterator[Api]:
    client = Api(f"{platform.url}/bot{Telegram.TOKEN}")
    yield client
    await client.close()


async def fault_of(api: Api) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await api.post("/getMe", json={})
    assert Telegram.TOKEN not in f"{caught.value!r} {caught.value.what} {caught.value.__cause__}"
    return caught.value


async def test_an_answer_is_its_json(api: Api) -> None:
    assert (await api.post("/getMe", json={}))["result"]["username"] == Telegram.USERNAME


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (Answer(429, {}, {"Retry-After": "7"}), 7),
        (Answer(429, {}, {"Retry-After": "100000"}), outgoing.LONGEST_WAIT),
        (Answer(429, {}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 0),
        (Answer(429, {}, {"Retry-After": "-5"}), 0),
        (Answer(503, "<html>", {"Retry-After": "3"}), 3),
        (Answer(500, ""), 0),
        (CLOSE, 0),
    ],
)
async def test_what_may_pass_is_tried_again(platform: Telegram, api: Api, answer: Answer | str, wait: float) -> None:
    platform.script = [answer]
    fault = await fault_of(api)
    assert isinstance(fault, TryAgain)
    assert fault.wait == wait


@pytest.mark.parametrize("status", [400, 401, 403, 404, 301])
async def test_what_will_not_pass_is_given_up(platform: Telegram, api: Api, status: int) -> None:
    platform.script = [Answer(status, {"description": "No"})]
    fault = await fault_of(api)
    assert isinstance(fault, Refused)
    assert (fault.what, fault.answer) == (f"HTTP {status}", {"description": "No"})


async def test_a_platform_that_is_away_or_silent_is_tried_again(
    platform: Telegram, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with platform.away():
        assert isinstance(await fault_of(api), TryAgain)
    await api.close()
    monkeypatch.setattr(outgoing, "SECONDS", 0.3)
    platform.script = [SILENCE]
    assert isinstance(await fault_of(api), TryAgain)
    assert (await api.post("/getMe", json={}))["ok"]
