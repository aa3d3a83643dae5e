"""Decodes records of the journal for searches, which pass over those that they can't read. Pure."""

from collections.abc import Callable
from typing import Any

from bridge.core.entries import Entry, Sent
from bridge.core.errors import PoisonMessageError
from bridge.journal.serde import decode_entry


def decode_record(record: Any) -> Entry | None:
    """Decode a record; None if it isn't an entry."""
    try:
        return decode_entry(record.value)
    except PoisonMessageError:
        return None


def may_be_sent(value: bytes) -> bool:
    """Whether a record may be of a sent event."""
    return b'"type":"sent"' in value


def decode_sent(record: Any, may_be: Callable[[bytes], bool] = may_be_sent) -> Sent | None:
    """Decode a record of a sent event; None if it isn't one, or not the wanted one.

    A look at the bytes excludes most records, at a tenth of the cost of decoding them.
    """
    entry = decode_record(record) if record.value and may_be(record.value) else None
    return entry if isinstance(entry, Sent) else None
