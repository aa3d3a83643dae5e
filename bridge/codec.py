"""Bytes to entries, states and events, and back. The only place that knows how the values are written.

The journal is read by people, so its entries are JSON objects; states are read by nobody else, so they are JSON arrays.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from bridge.core.attempt import Followed, Parked, ParkedReport
from bridge.core.delivery import Delivery, Reason, Source, Status, Verdict
from bridge.core.entries import Entry, Report, Sent
from bridge.core.errors import DeadLetterReason, Poison

JOURNAL_VERSION = 1
STATE_VERSION = 1

_SENT = ("v", "type", *Sent._fields)
_REPORT = ("v", "type", *Report._fields[:3], *Report._fields[4:], *Verdict._fields)
"""The members of entries; a report's verdict stands apart, at the end."""

_STATUS = {str(status): status for status in Status}
_REASON = {str(reason): reason for reason in Reason}
_SOURCE = {str(source): source for source in Source}


def encode_entry(entry: Entry) -> bytes:
    """An entry as the journal holds it (`schemas/journal.v1.json`)."""
    if isinstance(entry, Sent):
        return orjson.dumps(dict(zip(_SENT, (JOURNAL_VERSION, "sent", *entry), strict=True)))
    status, reason, permanent = entry.verdict or (None, None, None)
    members = (JOURNAL_VERSION, "report", *entry[:3], *entry[4:], status, reason, permanent)
    return orjson.dumps(dict(zip(_REPORT, members, strict=True)))


def decode_entry(value: bytes | None) -> Entry:
    """An entry from the journal.

    Raises:
        Poison: It isn't one (`malformed`): somebody else wrote into the journal, or a newer version did.
    """
    try:
        document = orjson.loads(value or b"")
        if document["v"] != JOURNAL_VERSION:
            raise Poison(DeadLetterReason.MALFORMED, f"journal entry of version {document['v']!r}")
        return _DECODERS[document["type"]](document)
    except (KeyError, TypeError, ValueError) as error:
        raise Poison(DeadLetterReason.MALFORMED, f"not a journal entry: {type(error).__name__}") from error


def _sent(document: dict[str, Any]) -> Sent:
    return Sent(
        document["message_id"],
        document["provider"],
        document["account"],
        document["provider_message_id"],
        document["sent_at"],
        document["starts_at"],
        document["gives_up_at"],
        document["recipient"],
        document["sender"],
        document["metadata"],
        document["traceparent"],
        tuple(document["origin"]) if document["origin"] else None,
    )


def _report(document: dict[str, Any]) -> Report:
    status = document["status"]
    return Report(
        document["provider"],
        document["account"],
        document["provider_message_id"],
        None if status is None else Verdict(_STATUS[status], _REASON[document["reason"]], document["permanent"]),
        document["provider_status"],
        document["provider_code"],
        document["provider_details"],
        document["provider_time"],
        _SOURCE[document["source"]],
        document["observed_at"],
        document["raw"],
    )


_DECODERS: Mapping[str, Callable[[dict[str, Any]], Entry]] = {"sent": _sent, "report": _report}


def encode_state(state: Parked | Followed) -> bytes:
    """A state as the state topic and the cache hold it: version, kind, members in the order of their type."""
    if isinstance(state, Followed):
        return orjson.dumps((STATE_VERSION, "F", *state))
    reports = [(parked.offset, *_flat(parked.report)) for parked in state.reports]
    return orjson.dumps((STATE_VERSION, "P", state.until, reports))


def decode_state(value: bytes) -> Parked | Followed:
    """A state from the state topic or the cache.

    Raises:
        ValueError: It was written by a version that this one doesn't know.
    """
    version, kind, *members = orjson.loads(value)
    if version != STATE_VERSION:
        raise ValueError(f"state of version {version!r}: run the release that wrote it, or a later one")
    if kind == "F":
        members[8] = None if members[8] is None else _STATUS[members[8]]
        return Followed(*members)
    return Parked(members[0], tuple(_parked(*report) for report in members[1]))


def _flat(report: Report) -> tuple[Any, ...]:
    verdict = tuple(report.verdict) if report.verdict else None
    return (*report[:3], verdict, *report[4:-1])


def _parked(offset: int, *members: Any) -> ParkedReport:
    status, reason, permanent = members[3]
    verdict = Verdict(_STATUS[status], _REASON[reason], permanent)
    words = (*members[:3], verdict, *members[4:8], _SOURCE[members[8]], members[9], "")
    return ParkedReport(offset, Report._make(words))


def encode_delivery(delivery: Delivery) -> bytes:
    """An event as `sms.delivery` holds it (`schemas/sms.delivery.v1.json`)."""
    return orjson.dumps(delivery.as_json())


def encode_document(document: Any) -> bytes:
    """What is made for people and scripts; a named tuple is an object."""
    return orjson.dumps(document, default=lambda value: value._asdict())
