"""Statistics of a run, updated with each event. The views show them, and the demo waits until they are complete.

The result is verified in `verification.py` and shown by `live_view.py` and `plain_view.py`.
"""

import time
from asyncio import Event as Signal
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime

from bridge.sandbox.demo.verification import Event, ExpectedResult, event_attempt_key, is_fulfilled

MAX_RECENT_EVENTS = 64
"""How many events are kept for the live view."""

RATE_WINDOW_SECONDS = 3.0


class RunStats:
    """Counts and latencies of one run.

    Args:
        messages: How many will be sent.
    """

    def __init__(self, messages: int) -> None:
        self.messages = messages
        self.expected: dict[str, ExpectedResult] = {}
        """By attempt key; every message that was sent."""
        self.events: list[Event] = []
        """All events, in the order in which they were read."""
        self.recent: deque[Event] = deque(maxlen=MAX_RECENT_EVENTS)
        self.ended: set[str] = set()
        """The keys of attempts that have a final event."""
        self.statuses: dict[str, Counter[str]] = {}
        """By provider: how many attempts have each status now."""
        self.sources: Counter[str] = Counter()
        """Events by source: callback, poll or deadline."""
        self.corrections = 0
        self.sent_to_final_seconds: list[float] = []
        """From `sent_at` until the first final event was read here."""
        self.observed_to_read_seconds: list[float] = []
        """From `observed_at` until the event was read here."""
        self.bridge_counts: Mapping[str, int] = {}
        """The bridge's own metrics; see `bridge_process.py`."""
        self._started: float | None = None
        self._stopped: float | None = None
        self._arrivals: deque[float] = deque()
        self._complete = Signal()
        self._current: dict[str, str] = {}
        """Each attempt's latest status."""
        self._open: set[str] = set()
        """The keys of attempts that don't have their expected final status."""

    @property
    def sent(self) -> int:
        """How many messages were sent."""
        return len(self.expected)

    @property
    def seconds(self) -> float:
        """From `start_clock` to `stop_clock`, or until now."""
        return 0.0 if self._started is None else (self._stopped or time.monotonic()) - self._started

    @property
    def events_per_second(self) -> float:
        """Over the last seconds."""
        while self._arrivals and self._arrivals[0] < time.monotonic() - RATE_WINDOW_SECONDS:
            self._arrivals.popleft()
        return len(self._arrivals) / max(1.0, min(RATE_WINDOW_SECONDS, self.seconds))

    @property
    def dead_letters(self) -> dict[str, int]:
        """How many dead letters the bridge has written, by reason."""
        counts = {name.partition(".")[::2]: count for name, count in self.bridge_counts.items()}
        return {reason: count for (name, reason), count in counts.items() if name == "dead_letters"}

    def start_clock(self) -> None:
        """Start measuring `seconds`."""
        self._started = time.monotonic()

    def stop_clock(self) -> None:
        """Stop measuring `seconds`."""
        self._stopped = time.monotonic()

    async def wait_until_complete(self) -> None:
        """Return when every message was sent and has its expected final status."""
        await self._complete.wait()

    def expect(self, key: str, expected: ExpectedResult) -> None:
        """Record the expected result of a message that is being sent."""
        self.expected[key] = expected
        self._open.add(key)
        self._complete.clear()

    def add_event(self, event: Event, now: float) -> None:
        """Record an event.

        Args:
            event: As it was read from Kafka.
            now: Seconds since the epoch.
        """
        key = event_attempt_key(event)
        self.events.append(event)
        self.recent.append(event)
        self._arrivals.append(time.monotonic())
        self.sources[event["source"]] += 1
        self.corrections += event["corrects"] is not None
        self._update_status(key, event)
        self.observed_to_read_seconds.append(now - _parse_seconds(event["observed_at"]))
        if event["final"] and key not in self.ended:
            self.ended.add(key)
            self.sent_to_final_seconds.append(now - _parse_seconds(event["sent_at"]))

    def _update_status(self, key: str, event: Event) -> None:
        counts = self.statuses.setdefault(event["provider"], Counter())
        counts[event["status"]] += 1
        if before := self._current.get(key):
            counts[before] -= 1
        self._current[key] = event["status"]
        (self._open.discard if is_fulfilled(self.expected.get(key), event) else self._open.add)(key)
        if self.sent == self.messages and not self._open:
            self._complete.set()
        else:
            self._complete.clear()


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value that this share of all values doesn't exceed; None if there are no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _parse_seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
