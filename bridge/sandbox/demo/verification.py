"""Was it right? What was read from `sms.delivery`, compared with what the simulators know to be true. Pure.

How a run is made and what it shows is not known here: promises and events in, findings out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

from bridge.core.delivery import FINAL_RANK, RANKS, Status

Event = Mapping[str, Any]
"""One event of `sms.delivery`, as it was read."""


class ExpectedResult(NamedTuple):
    """What was sent, and what it must come to."""

    message_id: str
    status: Status


class Violation(StrEnum):
    """What can be wrong with a message's story."""

    LOST = "lost"
    """It has no end."""
    WRONG = "wrong"
    """Its last event isn't the truth."""
    TWICE = "twice"
    """Something was published more than once."""
    GAPS = "gaps"
    """Numbers are missing from its sequence."""
    MOVED_BACK = "moved_back"
    """An event came after one that it should have come before."""
    UNLINKED = "unlinked"
    """A correction doesn't name what it corrects, or something that isn't a correction says it is."""
    STRANGE = "strange"
    """It is about a message that nobody sent, or under another message's id."""


class ViolationFound(NamedTuple):
    """Something that is wrong."""

    fault: Violation
    key: str
    """The attempt, `provider:account:provider_message_id`."""
    what: str


class VerificationResult(NamedTuple):
    """What came of a run."""

    messages: int
    ended: int
    events: int
    corrections: int
    findings: tuple[ViolationFound, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.findings

    def messages_with(self, fault: Violation) -> int:
        """How many messages have it."""
        return len({finding.key for finding in self.findings if finding.fault is fault})


def event_attempt_key(event: Event) -> str:
    """The attempt that an event is about."""
    return f"{event['provider']}:{event['account']}:{event['provider_message_id']}"


def verify(promises: Mapping[str, ExpectedResult], events: Sequence[Event]) -> VerificationResult:
    """Look for everything that could be wrong.

    Args:
        promises: By the attempt's key.
        events: In the order in which they were read.
    """
    once, findings = _each_once(events)
    chains: dict[str, list[Event]] = {key: [] for key in promises}
    for event in once:
        chains.setdefault(event_attempt_key(event), []).append(event)
    for key, chain in chains.items():
        promise = promises.get(key)
        findings += [ViolationFound(fault, key, what) for check in CHECKS for fault, what in check(promise, chain)]
    return VerificationResult(
        messages=len(promises),
        ended=sum(any(event["final"] for event in chains[key]) for key in promises),
        events=len(events),
        corrections=sum(event["corrects"] is not None for event in once),
        findings=tuple(findings),
    )


def _each_once(events: Iterable[Event]) -> tuple[list[Event], list[ViolationFound]]:
    """The events without repetitions, and these: so that one fault isn't reported as three."""
    read: Counter[str] = Counter()
    once: list[Event] = []
    findings: list[ViolationFound] = []
    for event in events:
        read[event["event_id"]] += 1
        if read[event["event_id"]] > 1:
            findings.append(
                ViolationFound(
                    Violation.TWICE, event_attempt_key(event), f"event {event['event_id']} was published again"
                )
            )
        else:
            once.append(event)
    return once, findings


Chain = Sequence[Event]
Found = Iterator[tuple[Violation, str]]


def _end(promise: ExpectedResult | None, chain: Chain) -> Found:
    if promise is None:
        return
    if not any(event["final"] for event in chain):
        yield Violation.LOST, f"no final event, and {promise.status} is the truth"
    elif not chain[-1]["final"] or chain[-1]["status"] != promise.status:
        yield Violation.WRONG, f"ended as {chain[-1]['status']}, and {promise.status} is the truth"


def _numbers(_promise: ExpectedResult | None, chain: Chain) -> Found:
    numbers = [event["sequence"] for event in chain]
    for number, times in Counter(numbers).items():
        if times > 1:
            yield Violation.TWICE, f"{times} events have the number {number}"
    if missing := set(range(1, max(numbers, default=0) + 1)) - set(numbers):
        yield Violation.GAPS, f"without the numbers {sorted(missing)}"


def _order(_promise: ExpectedResult | None, chain: Chain) -> Found:
    for earlier, later in pairwise(chain):
        step = f"{earlier['status']} ({earlier['sequence']}), then {later['status']} ({later['sequence']})"
        rank = RANKS[later["status"]]
        upwards = rank == FINAL_RANK if earlier["final"] else rank > RANKS[earlier["status"]]
        if later["sequence"] < earlier["sequence"] or not upwards:
            yield Violation.MOVED_BACK, step
        elif later["sequence"] == earlier["sequence"] + 1 and later["previous_status"] != earlier["status"]:
            yield Violation.MOVED_BACK, f"{step}, which says that it follows {later['previous_status']}"


def _links(_promise: ExpectedResult | None, chain: Chain) -> Found:
    for earlier, later in pairwise((None, *chain)):
        expected = earlier["event_id"] if earlier and earlier["final"] else None
        if later and later["corrects"] != expected:
            yield Violation.UNLINKED, f"event {later['sequence']} corrects {later['corrects']} and not {expected}"


def _belonging(promise: ExpectedResult | None, chain: Chain) -> Found:
    for event in chain:
        if promise is None or event["message_id"] != promise.message_id:
            yield Violation.STRANGE, f"an event about the message {event['message_id']}"


CHECKS: tuple[Callable[[ExpectedResult | None, Chain], Found], ...] = (_end, _numbers, _order, _links, _belonging)
