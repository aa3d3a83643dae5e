"""What was promised, and what was read of it: kept record by record, judged at the end. Nothing is fetched here."""

import re
import time
from collections import Counter
from collections.abc import Mapping
from sys import intern
from typing import Any, NamedTuple

import orjson

from bridge.sandbox.demo.verification import (
    Event,
    ExpectedResult,
    VerificationResult,
    event_attempt_key,
    verify,
)

KEPT = (
    *("event_id", "message_id", "provider", "account", "provider_message_id"),
    *("sequence", "status", "previous_status", "final", "corrects"),
)
"""The members of an event that are judged; a long run has many."""

MARK = re.compile(r"mark-[0-9a-f]{16}")


class Place(NamedTuple):
    """Where a sent event stands."""

    topic: str
    partition: int
    offset: int


class Letters(NamedTuple):
    """What came of the events that can't be read."""

    expected: int
    missing: int
    repeated: int
    unexpected: tuple[str, ...]
    """Dead letters of events that were good, or for another reason than the true one."""


class Ledger:
    """Promises and what became of them."""

    def __init__(self) -> None:
        self.promises: dict[str, ExpectedResult] = {}
        self.events: list[Event] = []
        self.ended: set[str] = set()
        self.entries = 0
        """Records of the journal."""
        self.poison: dict[Place, str] = {}
        """Sent events that can't be read, and for what reason."""
        self.accepted: set[str] = set()
        """What callbacks said that got their 200: a mark, or an id and a word."""
        self.longest_gap = 0.0
        """Seconds without an event while messages were sent."""
        self.sending = True
        self._letters: Counter[tuple[Place | None, str]] = Counter()
        self._strange: list[str] = []
        self._journaled: set[str] = set()
        self._open: set[str] = set()
        self._moved_at = time.monotonic()

    @property
    def open(self) -> int:
        """How many messages haven't come to their true end."""
        return len(self._open)

    def promise(self, key: str, promise: ExpectedResult) -> None:
        """A message is being sent."""
        if not self._open:
            self._moved_at = time.monotonic()
        self.promises[key] = promise
        self._open.add(key)

    def delivery(self, value: bytes) -> None:
        """An event was read."""
        now = time.monotonic()
        if self.sending:
            self.longest_gap = max(self.longest_gap, now - self._moved_at)
        self._moved_at = now
        document = orjson.loads(value)
        event = {name: _shared(document[name]) for name in KEPT}
        self.events.append(event)
        key = event_attempt_key(event)
        if event["final"]:
            self.ended.add(key)
        promise = self.promises.get(key)
        fulfilled = promise is not None and event["final"] and event["status"] == promise.status
        (self._open.discard if fulfilled else self._open.add)(key)

    def letter(self, headers: Mapping[str, str]) -> None:
        """A dead letter was read."""
        try:
            number, offset = int(headers["source_partition"]), int(headers["source_offset"])
            place = Place(headers["source_topic"], number, offset)
        except KeyError:
            self._strange.append(f"{headers['reason']}: {headers['error']}")
        else:
            self._letters[place, headers["reason"]] += 1

    def entry(self, value: bytes) -> None:
        """An entry of the journal was read."""
        self.entries += 1
        document = orjson.loads(value)
        if document.get("source") == "callback":
            self._journaled.add(_said(document["provider_message_id"], document["provider_status"]))
            self._journaled.update(MARK.findall(document["raw"]))

    def acknowledged(self, provider_message_id: str, word: str) -> None:
        """A provider's callback got its 200."""
        self.accepted.add(_said(provider_message_id, word))

    def unjournaled(self) -> int:
        """How many callbacks got a 200 that the journal doesn't have."""
        return len(self.accepted - self._journaled)

    def compare(self) -> VerificationResult:
        """The events compared with the truth."""
        return verify(self.promises, self.events)

    def letters(self) -> Letters:
        """The dead letters compared with what was sent to become one."""
        expected = set(self.poison.items())
        unexpected = [f"{reason} at {place}" for place, reason in self._letters if (place, reason) not in expected]
        return Letters(
            len(expected),
            len(expected - set(self._letters)),
            sum(count - 1 for one, count in self._letters.items() if one in expected),
            (*unexpected, *self._strange),
        )


def _said(provider_message_id: str, word: str) -> str:
    return f"{provider_message_id} {word}".lower()  # providers don't always write a word in the same case


def _shared(value: Any) -> Any:
    return intern(value) if isinstance(value, str) and len(value) < 24 else value
