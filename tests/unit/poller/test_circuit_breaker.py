"""When an account is polled at all, and when it isn't."""

import random

import pytest

from bridge.poller.circuit_breaker import (
    FAILURE_THRESHOLD,
    FIRST_BACKOFF,
    MAX_BACKOFF,
    MAX_RETRY_AFTER,
    MIN_BACKOFF,
    REFUSED_PAUSE,
    CircuitBreaker,
    backoff,
)


def test_failures_in_a_row_open_the_circuit() -> None:
    """An account whose provider fails again and again isn't asked for a while, then one question probes."""
    circuit = CircuitBreaker(random.Random(1))
    for _ in range(FAILURE_THRESHOLD - 1):
        circuit.record_failure(100)
    assert not circuit.is_open(100)
    circuit.record_failure(100)
    assert circuit.is_open(100)
    assert not circuit.is_open(100 + FIRST_BACKOFF)
    assert circuit.is_half_open
    circuit.record_success()
    assert not circuit.is_half_open


def test_answers_between_failures_keep_it_closed() -> None:
    """Single failures are the internet."""
    circuit = CircuitBreaker(random.Random(1))
    for _ in range(5 * FAILURE_THRESHOLD):
        circuit.record_failure(100)
        circuit.record_success()
    assert not circuit.is_open(100)


def test_patience_is_what_the_provider_asks_for() -> None:
    """A 429 with a time is waited out exactly."""
    circuit = CircuitBreaker(random.Random(1))
    circuit.record_rate_limit(100, 7)
    assert circuit.is_open(106.9)
    assert not circuit.is_open(107)


@pytest.mark.parametrize("wanted", [None, 0.0])
def test_a_limit_without_a_time_is_backed_off_from(wanted: float | None) -> None:
    """A 429 that names no time, or one that has passed, is no leave to go on at full rate."""
    circuit = CircuitBreaker(random.Random(1))
    circuit.record_rate_limit(100, wanted)
    assert circuit.is_open(100)
    assert not circuit.is_open(100 + FIRST_BACKOFF)


def test_refused_credentials_are_tried_once_a_minute() -> None:
    """Nobody is locked out because we insist."""
    circuit = CircuitBreaker(random.Random(1))
    circuit.record_refusal(100)
    assert circuit.is_open(100 + REFUSED_PAUSE - 1)
    assert circuit.is_half_open


def test_pauses_double_up_to_a_bound() -> None:
    """Backoff has full jitter up to a bound that doubles, so that no two who failed together ask together again."""
    chance = random.Random(1)
    for failures in range(40):
        longest = min(MAX_BACKOFF, FIRST_BACKOFF * 2.0**failures)
        pauses = [backoff(failures, chance) for _ in range(400)]
        assert all(MIN_BACKOFF <= pause <= longest for pause in pauses)
        assert sum(pauses) / 400 == pytest.approx(longest / 2, rel=0.15)
        assert min(pauses) < longest / 4 < 3 * longest / 4 < max(pauses)


@pytest.mark.parametrize("wanted", [1e9, 1e300])
def test_no_header_ends_polling(wanted: float) -> None:
    """A provider that asks for an hour is left alone that long; who asks for years is asked again after an hour."""
    circuit = CircuitBreaker(random.Random(1))
    circuit.record_rate_limit(100, wanted)
    assert circuit.is_open(100 + MAX_RETRY_AFTER - 1)
    assert not circuit.is_open(100 + MAX_RETRY_AFTER)


def test_an_outage_counts_once() -> None:
    """Questions that were under way when the circuit opened don't make its pause longer."""
    circuit = CircuitBreaker(random.Random(1))
    for _ in range(FAILURE_THRESHOLD + 20):
        circuit.record_failure(100)
    assert not circuit.is_open(100 + FIRST_BACKOFF)


def test_failed_probes_double_the_pause() -> None:
    """An outage that lasts is asked about less and less often."""
    circuit, now, pauses = CircuitBreaker(random.Random(1)), 100.0, []
    for _ in range(FAILURE_THRESHOLD):
        circuit.record_failure(now)
    for _ in range(6):
        began = now
        while circuit.is_open(now):
            now += 0.01
        pauses.append(now - began)
        circuit.record_failure(now)
    bounds = [FIRST_BACKOFF * 2**number for number in range(6)]
    assert all(pause <= bound + 0.02 for pause, bound in zip(pauses, bounds, strict=True))
    assert max(pauses) > 4 * FIRST_BACKOFF
