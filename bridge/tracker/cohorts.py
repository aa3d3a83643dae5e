"""Counts attempts by how long ago they were sent: when the tracker begins to follow them, and when they end.

The age says when a message was sent, also where it is counted later: after an outage, or once its report has come at
last. So one can ask what became of the messages of one hour.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

from bridge.core.attempt import Followed, State
from bridge.core.delivery import Status
from bridge.core.entries import extract_full_account
from bridge.observability.metrics import AttemptMetrics
from bridge.state.keys import StateChange

AGES: Mapping[str, float] = {"1m": 60, "10m": 600, "1h": 3600, "6h": 21600, "more": float("inf")}
"""By label, the age in seconds up to which an attempt belongs to it."""

_LABELS, _LIMITS = tuple(AGES), tuple(AGES.values())

OUTCOMES = ("delivered", "not_delivered", "unknown")


class CohortMetrics:
    """Counts the attempts that begin or end in a batch.

    Args:
        metrics: The metrics of attempts.
    """

    def __init__(self, metrics: AttemptMetrics) -> None:
        self._metrics = metrics
        self._accounts: set[str] = set()

    def record(self, changes: Iterable[StateChange], now: float) -> None:
        """Count a batch that was committed at this time, in seconds since the epoch."""
        started: Counter[tuple[str, str]] = Counter()
        ended: Counter[tuple[str, str, str]] = Counter()
        for change in changes:
            before, after = change.before.state if change.before else None, change.after
            if not isinstance(after, Followed):
                continue
            is_new = not isinstance(before, Followed) or before.message_id != after.message_id
            has_ended = after.final_at is not None and (is_new or _is_open(before))
            if not (is_new or has_ended):
                continue
            full_account, age = extract_full_account(change.key), find_age(now - after.starts_at / 1000)
            if is_new:
                started[full_account, age] += 1
            if has_ended:
                ended[full_account, age, _find_outcome(after.status)] += 1
        for (full_account, age), number in started.items():
            provider, account = self._ensure_series(full_account)
            self._metrics.attempts_started.labels(provider, account, age).inc(number)
        for (full_account, age, outcome), number in ended.items():
            provider, account = self._ensure_series(full_account)
            self._metrics.attempts_ended.labels(provider, account, age, outcome).inc(number)

    def _ensure_series(self, full_account: str) -> tuple[str, str]:
        """Create all series of an account at once, because sums over ages need each, and rare ones would be late.

        Returns:
            Provider and account, as labels.
        """
        provider, _, account = full_account.partition(":")
        if full_account not in self._accounts:
            self._accounts.add(full_account)
            for age in AGES:
                self._metrics.attempts_started.labels(provider, account, age)
                for outcome in OUTCOMES:
                    self._metrics.attempts_ended.labels(provider, account, age, outcome)
        return provider, account


def find_age(seconds: float) -> str:
    """Find the label of an age."""
    return _LABELS[bisect_left(_LIMITS, seconds)]


def _is_open(state: State) -> bool:
    return isinstance(state, Followed) and state.final_at is None


def _find_outcome(status: Status | None) -> str:
    if status is Status.DELIVERED:
        return "delivered"
    return "unknown" if status is Status.UNKNOWN else "not_delivered"
