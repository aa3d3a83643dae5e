"""The rate of an account's polls."""

import pytest

from bridge.poller.rate_limiter import MAX_CATCH_UP, RateLimiter


def asked(per_second: float, share: float, seconds: float, oversleep: float = 0.0) -> list[float]:
    """Return the times of polls of a poller that always has due polls and wakes up this late."""
    limiter, now, found = RateLimiter(per_second), 100.0, []
    while now < 100 + seconds:
        wait = limiter.reserve(now, share)
        now += wait + oversleep if wait else 0
        found.append(now)
    return found


@pytest.mark.parametrize("oversleep", [0, 0.002, 0.02])
@pytest.mark.parametrize(("per_second", "share"), [(10, 1), (10, 0.5), (1500, 1), (1500, 0.25), (37, 0.5)])
def test_rate_is_reached_but_not_exceeded(per_second: float, share: float, oversleep: float) -> None:
    """Late wake-ups on a busy machine don't lower the rate."""
    found = asked(per_second, share, 60, oversleep)
    assert len(found) / 60 == pytest.approx(per_second * share, rel=0.05)


@pytest.mark.parametrize(("per_second", "share"), [(10, 1), (10, 0.5), (200, 1), (1500, 1)])
def test_no_burst(per_second: float, share: float) -> None:
    """No tenth of a second has more than the rate plus what may be made up, also at the start."""
    found, most = asked(per_second, share, 20), per_second * share * (0.1 + MAX_CATCH_UP) + 2
    first = 0
    for number, moment in enumerate(found):
        while found[first] < moment - 0.1:
            first += 1
        assert number - first + 1 <= most


def test_no_burst_after_idle_time() -> None:
    """Idle time is not made up for."""
    limiter = RateLimiter(100)
    limiter.reserve(100, 1)
    assert sum(limiter.reserve(5000, 1) == 0 for _ in range(100)) <= 100 * MAX_CATCH_UP + 1
