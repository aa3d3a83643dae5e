"""What is known of an attempt between two entries, and until when."""

from collections.abc import Mapping
from typing import NamedTuple

from bridge.core.delivery import Status
from bridge.core.entries import Report


class Policy(NamedTuple):
    """The settings that the rules depend on; durations in milliseconds."""

    max_follow: int = 7 * 86_400_000
    park_for: int = 6 * 3_600_000
    remember_for: int = 24 * 3_600_000
    dead_letter_unmatched: bool = True
    emit_interim: bool = True


class ParkedReport(NamedTuple):
    """A report that came before its sent: what it said, and where in the journal its words are."""

    offset: int
    report: Report


class Parked(NamedTuple):
    """Reports of an attempt that nobody has sent yet."""

    until: int
    reports: tuple[ParkedReport, ...]


class Followed(NamedTuple):
    """An attempt that was sent; final or not, until it is forgotten."""

    message_id: str
    sent_at: int
    starts_at: int
    ends_at: int
    recipient: str | None
    sender: str | None
    metadata: Mapping[str, str]
    traceparent: str | None
    status: Status | None = None
    sequence: int = 0
    final_at: int | None = None
    """When it became final, or its final was last corrected."""


State = Parked | Followed | None


def timer_at(state: Parked | Followed, policy: Policy) -> int:
    """When the attempt's timer runs out."""
    if isinstance(state, Parked):
        return state.until
    return state.ends_at if state.final_at is None else forget_at(state, policy)


def forget_at(state: Followed, policy: Policy) -> int:
    """From when a final attempt counts as never heard of."""
    return max(state.ends_at, (state.final_at or 0) + policy.remember_for)
