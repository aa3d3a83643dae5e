"""Counts attempts by how long ago they were sent: when the tracker begins to follow them, and when they end.

The age says when a message was sent, also where it is counted later: after an outage, or once its report has come at
last. So one can ask what became of the messages of one hour.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

from bridge.core.attempt import Followed, State
from bridge.core.delivery import Status
from bridge.core.entries import extract_provider
from bridge.observability.metrics import TrackerMetrics

AGES: Mapping[str, float] = {"1m": 60, "10m": 600, "1h": 3600, "6h": 21600, "more": float("inf")}
"""By label, the age in seconds up to which an attempt belongs to it."""

_LABELS, _LIMITS = tuple(AGES), tuple(AGES.values())

OUTCOMES = ("delivered", "not_delivered", "unknown")

Transition = tuple[str, State, State]
"""An attempt's key and its states before and after a batch."""


class CohortMetrics:
    """Counts the attempts that begin or end in a batch.

    Args:
        metrics: The tracker's metrics.
    """

    def __init__(self, metrics: TrackerMetrics) -> None:
        self._metrics = metrics
        self._providers: set[str] = set()

    def record(self, transitions: Iterable[Transition], now: float) -> None:
        """Count a batch that was committed at this time, in seconds since the epoch."""
        started: Counter[tuple[str, str]] = Counter()
        ended: Counter[tuple[str, str, str]] = Counter()
        for key, before, after in transitions:
            if not isinstance(after, Followed):
                continue
            is_new = not isinstance(before, Followed) or before.message_id != after.message_id
            has_ended = after.final_at is not None and (is_new or _is_open(before))
            if not (is_new or has_ended):
                continue
            provider, age = extract_provider(key), find_age(now - after.starts_at / 1000)
            if is_new:
                started[provider, age] += 1
            if has_ended:
                ended[provider, age, _find_outcome(after.status)] += 1
        for (provider, age), number in started.items():
            self._ensure_series(provider)
            self._metrics.attempts_started.labels(provider, age).inc(number)
        for (provider, age, outcome), number in ended.items():
            self._ensure_series(provider)
            self._metrics.attempts_ended.labels(provider, age, outcome).inc(number)

    def _ensure_series(self, provider: str) -> None:
        """Create all series of a provider at once, because sums over ages need each, and rare ones would be late."""
        if provider in self._providers:
            return
        self._providers.add(provider)
        for age in AGES:
            self._metrics.attempts_started.labels(provider, age)
            for outcome in OUTCOMES:
                self._metrics.attempts_ended.labels(provider, age, outcome)


def find_age(seconds: float) -> str:
    """Find the label of an age."""
    return _LABELS[bisect_left(_LIMITS, seconds)]


def _is_open(state: State) -> bool:
    return isinstance(state, Followed) and state.final_at is None


def _find_outcome(status: Status | None) -> str:
    if status is Status.DELIVERED:
        return "delivered"
    return "unknown" if status is Status.UNKNOWN else "not_delivered"
