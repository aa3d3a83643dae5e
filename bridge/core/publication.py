"""Makes an event from the state of an attempt and a report. `lifecycle.py` decides whether to publish one."""

from msgspec import Struct

from bridge.core.attempt import Followed
from bridge.core.delivery import OUTCOMES, Delivery, Source, Verdict, make_event_id
from bridge.core.entries import Report
from bridge.core.timestamps import format_rfc3339
from bridge.core.turnaround import parse_turnaround

CLOCK_TOLERANCE_MS = 5 * 60_000
"""A provider's time is plausible from this long before `sent_at` until this long after the report was received."""


class Publication(Struct, frozen=True, gc=False):
    """An event, with the metadata of its record."""

    delivery: Delivery
    timestamp: int
    """The Kafka timestamp of the event's record."""
    traceparent: str | None


def make_delivery(key: str, state: Followed, report: Report, verdict: Verdict) -> Delivery:
    """Make the event of a report about a followed attempt; `state` is the attempt's state before the report."""
    provider_time = _find_plausible_time(state, report)
    occurred_at = report.observed_at if provider_time is None else provider_time
    message_id = report.provider_message_id
    if state.sent_as is not None:  # the key has the id in another form
        message_id, key = state.sent_as, f"{report.provider}:{report.account}:{state.sent_as}"
    has_latency = provider_time is not None or report.source is Source.CALLBACK
    sequence = state.sequence + 1
    # By position, because keyword arguments take twice as long, and this runs for every event.
    return Delivery(
        make_event_id(state.message_id, key, sequence),
        state.message_id,
        report.provider,
        report.account,
        message_id,
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
        "observed" if provider_time is None else "provider",
        max(0, occurred_at - state.sent_at) / 1000 if has_latency else None,
        state.metadata,
    )


def _find_plausible_time(state: Followed, report: Report) -> int | None:
    """Find the time of the status by the provider's time or turnaround; None if neither is plausible."""
    earliest, latest = state.sent_at - CLOCK_TOLERANCE_MS, report.observed_at + CLOCK_TOLERANCE_MS
    if report.provider_time is not None and earliest <= report.provider_time <= latest:
        return report.provider_time
    turnaround = parse_turnaround(report.provider_details.get("tat"))
    return state.sent_at + turnaround if turnaround is not None and state.sent_at + turnaround <= latest else None
