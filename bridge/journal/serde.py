"""Journal entries as bytes and back: JSON objects (`schemas/journal.v1.json`), because people read the journal."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Entry, Report, Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError

JOURNAL_VERSION = 1

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
        PoisonMessageError: It isn't one (`malformed`): somebody else wrote into the journal, or a newer version did.
    """
    try:
        document = orjson.loads(value or b"")
        if document["v"] != JOURNAL_VERSION:
            raise PoisonMessageError(DeadLetterReason.MALFORMED, f"journal entry of version {document['v']!r}")
        return _DECODERS[document["type"]](document)
    except (KeyError, TypeError, ValueError) as error:
        raise PoisonMessageError(DeadLetterReason.MALFORMED, f"not a journal entry: {type(error).__name__}") from error


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
