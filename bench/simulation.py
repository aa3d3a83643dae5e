"""Simulates disturbances second by second: the backlog of a deployment of docs/scaling.md, and when it is gone.

It simulates flows, not messages: each role processes as much per second as its cores allow, the oldest first.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

START_SECONDS, END_SECONDS = 60, 24 * 3600
"""When the disturbance starts, and when the simulation ends."""

SESSION_TIMEOUT_SECONDS = 45
"""How long until the group notices that a member is gone."""

BURST_FACTOR = 10
"""A provider sends held-back callbacks at its usual rate times this."""


class Deployment(NamedTuple):
    """The capacity of a deployment and its load."""

    rate: float
    """Messages a second."""
    reports: float
    """Per message."""
    headroom: Mapping[str, float]
    """By role: its capacity as a multiple of its usual load."""
    trackers: int
    restore_seconds: float
    """How long one replica takes to restore its partitions without a cache."""


class Disturbance(NamedTuple):
    """A disturbance of a deployment."""

    text: str
    seconds: float
    silent: bool = False
    """A provider sends nothing, and everything afterwards."""
    away: bool = False
    """Kafka is unavailable."""
    lost: bool = False
    """One tracker is lost with its cache."""


DISTURBANCES = (
    Disturbance("providers silent for 10 minutes, then ten times as fast", 600, silent=True),
    Disturbance("Kafka unavailable for 2 minutes", 120, away=True),
    Disturbance("one tracker lost with its cache", 0, lost=True),
)


class SimulationResult(NamedTuple):
    """The effect of a disturbance."""

    max_delay_seconds: float
    """The longest time that an entry of the journal waited."""
    recovery_seconds: float | None
    """From the end of the disturbance until the backlog was gone; None: it never was."""


class Queue:
    """A backlog, oldest first: amounts by the second in which they arrived."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, float]] = deque()

    def advance(self, now: int, arriving: float, capacity: float) -> float:
        """Add what arrives, process up to the capacity, and return how much was processed."""
        if arriving:
            self._waiting.append((now, arriving))
        processed = 0.0
        while self._waiting and processed < capacity:
            at, amount = self._waiting.popleft()
            part = min(amount, capacity - processed)
            processed += part
            if amount - part > 1e-6:
                self._waiting.appendleft((at, amount - part))
        return processed

    def get_age(self, now: int) -> int:
        """Return how many seconds the oldest amount has waited."""
        return now - self._waiting[0][0] if self._waiting else 0


def simulate(deployment: Deployment, disturbance: Disturbance) -> SimulationResult:
    """Simulate a disturbance of a deployment."""
    held, sent = Queue(), Queue()
    lost = 1 / deployment.trackers if disturbance.lost else 0.0
    partitions = [(Queue(), 1 - lost), (Queue(), lost)]
    ends = START_SECONDS + max(
        disturbance.seconds, SESSION_TIMEOUT_SECONDS + deployment.restore_seconds if disturbance.lost else 0
    )
    usual = deployment.rate * (1 + deployment.reports)
    max_delay, recovery = 0.0, None
    for now in range(END_SECONDS):
        bad = START_SECONDS <= now < ends
        away, silent = bad and disturbance.away, bad and disturbance.silent
        reports = deployment.rate * deployment.reports
        capacity = reports * min(deployment.headroom["receive"], BURST_FACTOR)
        callbacks = held.advance(now, reports, 0 if away or silent else capacity)
        events = sent.advance(now, deployment.rate, 0 if away else deployment.rate * deployment.headroom["intake"])
        for queue, share in partitions:
            gone = away or (bad and queue is partitions[1][0])
            queue.advance(
                now, (callbacks + events) * share, 0 if gone else usual * deployment.headroom["track"] * share
            )
        oldest = max(held.get_age(now) if away else 0, *(queue.get_age(now) for queue, _ in partitions))
        max_delay = max(max_delay, oldest)
        waits = max(held.get_age(now), sent.get_age(now), oldest)
        if now >= ends and waits == 0:
            recovery = now - ends
            break
    return SimulationResult(max_delay, recovery)
