"""How an event is made of what is known and what was reported. Whether it is made is decided in `lifecycle.py`."""

from typing import NamedTuple

from bridge.core.attempt import Followed
from bridge.core.delivery import OUTCOMES, Delivery, Source, Verdict, format_rfc3339, make_event_id
from bridge.core.entries import Report
from bridge.core.turnaround import parse_turnaround

IMPLAUSIBLE_AFTER = 5 * 60_000
"""A provider's time is believed from this long before `sent_at` to this long after the bridge got the report."""


class Publication(NamedTuple):
    """An event, and what travels beside it."""

    delivery: Delivery
    observed_at: int
    """The Kafka timestamp of the event's record."""
    traceparent: str | None


def make_delivery(key: str, state: Followed, report: Report, verdict: Verdict) -> Delivery:
    """The event that a report makes of a followed attempt; `state` is what was known before it."""
    believed = _believed(state, report)
    occurred_at = report.observed_at if believed is None else believed
    timed = believed is not None or report.source is Source.CALLBACK
    sequence = state.sequence + 1
    # By position, in the order of its members, for this is the hot path: names take twice as long.
    return Delivery(
        make_event_id(state.message_id, key, sequence),
        state.message_id,
        report.provider,
        report.account,
        report.provider_message_id,
        state.recipient,
        state.sender,
        OUTCOMES[verdict.status],
        verdict.status,
        verdict.final,
        verdict.permanent,
        verdict.reason,
        report.provider_status,
        report.provider_code,
        report.provider_details,
        state.status,
        sequence,
        None if state.final_at is None else make_event_id(state.message_id, key, state.sequence),
        report.source,
        format_rfc3339(state.sent_at),
        format_rfc3339(report.observed_at),
        format_rfc3339(occurred_at),
        "observed" if believed is None else "provider",
        max(0, occurred_at - state.sent_at) / 1000 if timed else None,
        state.metadata,
    )


def _believed(state: Followed, report: Report) -> int | None:
    """When the provider says it happened, or how long after the sending; None where it says nothing plausible."""
    earliest, latest = state.sent_at - IMPLAUSIBLE_AFTER, report.observed_at + IMPLAUSIBLE_AFTER
    if report.provider_time is not None and earliest <= report.provider_time <= latest:
        return report.provider_time
    took = parse_turnaround(report.provider_details.get("tat"))
    return state.sent_at + took if took is not None and state.sent_at + took <= latest else None
