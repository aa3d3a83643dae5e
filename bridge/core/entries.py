"""What the journal holds about an attempt: it was sent, a report came. Nothing else is ever known.

An entry is written once and never reinterpreted: whatever depended on settings (the mapping of a status, the time at
which to give up, what may be kept of a phone number) was decided before it was written.
"""

from collections.abc import Mapping
from typing import NamedTuple

from bridge.core.delivery import Source, Verdict

MAX_ID_BYTES = 128
"""The most bytes an id may have, in UTF-8."""


def attempt_key(provider: str, account: str, provider_message_id: str) -> str:
    """What an attempt is known by: the key of journal and state."""
    return f"{provider}:{account}:{provider_message_id}"


def account_of(key: str) -> str:
    """The `provider:account` of an attempt's key."""
    provider, account, _ = key.split(":", 2)
    return f"{provider}:{account}"


class Sent(NamedTuple):
    """A message was handed to a provider's account. Times in milliseconds since the epoch."""

    message_id: str
    provider: str
    account: str
    provider_message_id: str
    sent_at: int
    starts_at: int
    """From when ages count: `scheduled_at` where that is later than `sent_at`."""
    gives_up_at: int
    """When to stop waiting: the sender's `give_up_at`, or what settings say; already clamped."""
    recipient: str | None = None
    sender: str | None = None
    metadata: Mapping[str, str] = {}
    traceparent: str | None = None
    origin: tuple[str, int, int] | None = None
    """Topic, partition and offset of the record that said so."""


class Report(NamedTuple):
    """A provider said something about an attempt. Times in milliseconds since the epoch."""

    provider: str
    account: str
    provider_message_id: str
    verdict: Verdict | None
    """What it means; None where nobody mapped the provider's word."""
    provider_status: str | None
    provider_code: str | None
    provider_details: Mapping[str, str]
    provider_time: int | None
    source: Source
    observed_at: int
    raw: str
    """The provider's own words: a body, or a GET callback's query; recipient members redacted as settings say."""


Entry = Sent | Report
