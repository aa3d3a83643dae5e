"""Compares the events of `sms.delivery` with the results that the simulators expect. Pure.

It takes the expected results and the events, and returns the violations.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

from bridge.core.delivery import Status

RANKS: Mapping[str, int] = {"scheduled": 1, "pending": 2, "sent": 3}
FINAL_RANK = 4
"""How far a message is with a status, on purpose not the service's own table; all others are final."""

EXPECTED_DEAD_LETTERS: Mapping[str, int] = {"invalid": 1}
"""By reason: the demo's sender begins with a sent event that lacks the provider's id."""

Event = Mapping[str, Any]
"""One event of `sms.delivery`, as it was read."""


class ExpectedResult(NamedTuple):
    """A message that was sent, and the status that it must get."""

    message_id: str
    status: Status
    sent_at: int = 0
    """In milliseconds since the epoch."""
    recipient: str = ""


class Violation(StrEnum):
    """What can be wrong with a message's events. The values are members of the demo's summary."""

    LOST = "lost"
    """It has no final event."""
    WRONG = "wrong"
    """Its last event doesn't have the expected status."""
    DUPLICATED = "twice"
    """An event was published more than once."""
    GAPS = "gaps"
    """Sequence numbers are missing."""
    MOVED_BACK = "moved_back"
    """A status follows a later one."""
    UNLINKED = "unlinked"
    """A correction doesn't name the event that it corrects, or an event claims to be a correction and isn't."""
    UNEXPECTED = "strange"
    """The event is about a message that was never sent, or has another message's id."""
    DEAD_LETTERS = "other_dead_letters"
    """The dead letters aren't those of what the demo sends on purpose."""


class ViolationFound(NamedTuple):
    """A violation in one attempt's events."""

    violation: Violation
    key: str
    """The attempt, `provider:account:provider_message_id`."""
    description: str

    def __str__(self) -> str:
        return f"{self.violation}: {self.key}: {self.description}"


class VerificationResult(NamedTuple):
    """The result of a run."""

    messages: int
    ended: int
    events: int
    corrections: int
    findings: tuple[ViolationFound, ...]

    @property
    def ok(self) -> bool:
        """Whether there are no violations."""
        return not self.findings

    def count_messages_with(self, violation: Violation) -> int:
        """Return how many messages have this violation."""
        return len({finding.key for finding in self.findings if finding.violation is violation})


def event_attempt_key(event: Event) -> str:
    """Return the key of the attempt that an event is about."""
    return f"{event['provider']}:{event['account']}:{event['provider_message_id']}"


def is_fulfilled(expected: ExpectedResult | None, event: Event) -> bool:
    """Return whether an event gives its attempt the expected final status."""
    return expected is not None and event["final"] and event["status"] == expected.status


def verify(
    expected: Mapping[str, ExpectedResult],
    events: Sequence[Event],
    dead_letters: Mapping[str, int] = EXPECTED_DEAD_LETTERS,
) -> VerificationResult:
    """Find all violations.

    Args:
        expected: By attempt key.
        events: In the order in which they were read.
        dead_letters: How many the bridge has written, by reason.
    """
    unique, findings = _remove_duplicates(events)
    chains: dict[str, list[Event]] = {key: [] for key in expected}
    for event in unique:
        chains.setdefault(event_attempt_key(event), []).append(event)
    for key, chain in chains.items():
        for check in CHECKS:
            findings += [ViolationFound(violation, key, text) for violation, text in check(expected.get(key), chain)]
    for reason in sorted({*EXPECTED_DEAD_LETTERS, *dead_letters}):
        written, due = dead_letters.get(reason, 0), EXPECTED_DEAD_LETTERS.get(reason, 0)
        if written != due:
            text = f"{written} dead letters with this reason; {due} expected"
            findings.append(ViolationFound(Violation.DEAD_LETTERS, reason, text))
    return VerificationResult(
        messages=len(expected),
        ended=sum(any(event["final"] for event in chains[key]) for key in expected),
        events=len(events),
        corrections=sum(event["corrects"] is not None for event in unique),
        findings=tuple(findings),
    )


def _remove_duplicates(events: Iterable[Event]) -> tuple[list[Event], list[ViolationFound]]:
    """Return the events without duplicates, and a violation for each duplicate.

    Without this the other checks would report a duplicate again.
    """
    seen: set[str] = set()
    unique: list[Event] = []
    findings: list[ViolationFound] = []
    for event in events:
        event_id = event["event_id"]
        if event_id in seen:
            text = f"event {event_id} was published again"
            findings.append(ViolationFound(Violation.DUPLICATED, event_attempt_key(event), text))
        else:
            seen.add(event_id)
            unique.append(event)
    return unique, findings


Chain = Sequence[Event]
Violations = Iterator[tuple[Violation, str]]


def _check_final_status(expected: ExpectedResult | None, chain: Chain) -> Violations:
    if expected is None:
        return
    if not any(event["final"] for event in chain):
        yield Violation.LOST, f"no final event; {expected.status} is expected"
    elif not is_fulfilled(expected, chain[-1]):
        yield Violation.WRONG, f"the last status is {chain[-1]['status']}; {expected.status} is expected"


def _check_sequence(_expected: ExpectedResult | None, chain: Chain) -> Violations:
    numbers = [event["sequence"] for event in chain]
    for number, count in Counter(numbers).items():
        if count > 1:
            yield Violation.DUPLICATED, f"{count} events have the sequence number {number}"
    if missing := set(range(1, max(numbers, default=0) + 1)) - set(numbers):
        yield Violation.GAPS, f"the sequence numbers {sorted(missing)} are missing"


def _check_order(_expected: ExpectedResult | None, chain: Chain) -> Violations:
    for earlier, later in pairwise(chain):
        step = f"{earlier['status']} ({earlier['sequence']}), then {later['status']} ({later['sequence']})"
        rank = RANKS.get(later["status"], FINAL_RANK)
        upwards = rank == FINAL_RANK if earlier["final"] else rank > RANKS.get(earlier["status"], FINAL_RANK)
        if later["sequence"] < earlier["sequence"] or not upwards:
            yield Violation.MOVED_BACK, step
        elif later["sequence"] == earlier["sequence"] + 1 and later["previous_status"] != earlier["status"]:
            yield Violation.MOVED_BACK, f"{step}, whose previous_status is {later['previous_status']}"


def _check_corrections(_expected: ExpectedResult | None, chain: Chain) -> Violations:
    for earlier, later in pairwise((None, *chain)):
        corrected = earlier["event_id"] if earlier and earlier["final"] else None
        if later and later["corrects"] != corrected:
            yield Violation.UNLINKED, f"event {later['sequence']} corrects {later['corrects']} instead of {corrected}"


def _check_message_id(expected: ExpectedResult | None, chain: Chain) -> Violations:
    for event in chain:
        if expected is None or event["message_id"] != expected.message_id:
            yield Violation.UNEXPECTED, f"an event about the message {event['message_id']}"


CHECKS: tuple[Callable[[ExpectedResult | None, Chain], Violations], ...] = (
    _check_final_status,
    _check_sequence,
    _check_order,
    _check_corrections,
    _check_message_id,
)
