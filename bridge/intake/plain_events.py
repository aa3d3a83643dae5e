"""Reads sent events in the plain form at once: members of the documented types, ASCII, no envelope, no times but one.

Most are in this form, and take 5 instead of 9 µs. Whatever deviates is left to the way that reads every form, by
`source_event.py`, `field_mapping.py` and `member_values.py`. Both ways make the same of an event in this form, but this
one doesn't look into members that nobody reads. Pure.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from bridge.accounts import DEFAULT, Accounts
from bridge.core.entries import MAX_ID_BYTES, Sent
from bridge.core.time_formats import MIN_EPOCH_MS
from bridge.core.timestamps import convert_datetime
from bridge.intake.member_values import DOTS, MAX_TEXT_CHARS
from bridge.intake.optional_members import compute_latest_sent_at
from bridge.intake.source_event import SentRecord
from bridge.privacy import Privacy

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]
Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARS)]

DOUBTFUL_MICROSECONDS = frozenset({500, 501})
"""Within a millisecond. Nanoseconds are rounded here, and cut off by the other way: these may become other
milliseconds."""


class PlainEvent(Struct, frozen=True, gc=False):
    """A sent event in the plain form. A member that is None is missing or null."""

    message_id: Id
    provider: str
    provider_message_id: Id
    sent_at: Annotated[datetime, Meta(tz=True)]
    account: str | None = None
    recipient: Text | None = None
    sender: Text | None = None
    metadata: dict[str, str] | None = None
    # An event that has one of these isn't plain.
    scheduled_at: None = None
    give_up_at: None = None
    specversion: UnsetType = UNSET
    op: UnsetType = UNSET
    deleted: UnsetType = msgspec.field(name="__deleted", default=UNSET)


_DECODER = msgspec.json.Decoder(PlainEvent)


class PlainEvents:
    """Reads plain events.

    Args:
        accounts: The configured accounts.
        privacy: How phone numbers are kept.
        lifetimes: The fingerprint of the settings that deadlines depend on.
    """

    def __init__(self, accounts: Accounts, privacy: Privacy, lifetimes: str) -> None:
        self._accounts, self._privacy, self._lifetimes = accounts, privacy, lifetimes

    def read(self, record: SentRecord, now: int) -> Sent | None:
        """Make a record's entry; None if it isn't plain, or a member can't be used as it is."""
        event = None if record.headers else _decode(record.value or b"")
        if event is None:
            return None
        provider, account = event.provider, DEFAULT if event.account is None else event.account
        message_id, provider_message_id = event.message_id, event.provider_message_id
        settings, sent_at = self._accounts.get((provider, account)), convert_datetime(event.sent_at)
        if (
            settings is None
            or not (message_id.isascii() and provider_message_id.isascii())  # escapes: the limit is in bytes
            or message_id in DOTS
            or provider_message_id in DOTS
            or event.sent_at.microsecond % 1000 in DOUBTFUL_MICROSECONDS
            or not MIN_EPOCH_MS <= sent_at <= compute_latest_sent_at(record.timestamp, now)
        ):
            return None
        compared_id = settings.id_forms.unify_sent(provider_message_id)
        # By position, because keyword arguments take twice as long, and this runs for every message.
        return Sent(
            message_id,
            provider,
            account,
            provider_message_id,
            sent_at,
            sent_at,
            sent_at + settings.give_up_after_ms,
            self._privacy.redact_recipient(event.recipient),
            event.sender,
            event.metadata or {},
            None,
            record.origin,
            self._lifetimes,
            UNSET if compared_id == provider_message_id else compared_id,
        )


def _decode(value: bytes) -> PlainEvent | None:
    if not value.isascii():
        return None
    try:
        return _DECODER.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return None
