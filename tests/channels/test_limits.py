import pytest

from service import limits
from service.limits import AtOnce, Rate, TooMany


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_allows_a_burst_and_then_what_time_brings() -> None:
    clock = Clock()
    rate = Rate(burst=2, per_minute=30, clock=clock)
    rate.take("a")
    rate.take("a")
    with pytest.raises(TooMany) as too_many:
        rate.take("a")
    assert too_many.value.seconds == 2
    rate.take("b")
    clock.now = 2.0
    rate.take("a")
    with pytest.raises(TooMany):
        rate.take("a")


def test_a_rate_saves_up_no_more_than_its_burst() -> None:
    clock = Clock()
    rate = Rate(burst=2, per_minute=60, clock=clock)
    rate.take("a")
    clock.now = 1000.0
    rate.take("a")
    rate.take("a")
    with pytest.raises(TooMany):
        rate.take("a")


def test_a_rate_remembers_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEYS_KEPT", 10)
    rate = Rate(burst=1, per_minute=1, clock=Clock())
    for key in range(100):
        rate.take(str(key))
    assert len(rate) == 10
    with pytest.raises(TooMany):
        rate.take("99")


def test_places_are_given_back_also_after_a_fault() -> None:
    places = AtOnce(1)

    def fail() -> None:
        with places.hold("a"), places.hold("b"):
            raise RuntimeError

    with places.hold("b"), pytest.raises(TooMany):
        fail()
    with pytest.raises(RuntimeError):
        fail()
    with places.hold("a"), places.hold("b"):
        pass
