"""When polling of an account is paused."""

import random

import pytest

from bridge.poller.circuit_breaker import (
    FAILURE_THRESHOLD,
    FIRST_BACKOFF,
    MAX_BACKOFF,
    MAX_PAUSE,
    MAX_RETRY_AFTER,
    MIN_BACKOFF,
    REFUSED_PAUSE,
    REJECTION_PAUSE,
    REJECTION_THRESHOLD,
    CircuitBreaker,
    backoff,
)


def test_failures_open_the_circuit() -> None:
    """After several failures in a row polling pauses, then one poll tests the provider."""
    circuit = CircuitBreaker(random.Random(1))
    for number in range(FAILURE_THRESHOLD - 1):
        circuit.record_failure(100, f"{number}")
    assert not circuit.is_open(100)
    circuit.record_failure(100, "another")
    assert circuit.is_open(100)
    assert not circuit.is_open(100 + FIRST_BACKOFF)
    assert circuit.is_half_open
    circuit.record_success()
    assert not circuit.is_half_open


def test_success_between_failures_keeps_it_closed() -> None:
    """Single failures don't open the circuit."""
    circuit = CircuitBreaker(random.Random(1))
    for number in range(5 * FAILURE_THRESHOLD):
        circuit.record_failure(100, f"{number}")
        circuit.record_success()
    assert not circuit.is_open(100)


def test_retry_after_is_honoured() -> None:
    """A 429 with a time pauses polling for exactly that time."""
    circuit = CircuitBreaker(random.Random(1))
    circuit.record_rate_limit(100, 7)
    assert circuit.is_open(106.9)
    assert not circuit.is_open(107)


@pytest.mark.parametrize("wanted", [None, 0.0])
def test_rate_limit_without_a_time_backs_off(wanted: float | None) -> None:
    """A 429 without a time, or with a past one, also pauses polling."""
    circuit = CircuitBreaker(random.Random(1))
    circuit.record_rate_limit(100, wanted)
    assert circuit.is_open(100)
    assert not circuit.is_open(100 + FIRST_BACKOFF)


def test_refused_credentials_are_tried_once_a_minute() -> None:
    """So that the provider doesn't lock the account."""
    circuit = CircuitBreaker(random.Random(1))
    circuit.record_refusal(100)
    assert circuit.is_open(100 + REFUSED_PAUSE - 1)
    assert circuit.is_half_open


def test_pauses_double_up_to_a_maximum() -> None:
    """With full jitter, so that accounts that failed together don't retry together."""
    chance = random.Random(1)
    for failures in range(40):
        longest = min(MAX_BACKOFF, FIRST_BACKOFF * 2.0**failures)
        pauses = [backoff(failures, chance) for _ in range(400)]
        assert all(MIN_BACKOFF <= pause <= longest for pause in pauses)
        assert sum(pauses) / 400 == pytest.approx(longest / 2, rel=0.15)
        assert min(pauses) < longest / 4 < 3 * longest / 4 < max(pauses)


@pytest.mark.parametrize("wanted", [1e9, 1e300])
def test_retry_after_is_limited(wanted: float) -> None:
    """An hour is honoured; longer times are limited to an hour."""
    circuit = CircuitBreaker(random.Random(1))
    circuit.record_rate_limit(100, wanted)
    assert circuit.is_open(100 + MAX_RETRY_AFTER - 1)
    assert not circuit.is_open(100 + MAX_RETRY_AFTER)


def test_outage_counts_once() -> None:
    """Polls that were in flight when the circuit opened don't lengthen the pause."""
    circuit = CircuitBreaker(random.Random(1))
    for number in range(FAILURE_THRESHOLD + 20):
        circuit.record_failure(100, f"{number}")
    assert not circuit.is_open(100 + FIRST_BACKOFF)


def test_failed_probes_double_the_pause() -> None:
    """The longer an outage lasts, the rarer are the probes."""
    circuit, now, pauses = CircuitBreaker(random.Random(1)), 100.0, []
    for number in range(FAILURE_THRESHOLD):
        circuit.record_failure(now, f"{number}")
    for _ in range(6):
        began = now
        while circuit.is_open(now):
            now += 0.01
        pauses.append(now - began)
        circuit.record_failure(now, "probe")
    bounds = [FIRST_BACKOFF * 2**number for number in range(6)]
    assert all(pause <= bound + 0.02 for pause, bound in zip(pauses, bounds, strict=True))
    assert max(pauses) > 4 * FIRST_BACKOFF


def test_few_messages_that_fail_open_nothing() -> None:
    """However often the same ones do: they may be the only ones that are due."""
    circuit = CircuitBreaker(random.Random(1))
    for number in range(1_000):
        circuit.record_failure(100, f"{number % (FAILURE_THRESHOLD - 1)}")
    assert not circuit.is_open(100)
    assert not circuit.is_half_open


def test_pause_of_an_outage_is_limited() -> None:
    """New messages wait for the next probe."""
    circuit, now = CircuitBreaker(random.Random(1)), 100.0
    for number in range(100):
        circuit.record_failure(now, f"{number}")
        assert circuit.open_for(now) <= MAX_PAUSE + 0.001
        now += circuit.open_for(now)


def test_provider_that_rejects_everything_is_polled_slowly() -> None:
    """The pause doesn't grow: a message that isn't rejected must get its turn."""
    circuit, now = CircuitBreaker(random.Random(1)), 100.0
    for number in range(100):
        assert circuit.is_rejecting == (number > REJECTION_THRESHOLD)
        circuit.record_rejection(now, f"{number}")
        assert circuit.open_for(now) == pytest.approx(REJECTION_PAUSE if number >= REJECTION_THRESHOLD else 0)
        now += circuit.open_for(now)
    circuit.record_success()
    assert not circuit.is_half_open
