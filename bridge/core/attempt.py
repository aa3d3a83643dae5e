"""The state of an attempt between two entries. The types are the wire format of the state topic."""

from typing import NamedTuple, Self

from msgspec import UNSET, Struct

from bridge.core.delivery import Source, Status, Verdict
from bridge.core.entries import Part, Report


class Policy(NamedTuple):
    """The settings that the rules depend on. Durations are in milliseconds."""

    max_follow: int = 7 * 86_400_000
    park_for: int = 6 * 3_600_000
    remember_for: int = 24 * 3_600_000
    dead_letter_unmatched: bool = True
    emit_interim: bool = True


MAX_PARKED_RAW_CHARS = 8 * 1024
"""Longest raw text that a parked report keeps, so that a state stays far below a record's largest size. A report
about a part keeps none, because there may be many."""


class ParkedReport(Struct, array_like=True, frozen=True, gc=False):
    """A mapped report that was received before its sent event."""

    offset: int
    provider: str
    account: str
    provider_message_id: str
    verdict: Verdict
    provider_status: str | None
    provider_code: str | None
    provider_details: dict[str, str]
    provider_time: int | None
    source: Source
    observed_at: int
    raw: str = ""
    """The raw text, for a dead letter; empty if it is longer than `MAX_PARKED_RAW_CHARS`: the journal has it."""
    part: Part | None = None

    @classmethod
    def from_report(cls, offset: int, report: Report, verdict: Verdict) -> Self:
        """Make the parked form of a report."""
        return cls(
            offset,
            report.provider,
            report.account,
            report.provider_message_id,
            verdict,
            report.provider_status,
            report.provider_code,
            report.provider_details,
            report.provider_time,
            report.source,
            report.observed_at,
            report.raw if len(report.raw) <= MAX_PARKED_RAW_CHARS and report.part is UNSET else "",
            None if report.part is UNSET else report.part,
        )

    def to_report(self) -> Report:
        """Restore the report, without its raw text."""
        return Report(
            self.provider,
            self.account,
            self.provider_message_id,
            self.verdict.status,
            self.verdict.reason,
            self.verdict.permanent,
            self.provider_status,
            self.provider_code,
            self.provider_details,
            self.provider_time,
            self.source,
            self.observed_at,
            "",
            UNSET if self.part is None else self.part,
        )


class PartVerdict(Struct, array_like=True, frozen=True, gc=False):
    """What is known of a part of a long message."""

    name: str
    verdict: Verdict
    provider_status: str | None
    provider_code: str | None


class Parked(Struct, array_like=True, frozen=True, gc=False):
    """An attempt with reports but without a sent event as yet."""

    until: int
    reports: tuple[ParkedReport, ...]


class Followed(Struct, array_like=True, frozen=True, gc=False):
    """An attempt with a sent event, from then until it is forgotten; its status may be final."""

    message_id: str
    sent_at: int
    starts_at: int
    ends_at: int
    recipient: str | None
    sender: str | None
    metadata: dict[str, str]
    traceparent: str | None
    status: Status | None = None
    sequence: int = 0
    final_at: int | None = None
    """When its status became final, or a final status was last corrected."""
    parts: tuple[PartVerdict, ...] = ()
    """In the order in which they were first heard of; empty if no report was about a part."""
    sent_as: str | None = None
    """The provider's id as the sender wrote it, if reports have it in another form."""


State = Parked | Followed | None


def compute_timer(state: Parked | Followed, policy: Policy) -> int:
    """Compute when the attempt's timer expires."""
    if isinstance(state, Parked):
        return state.until
    return state.ends_at if state.final_at is None else compute_forget_time(state, policy)


def compute_forget_time(state: Followed, policy: Policy) -> int:
    """Compute when a final attempt is forgotten: from then on, its entries are those of an unknown attempt."""
    # Not before it was sent by the sender's clock: later, that time tells that it was forgotten.
    return max(state.ends_at, state.sent_at, (state.final_at or 0) + policy.remember_for)
