"""What became of an attempt in one sentence, and what support can say to the customer. Pure.

The customer's sentences are those of docs/statuses.md; a test compares them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.core.attempt import Followed, Parked, State
from bridge.core.delivery import Outcome, Reason, Status
from bridge.core.entries import Report, extract_provider
from bridge.core.lifecycle import FoldOutcome
from bridge.core.timestamps import parse_rfc3339
from bridge.history.refold import WAITING, Timeline
from bridge.text import format_count, format_duration

REASONS: Mapping[str, str] = {
    Reason.ABSENT_SUBSCRIBER: "the phone was off or out of reach",
    Reason.INVALID_NUMBER: "the number isn't valid",
    Reason.BLOCKED_BY_RECIPIENT: "the recipient blocks such messages",
    Reason.SENDER_REJECTED: "the sender isn't allowed there",
    Reason.INSUFFICIENT_CREDIT: "the account at the provider has no credit",
    Reason.NETWORK: "a network failed",
    Reason.VALIDITY_EXPIRED: "its validity ended",
}
"""Why a message wasn't delivered, after `because`."""

TELL_STATUS: Mapping[str, str] = {
    Status.SCHEDULED: "The message is scheduled and will be sent at its time.",
    Status.PENDING: "The message is on its way.",
    Status.SENT: "The message was handed to the recipient's network. The phone hasn't confirmed it yet.",
    Status.DELIVERED: "The message arrived at the time that is shown.",
    Status.UNDELIVERED: "The phone could not be reached. Please check that it is on and has reception.",
    Status.EXPIRED: "The phone could not be reached in time.",
    Status.REJECTED: "The message was refused before it was sent: see the reason.",
    Status.FAILED: "The message could not be delivered.",
    Status.UNKNOWN: "There is no confirmation. The message may have arrived.",
}
TELL_REASON: Mapping[str, str] = {
    Reason.ABSENT_SUBSCRIBER: "Your phone was off or had no reception.",
    Reason.INVALID_NUMBER: "The number on file isn't valid. Please check it.",
    Reason.BLOCKED_BY_RECIPIENT: "Messages from us are blocked for this number.",
    Reason.SENDER_REJECTED: "We couldn't send it from our sender name; we are fixing that.",
    Reason.INSUFFICIENT_CREDIT: "We couldn't send it for a technical reason; we will try again.",
    Reason.NETWORK: "There was a problem in the mobile network.",
    Reason.VALIDITY_EXPIRED: "Your phone could not be reached in time.",
    Reason.NO_REPORT: "There is no confirmation from the provider.",
    Reason.NO_FINAL_REPORT: "The message was on its way, and the network didn't confirm it.",
    Reason.UNSPECIFIED: "The provider gave no reason.",
}


ENDED: Mapping[FoldOutcome, str] = {
    FoldOutcome.FOLLOWED: "Forgotten: its end is long ago, and its events aren't in sms.delivery any more",
    FoldOutcome.TOO_OLD: "Not followed: its sent event was read after its deadline; it is a dead letter",
    FoldOutcome.UNMATCHED: "{came} without a sent event",
    FoldOutcome.FORGOTTEN: "{came} without a sent event",
    FoldOutcome.PARKED: "{came} without a sent event",
    FoldOutcome.UNMAPPED: "{came}, with a status that isn't mapped; no sent event has come",
}
"""What became of an attempt that isn't followed and has no events, by the first of these decisions about it."""


def summarize_attempt(timeline: Timeline, state: State) -> str:
    """Summarize an attempt, such as "Delivered after 2 s; an earlier 'failed' was overruled.".

    Args:
        timeline: What happened.
        state: What the state topic has.
    """
    events = timeline.events
    if events and events[-1]["final"]:
        said = _describe_final(events[-1], events)
    elif events:
        said = f"On its way: {_quote(events[-1]['status'])}{_after(events[-1])}; a final status hasn't come yet"
    else:
        said = _describe_unpublished(timeline, state)
    if any(step.outcome is None and step.why == WAITING for step in timeline.steps):
        said += "; there is news that the tracker hasn't processed yet"
    return f"{said}."


