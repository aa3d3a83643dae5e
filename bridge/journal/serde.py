"""Journal entries as bytes and back: JSON objects, because people read the journal. Their format is their type's."""

import msgspec

from bridge.core.entries import Entry, Report, Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError

_DECODER = msgspec.json.Decoder(Sent | Report)

encode_entry = msgspec.json.Encoder().encode
"""Encode an entry as the journal holds it (`schemas/journal.v1.json`)."""


def decode_entry(value: bytes | None) -> Entry:
    """Decode an entry of the journal.

    Raises:
        PoisonMessageError: It isn't one (`malformed`): somebody else wrote into the journal, or a newer version did.
    """
    try:
        entry: Entry = _DECODER.decode(value or b"")
    except (msgspec.MsgspecError, RecursionError) as error:
        raise PoisonMessageError(DeadLetterReason.MALFORMED, f"not a journal entry: {error}") from error
    return entry
