"""What a run has come to so far: kept up to date event by event, for whoever shows it and whoever waits for its end.

Nothing is judged here (`verdict.py`) and nothing shown (`screen.py`, `lines.py`).
"""

import time
from asyncio import Event as Signal
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime

from bridge.sandbox.demo.verification import Event, ExpectedResult, event_attempt_key

REMEMBERED = 64
"""Events that a screen may show."""

WINDOW = 3.0
"""Seconds over which a rate is taken."""


class RunStats:
    """Counts and latencies of one run. Durations are in seconds.

    Args:
        messages: How many will be sent.
    """

    def __init__(self, messages: int) -> None:
        self.messages = messages
        self.promises: dict[str, ExpectedResult] = {}
        """By attempt; those that were sent."""
        self.events: list[Event] = []
        """All that was read, in order."""
        self.recent: deque[Event] = deque(maxlen=REMEMBERED)
        self.ended: set[str] = set()
        """Attempts that have a final event."""
        self.statuses: dict[str, Counter[str]] = {}
        """By provider: how many attempts are there now."""
        self.sources: Counter[str] = Counter()
        """Events by how the bridge learnt what they say."""
        self.corrections = 0
        self.to_final: list[float] = []
        """From sent to the first final event's arrival here."""
        self.to_reader: list[float] = []
        """From the bridge's learning something to its event's arrival here."""
        self.bridge: Mapping[str, int] = {}
        """What the bridge counts itself; see `service.py`."""
        self._began: float | None = None
        self._ended: float | None = None
        self._arrivals: deque[float] = deque()
        self._settled = Signal()
        self._current: dict[str, str] = {}
        self._open: set[str] = set()

    @property
    def sent(self) -> int:
        """How many messages were sent."""
        return len(self.promises)

    @property
    def seconds(self) -> float:
        """From `start` to `stop`, or so far."""
        return 0.0 if self._began is None else (self._ended or time.monotonic()) - self._began

    @property
    def events_per_second(self) -> float:
        """Of late."""
        while self._arrivals and self._arrivals[0] < time.monotonic() - WINDOW:
            self._arrivals.popleft()
        return len(self._arrivals) / max(1.0, min(WINDOW, self.seconds))

    def start(self) -> None:
        """The clock runs."""
        self._began = time.monotonic()

    def stop(self) -> None:
        """The clock stands."""
        self._ended = time.monotonic()

    async def settled(self) -> None:
        """Return when all was sent and the last word about each message is what it must be."""
        await self._settled.wait()

    def promise(self, key: str, promise: ExpectedResult) -> None:
        """A message is being sent."""
        self.promises[key] = promise
        self._open.add(key)
        self._settled.clear()

    def take(self, event: Event, now: float) -> None:
        """An event was read.

        Args:
            event: As it was read.
            now: Seconds since the epoch.
        """
        key = event_attempt_key(event)
        self.events.append(event)
        self.recent.append(event)
        self._arrivals.append(time.monotonic())
        self.sources[event["source"]] += 1
        self.corrections += event["corrects"] is not None
        self._move(key, event)
        self.to_reader.append(now - _seconds(event["observed_at"]))
        if event["final"] and key not in self.ended:
            self.ended.add(key)
            self.to_final.append(now - _seconds(event["sent_at"]))

    def _move(self, key: str, event: Event) -> None:
        counts = self.statuses.setdefault(event["provider"], Counter())
        counts[event["status"]] += 1
        if before := self._current.get(key):
            counts[before] -= 1
        self._current[key] = event["status"]
        promise = self.promises.get(key)
        fulfilled = promise is not None and event["final"] and event["status"] == promise.status
        (self._open.discard if fulfilled else self._open.add)(key)
        if self.sent == self.messages and not self._open:
            self._settled.set()
        else:
            self._settled.clear()


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that this share of all values doesn't exceed; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _seconds(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()