def tell_customer(timeline: Timeline) -> str | None:
    """What support can say to the customer; None as long as nothing was published."""
    events = timeline.events
    if not events:
        return None
    last = events[-1]
    if last["reason"] in TELL_REASON and last["reason"] != Reason.UNSPECIFIED:
        return TELL_REASON[last["reason"]]
    told = TELL_STATUS.get(last["status"])
    if told and last["status"] == Status.DELIVERED:  # the timeline has the time of the report, which may be later
        return f"{told.removesuffix('.')}: {last['occurred_at'][:19].replace('T', ' ')} UTC."
    return told


def _describe_final(last: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    after = _after(last)
    if last["outcome"] == Outcome.DELIVERED:
        said = f"Delivered{after}"
    elif last["outcome"] == Outcome.UNKNOWN:
        said = _describe_unknown(last, events)
    else:
        why = f", because {REASONS[last['reason']]}" if last["reason"] in REASONS else ""
        again = {True: "; sending it again won't help", False: "; it may succeed later"}.get(last["permanent"], "")
        why = "; the provider gives no reason" if last["reason"] == Reason.UNSPECIFIED else why
        said = f"Not delivered: {_quote(last['status'])}{after}{why}{again}"
    overruled = [_quote(status) for status in dict.fromkeys(event["status"] for event in events[:-1] if event["final"])]
    if overruled:
        said += f"; an earlier {' and '.join(overruled)} was overruled"
    return said


def _describe_unknown(last: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    within = _after(last).replace(" after ", " within ")
    if last["reason"] == Reason.NO_REPORT:
        return f"Unknown: no report came{within}"
    if last["reason"] == Reason.NO_FINAL_REPORT:
        interim = next((event for event in reversed(events) if not event["final"]), None)
        return f"Unknown: {_quote(interim['status']) if interim else 'an interim report'} was the last word{within}"
    return f"Unknown: the provider says so{_after(last)}"


def _describe_unpublished(timeline: Timeline, state: State) -> str:
    """Describe what has no event; what the state says counts, as the journal may no longer have the sent event."""
    reports = [step.entry for step in timeline.steps if isinstance(step.entry, Report)]
    outcomes = timeline.outcomes
    came = f"{format_count(len(reports), 'report')} came"
    if isinstance(state, Followed) and state.status:
        if state.final_at is None:
            return f"On its way: {_quote(state.status)}; a final status hasn't come yet"
        return f"Final: {_quote(state.status)}; its event isn't in sms.delivery any more"
    if isinstance(state, Followed) or (timeline.sent and not outcomes):
        unmapped = sum(one.status is None for one in reports)
        heard = f"{format_count(unmapped, 'report')} came, with a status that isn't mapped"
        return f"Handed to {extract_provider(timeline.key)}; {heard if unmapped else 'no report has come yet'}"
    if isinstance(state, Parked) and FoldOutcome.TOO_OLD not in outcomes:
        return f"{came}; the sent event is awaited"
    unknown = "{came} without a sent event" if reports else "Nothing is known of it"
    said = next((text for outcome, text in ENDED.items() if outcome in outcomes), unknown)
    return said.format(came=came)


def _quote(status: Any) -> str:
    return f"'{status}'"


def _after(event: Mapping[str, Any]) -> str:
    """How long after sending: by the provider's time, or ours where that is before it was sent; empty if both are."""
    sent = parse_rfc3339(event["sent_at"])
    times = [parse_rfc3339(event[name]) for name in ("occurred_at", "observed_at")]
    took = next((time - sent for time in times if sent is not None and time is not None and time >= sent), None)
    return "" if took is None else f" after {re.sub(r'(?<=[0-9])(?=[a-z])', ' ', format_duration(took))}"
