"""Parts of long messages: what their reports together say about the message. Pure.

The message is delivered when all of its parts are. As long as parts are missing, it is sent at best. When all are in
and one wasn't delivered, the message is what the worst of them is.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from bridge.core.attempt import PartVerdict
from bridge.core.delivery import FINAL_RANK, RANKS, Status, Verdict
from bridge.core.entries import MAX_PARTS, Part, Report

SEVERITY: Sequence[Status] = (Status.REJECTED, Status.FAILED, Status.UNDELIVERED, Status.EXPIRED, Status.UNKNOWN)
"""The final statuses of parts that weren't delivered, the worst first."""


class PartsReport(NamedTuple):
    """What a part's report makes of the message."""

    parts: tuple[PartVerdict, ...]
    report: Report
    """A report about the whole message."""


def add_part(parts: Sequence[PartVerdict], report: Report, part: Part) -> PartsReport | None:
    """Add a part's report to what is known of the others; None if they are more than a message can have.

    Args:
        parts: What is known.
        report: The report, with a status.
        part: The part that it is about. Its status is the new one.
    """
    verdict = report.verdict or Verdict(Status.UNKNOWN)
    added = PartVerdict(part.name, verdict, report.provider_status, report.provider_code)
    known = {one.name: one for one in parts} | {part.name: added}
    if len(known) > MAX_PARTS:
        return None
    combined = tuple(known.values())
    worst = find_worst(combined)
    if len(combined) < part.total or any(not one.verdict.final for one in combined):
        return PartsReport(combined, _replace_verdict(report, Verdict(_find_interim(combined))))
    if worst is None:
        return PartsReport(combined, report)
    whole = replace(report, provider_status=worst.provider_status, provider_code=worst.provider_code)
    return PartsReport(combined, _replace_verdict(whole, worst.verdict))


def find_part(parts: Sequence[PartVerdict], name: str) -> Status | None:
    """Find the status of a part; None if it isn't known."""
    return next((one.verdict.status for one in parts if one.name == name), None)


def find_worst(parts: Sequence[PartVerdict]) -> PartVerdict | None:
    """Find the worst of the parts that are known not to be delivered."""
    failed = [one for one in parts if one.verdict.final and one.verdict.status is not Status.DELIVERED]
    return min(failed, key=lambda one: SEVERITY.index(one.verdict.status), default=None)


def _find_interim(parts: Sequence[PartVerdict]) -> Status:
    ranked = [Status.SENT if RANKS[one.verdict.status] == FINAL_RANK else one.verdict.status for one in parts]
    return max(ranked, key=lambda status: RANKS[status])


def _replace_verdict(report: Report, verdict: Verdict) -> Report:
    return replace(report, status=verdict.status, reason=verdict.reason, permanent=verdict.permanent)
