"""Records the expected results and what was read from Kafka, and compares them at the end. No I/O."""

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
    is_fulfilled,
    verify,
)

KEPT_MEMBERS = (
    *("event_id", "message_id", "provider", "account", "provider_message_id"),
    *("sequence", "status", "previous_status", "final", "corrects"),
)
"""The members of an event that are verified; the others are dropped to save memory in long runs."""

MARK = re.compile(r"mark-[0-9a-f]{16}")


class RecordPosition(NamedTuple):
    """The position of a sent event."""

    topic: str
    partition: int
    offset: int


class DeadLetterResult(NamedTuple):
    """Whether each invalid sent event has its dead letter."""

    expected: int
    missing: int
    repeated: int
    unexpected: tuple[str, ...]
    """Dead letters of valid events, or with the wrong reason."""


class Ledger:
    """The expected results and what was read."""

    def __init__(self) -> None:
        self.expected: dict[str, ExpectedResult] = {}
        """By attempt key."""
        self.events: list[Event] = []
        self.ended: set[str] = set()
        """The keys of attempts that have a final event."""
        self.journal_entries = 0
        self.poison: dict[RecordPosition, str] = {}
        """Invalid sent events, and the reason that their dead letters must have."""
        self.accepted: set[str] = set()
        """The callbacks that got a 200: each one's mark, or id and status."""
        self.longest_gap_seconds = 0.0
        """The longest time without an event while messages were sent."""
        self.sending = True
        self._dead_letters: Counter[tuple[RecordPosition, str]] = Counter()
        self._unexpected: list[str] = []
        self._journaled: set[str] = set()
        self._open: set[str] = set()
        self._last_event_at = time.monotonic()

    @property
    def open(self) -> int:
        """How many messages don't have their expected final status yet."""
        return len(self._open)

    def expect(self, key: str, expected: ExpectedResult) -> None:
        """Record the expected result of a message that is being sent."""
        if not self._open:
            self._last_event_at = time.monotonic()
        self.expected[key] = expected
        self._open.add(key)

    def add_event(self, value: bytes) -> None:
        """Record an event of `sms.delivery`."""
        now = time.monotonic()
        if self.sending:
            self.longest_gap_seconds = max(self.longest_gap_seconds, now - self._last_event_at)
        self._last_event_at = now
        document = orjson.loads(value)
        event = {name: _intern(document[name]) for name in KEPT_MEMBERS}
        self.events.append(event)
        key = event_attempt_key(event)
        if event["final"]:
            self.ended.add(key)
        (self._open.discard if is_fulfilled(self.expected.get(key), event) else self._open.add)(key)

    def add_dead_letter(self, headers: Mapping[str, str]) -> None:
        """Record a dead letter."""
        try:
            partition, offset = int(headers["source_partition"]), int(headers["source_offset"])
            position = RecordPosition(headers["source_topic"], partition, offset)
        except KeyError:
            self._unexpected.append(f"{headers['reason']}: {headers['error']}")
        else:
            self._dead_letters[position, headers["reason"]] += 1

    def add_journal_entry(self, value: bytes) -> None:
        """Record an entry of the journal."""
        self.journal_entries += 1
        document = orjson.loads(value)
        if document.get("source") == "callback":
            self._journaled.add(_make_callback_key(document["provider_message_id"], document["provider_status"]))
            self._journaled.update(MARK.findall(document["raw"]))

    def add_acknowledged(self, provider_message_id: str, status: str) -> None:
        """Record a provider's callback that got a 200."""
        self.accepted.add(_make_callback_key(provider_message_id, status))

    def count_unjournaled(self) -> int:
        """Return how many callbacks got a 200 and are not in the journal."""
        return len(self.accepted - self._journaled)

    def verify_events(self) -> VerificationResult:
        """Compare the events with the expected results."""
        return verify(self.expected, self.events)

    def verify_dead_letters(self) -> DeadLetterResult:
        """Compare the dead letters with the invalid events that were sent."""
        expected = set(self.poison.items())
        unexpected = [
            f"{reason} at {position}" for position, reason in self._dead_letters if (position, reason) not in expected
        ]
        return DeadLetterResult(
            len(expected),
            len(expected - set(self._dead_letters)),
            sum(count - 1 for one, count in self._dead_letters.items() if one in expected),
            (*unexpected, *self._unexpected),
        )


def _make_callback_key(provider_message_id: str, status: str) -> str:
    return f"{provider_message_id} {status}".lower()  # a provider may write a status in upper or lower case


def _intern(value: Any) -> Any:
    return intern(value) if isinstance(value, str) and len(value) < 24 else value
