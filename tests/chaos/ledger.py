"""Records the expected results and what was read from Kafka, and compares them at the end. No I/O."""

import re
import time
from collections.abc import Mapping
from sys import intern
from typing import Any, NamedTuple

import orjson

from bridge.core.delivery import Status
from bridge.sandbox.demo.verification import (
    Event,
    ExpectedResult,
    VerificationResult,
    event_attempt_key,
    is_fulfilled,
    verify,
)
from tests.chaos.event_checks import DeliveryRecord, find_mistakes
from tests.chaos.letters import DeadLetterLedger

KEPT_MEMBERS = (
    *("event_id", "message_id", "provider", "account", "provider_message_id"),
    *("sequence", "status", "previous_status", "final", "corrects"),
)
"""The members of an event that are verified; the others are dropped to save memory in long runs."""

MARK = re.compile(r"mark-[0-9a-f]{16}")

MAX_EARLY_MS = 1_000
"""By how much a deadline may seem to come too early: clocks are read at different moments."""


NEVER = 2**62
"""In milliseconds since the epoch."""


class Lifetime(NamedTuple):
    """When the end of a message may come, in milliseconds after it was sent."""

    earliest_deadline: int = 0
    latest_end: int = NEVER


ANY_TIME = Lifetime()


class PollOutage(NamedTuple):
    """When polls got no answer, in milliseconds since the epoch: a deadline waits for the last poll's answer."""

    starts_at: int
    ends_at: int
    """Until all bridges poll again as usual."""

    def overlap(self, start: int, end: int) -> int:
        """Return for how long it kept polls from being answered between two times."""
        return max(0, min(self.ends_at, end) - max(self.starts_at, start))


