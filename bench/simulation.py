"""Bad hours, simulated second by second: what piles up before the replicas of docs/scaling.md, and when it is gone.

Flows, not messages: each part takes as much a second as its cores allow by the measured costs, the oldest first.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

BEGINS, HORIZON = 60, 24 * 3600
"""Seconds: when the bad time begins, and when the simulation ends."""

SESSION_S = 45
"""Seconds until the group notices that a member has gone: its session's time-out."""

BURST = 10
"""Times its usual rate at which a provider sends what it has held back."""


class Plan(NamedTuple):
    """An installation."""

    rate: float
    """Messages a second."""
    reports: float
    """Per message."""
    headroom: Mapping[str, float]
    """By role, how many times its usual load its replicas can take."""
    trackers: int
    restore_s: float
    """Seconds in which one replica reads its partitions' states without a cache."""


class Trouble(NamedTuple):
    """What goes wrong."""

    text: str
    seconds: float
    silent: bool = False
    """A provider sends nothing, and all of it afterwards."""
    away: bool = False
    """Kafka takes and gives nothing."""
    lost: bool = False
    """One tracker's replica is gone, and its cache."""


TROUBLES = (
    Trouble("providers silent for 10 minutes, then ten times as fast", 600, silent=True),
    Trouble("Kafka unavailable for 2 minutes", 120, away=True),
    Trouble("one tracker lost with its cache", 0, lost=True),
)


class Told(NamedTuple):
    """What came of it, in seconds."""

    behind: float
    """The most by which the journal's oldest entry waited."""
    over: float | None
    """From the trouble's end until nothing waited any more; None: it never ended."""


class Queue:
    """What waits, oldest first: amounts by the second in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, float]] = deque()

    def take(self, now: int, came: float, most: float) -> float:
        """Let this much come and at most so much go; how much went."""
        if came:
            self._waiting.append((now, came))
        went = 0.0
        while self._waiting and went < most:
            at, amount = self._waiting.popleft()
            part = min(amount, most - went)
            went += part
            if amount - part > 1e-6:
                self._waiting.appendleft((at, amount - part))
        return went

    def age(self, now: int) -> int:
        """Seconds that the oldest has waited."""
        return now - self._waiting[0][0] if self._waiting else 0


def simulate(plan: Plan, trouble: Trouble) -> Told:
    """What a trouble does to an installation."""
    held, sent = Queue(), Queue()
    lost = 1 / plan.trackers if trouble.lost else 0.0
    lanes = [(Queue(), 1 - lost), (Queue(), lost)]
    ends = BEGINS + max(trouble.seconds, SESSION_S + plan.restore_s if trouble.lost else 0)
    usual = plan.rate * (1 + plan.reports)
    behind, over = 0.0, None
    for now in range(HORIZON):
        bad = BEGINS <= now < ends
        away, silent = bad and trouble.away, bad and trouble.silent
        told = plan.rate * plan.reports
        most = told * min(plan.headroom["receive"], BURST)
        callbacks = held.take(now, told, 0 if away or silent else most)
        events = sent.take(now, plan.rate, 0 if away else plan.rate * plan.headroom["intake"])
        for lane, share in lanes:
            gone = away or (bad and lane is lanes[1][0])
            lane.take(now, (callbacks + events) * share, 0 if gone else usual * plan.headroom["track"] * share)
        oldest = max(held.age(now) if away else 0, *(lane.age(now) for lane, _ in lanes))
        behind = max(behind, oldest)
        waits = max(held.age(now), sent.age(now), oldest)
        if now >= ends and waits == 0:
            over = now - ends
            break
    return Told(behind, over)
