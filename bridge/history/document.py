"""What a lookup found as the JSON document that `trace --json` and the status page show."""

from typing import Any

from msgspec import UNSET
from msgspec.structs import asdict

from bridge.core.entries import Entry, Sent
from bridge.core.timestamps import format_rfc3339
from bridge.dead_letters import DeadLetter
from bridge.history.letter_selection import MAX_VALUE_BYTES
from bridge.history.lookup import AttemptTrace, TraceResult
from bridge.history.refold import PublishedEvent, Timeline, TimelineStep
from bridge.history.summary import tell_customer


def make_document(found: TraceResult) -> dict[str, Any]:
    """Make the document."""
    return {
        "asked": found.asked,
        "attempts": [_attempt(trace) for trace in (*found.traces, *found.sents)],
        "dead_letters": [_letter(letter) for letter in found.letters],
        "complete": found.all,
        "left_out": found.left_out,
        "since": format_rfc3339(max(0, found.since)),
        "records_read": found.read,
        "seconds": round(found.seconds, 3),
    }


def _attempt(trace: AttemptTrace) -> dict[str, Any]:
    history, timeline = trace.history, trace.timeline
    return {
        "attempt": history.key,
        "message_id": timeline.message_id,
        "summary": trace.summary,
        "tell_customer": None if trace.refused else tell_customer(timeline),
        "now": trace.now,
        "state": None if history.state is None else asdict(history.state),
        "journal_partition": history.partition,
        "timeline": [_step(step, timeline) for step in timeline.steps],
        "agrees": timeline.agrees,
        "events": [{"partition": p.partition, "offset": p.offset, "event": p.event} for p in timeline.published],
        "dead_letters": [_letter(letter) for letter in history.letters],
    }


def _step(step: TimelineStep, timeline: Timeline) -> dict[str, Any]:
    return {
        "at": format_rfc3339(step.at),
        "source": step.source,
        "offset": step.offset,
        "decision": step.outcome,
        "why": step.why,
        "published": [
            {"event_id": event["event_id"], "status": event["status"], "sequence": event["sequence"], **_place(e)}
            for event in step.events
            for e in [timeline.find_published(event["event_id"])]
        ],
        "entry": _entry(step.entry),
    }


def _place(published: PublishedEvent | None) -> dict[str, int | None]:
    return {"partition": published and published.partition, "offset": published and published.offset}


def _letter(letter: DeadLetter) -> dict[str, Any]:
    value = letter.value[:MAX_VALUE_BYTES].decode("utf-8", "replace")
    return {"partition": letter.partition, "offset": letter.offset, "headers": letter.headers, "value": value}


def _entry(entry: Entry | None) -> dict[str, Any] | None:
    """An entry; a report's verdict stands together, as status, reason and permanent."""
    if entry is None:
        return None
    members = {name: value for name, value in asdict(entry).items() if name != "v" and value is not UNSET}
    if isinstance(entry, Sent):
        return members
    verdict = [members.pop(name) for name in ("status", "reason", "permanent")]
    return {**members, "verdict": verdict if entry.status else None}