class Ledger:
    """The expected results and what was read.

    Args:
        source: The `ce_source` of all events.
        lifetime: When a message's end may come.
    """

    def __init__(self, source: str = "", lifetime: Lifetime = ANY_TIME) -> None:
        self._source, self._lifetime = source, lifetime
        self.rejected: set[str] = set()
        """Words of polls that providers rejected: such a message may end without their report."""
        self._unreported: set[str] = set()
        """The keys of attempts that ended so."""
        self._ends: dict[str, int] = {}
        """The deadlines of attempts; `NEVER` when their expected final status has been reported."""
        self.late: set[str] = set()
        """The keys of attempts whose expected final status was reported when they might have been forgotten."""
        self.poll_outages: list[PollOutage] = []
        self.mistakes: list[str] = []
        """What is wrong with single records."""
        self.letters = DeadLetterLedger()
        self._partitions: dict[str, int] = {}
        self.expected: dict[str, ExpectedResult] = {}
        """By attempt key."""
        self.events: list[Event] = []
        self.ended: set[str] = set()
        """The keys of attempts that have a final event."""
        self.journal_entries = 0
        self.unread: set[str] = set()
        """The keys of attempts whose sent events were published and aren't in the journal yet."""
        self.accepted: set[str] = set()
        """The callbacks that got a 200: each one's mark, or id and status."""
        self.longest_gap_seconds = 0.0
        """The longest time without an event while messages were sent and several bridges ran."""
        self.sending = True
        self._alone = False
        self._journaled: set[str] = set()
        self._open: set[str] = set()
        self._last_event_at = time.monotonic()

    @property
    def open(self) -> int:
        """How many messages don't have their expected final status yet."""
        return len(self._open)

    def note_bridges(self, count: int) -> None:
        """Note how many bridges run: one that is alone publishes nothing while it is killed again and again."""
        self._alone, self._last_event_at = count == 1, time.monotonic()

    def expect(self, key: str, expected: ExpectedResult) -> None:
        """Record the expected result of a message that is being sent."""
        if not self._open:
            self._last_event_at = time.monotonic()
        self.expected[key] = expected
        self._open.add(key)

    def add_record(self, record: DeliveryRecord, partition: int) -> None:
        """Record an event of `sms.delivery` after every part of it was checked."""
        event = record.document
        key = event_attempt_key(event)
        expected = self.expected.get(key)
        if expected is not None:
            self.mistakes += [f"{key}: {mistake}" for mistake in find_mistakes(record, expected, self._source)]
            self.check_end(key, record, expected)
        if self._partitions.setdefault(event["message_id"], partition) != partition:
            self.mistakes.append(f"{key}: in partitions {partition} and {self._partitions[event['message_id']]}")
        self.add_event(event)

    def check_end(self, key: str, record: DeliveryRecord, expected: ExpectedResult) -> None:
        """Check that a deadline doesn't come early, and no end late."""
        age = record.read_at - expected.sent_at
        if record.document["source"] == "deadline" and age < self._lifetime.earliest_deadline - MAX_EARLY_MS:
            self.mistakes.append(f"{key}: its deadline came after {age} ms")
        if record.document["final"] and key not in self.ended and age > self._compute_latest_end(expected, record):
            self.mistakes.append(f"{key}: its end came late, after {age} ms")

    def _compute_latest_end(self, expected: ExpectedResult, record: DeliveryRecord) -> int:
        due = expected.sent_at + self._lifetime.earliest_deadline
        return self._lifetime.latest_end + sum(one.overlap(due, record.read_at) for one in self.poll_outages)

    def add_event(self, document: Mapping[str, Any]) -> None:
        """Record an event of `sms.delivery`."""
        now = time.monotonic()
        if self.sending and not self._alone:
            self.longest_gap_seconds = max(self.longest_gap_seconds, now - self._last_event_at)
        self._last_event_at = now
        event = {name: _intern(document[name]) for name in KEPT_MEMBERS}
        self.events.append(event)
        key = event_attempt_key(event)
        if event["final"]:
            self.ended.add(key)
        is_rejected = key in self.expected and event["provider_message_id"] in self.rejected
        is_unreported = is_rejected and event["status"] == Status.UNKNOWN
        (self._unreported.add if is_unreported else self._unreported.discard)(key)
        is_done = is_unreported or is_fulfilled(self.expected.get(key), event) or (event["final"] and key in self.late)
        (self._open.discard if is_done else self._open.add)(key)

    def add_journal_entry(self, value: bytes, journaled_at: int = 0) -> None:
        """Record an entry of the journal.

        Args:
            value: The entry.
            journaled_at: When the broker appended it, in milliseconds since the epoch.
        """
        self.journal_entries += 1
        document = orjson.loads(value)
        key = event_attempt_key(document)
        if document.get("type") == "sent":
            self.unread.discard(key)
            self._ends.setdefault(key, document["gives_up_at"])
        elif key in self.expected and document["status"] == self.expected[key].status:
            self._check_report(key, journaled_at)
        if document.get("source") == "callback":
            self._journaled.add(_make_callback_key(document["provider_message_id"], document["provider_status"]))
            self._journaled.update(MARK.findall(document["raw"]))

    def _check_report(self, key: str, journaled_at: int) -> None:
        # From its end on, an attempt with another final status may be forgotten: then nothing can be corrected.
        if journaled_at >= self._ends.get(key, NEVER):
            self.late.add(key)
            if key in self.ended:
                self._open.discard(key)
        self._ends[key] = NEVER

    def add_acknowledged(self, provider_message_id: str, status: str) -> None:
        """Record a provider's callback that got a 200."""
        self.accepted.add(_make_callback_key(provider_message_id, status))

    def count_unjournaled(self) -> int:
        """Return how many callbacks got a 200 and are not in the journal."""
        return len(self.accepted - self._journaled)

    def verify_events(self) -> VerificationResult:
        """Compare the events with the expected results."""
        unreported = {key: self.expected[key]._replace(status=Status.UNKNOWN) for key in self._unreported}
        last = {key: event["status"] for event in self.events if (key := event_attempt_key(event)) in self.late}
        uncorrected = {key: self.expected[key]._replace(status=status) for key, status in last.items()}
        return verify(self.expected | unreported | uncorrected, self.events)


def _make_callback_key(provider_message_id: str, status: str) -> str:
    return f"{provider_message_id} {status}".lower()  # a provider may write a status in upper or lower case


def _intern(value: Any) -> Any:
    return intern(value) if isinstance(value, str) and len(value) < 24 else value
