"""How an event is made of what is known and what was reported. Whether it is made is decided in `lifecycle.py`."""

from typing import NamedTuple

from bridge.core.attempt import Followed
from bridge.core.delivery import OUTCOMES, Delivery, Source, Verdict, event_id, rfc3339
from bridge.core.entries import Report

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
    believed = report.provider_time
    if believed is not None and not (
        state.sent_at - IMPLAUSIBLE_AFTER <= believed <= report.observed_at + IMPLAUSIBLE_AFTER
    ):
        believed = None
    occurred_at = report.observed_at if believed is None else believed
    timed = believed is not None or report.source is Source.CALLBACK
    sequence = state.sequence + 1
    return Delivery(
        event_id=event_id(state.message_id, key, sequence),
        message_id=state.message_id,
        provider=report.provider,
        account=report.account,
        provider_message_id=report.provider_message_id,
        recipient=state.recipient,
        sender=state.sender,
        outcome=OUTCOMES[verdict.status],
        status=verdict.status,
        final=verdict.final,
        permanent=verdict.permanent,
        reason=verdict.reason,
        provider_status=report.provider_status,
        provider_code=report.provider_code,
        provider_details=report.provider_details,
        previous_status=state.status,
        sequence=sequence,
        corrects=None if state.final_at is None else event_id(state.message_id, key, state.sequence),
        source=report.source,
        sent_at=rfc3339(state.sent_at),
        observed_at=rfc3339(report.observed_at),
        occurred_at=rfc3339(occurred_at),
        occurred_at_source="observed" if believed is None else "provider",
        latency_seconds=max(0, occurred_at - state.sent_at) / 1000 if timed else None,
        metadata=state.metadata,
    )
