"""The journal's entries: what was learnt about an attempt. It was sent, or a report came; there is nothing else.

The types are the wire format (`schemas/journal.v1.json`). An entry is written once and never reinterpreted: whatever
depends on settings (the mapping of a status, the deadline, what may be kept of a phone number) was decided before.
"""

from typing import Literal, NamedTuple, Self

from msgspec import Struct

from bridge.core.delivery import Reason, Source, Status, Verdict

MAX_ID_BYTES = 128
"""The longest id, in bytes of UTF-8."""


class AttemptKey(NamedTuple):
    """What an attempt is known by. Its text, with colons between, is the key of the journal and of the state topic."""

    provider: str
    account: str
    provider_message_id: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split a key's text."""
        return cls(*text.split(":", 2))

    @property
    def full_account(self) -> str:
        """`provider:account`, with which the key begins."""
        return f"{self.provider}:{self.account}"

    def __str__(self) -> str:
        return f"{self.provider}:{self.account}:{self.provider_message_id}"


class Sent(Struct, frozen=True, gc=False, tag_field="type", tag="sent"):
    """A message was handed to a provider's account. Times in milliseconds since the epoch."""

    message_id: str
    provider: str
    account: str
    provider_message_id: str
    sent_at: int
    starts_at: int
    """From when ages count: `scheduled_at` where that is later than `sent_at`."""
    gives_up_at: int
    """The deadline: the sender's `give_up_at`, or what settings say; already clamped."""
    recipient: str | None = None
    sender: str | None = None
    metadata: dict[str, str] = {}
    traceparent: str | None = None
    origin: tuple[str, int, int] | None = None
    """Topic, partition and offset of the record of `sms.sent`."""
    v: Literal[1] = 1

    @property
    def key(self) -> str:
        """The text of the attempt's key."""
        return f"{self.provider}:{self.account}:{self.provider_message_id}"


class Report(Struct, frozen=True, gc=False, tag_field="type", tag="report"):
    """A provider reported something about an attempt. Times in milliseconds since the epoch."""

    provider: str
    account: str
    provider_message_id: str
    status: Status | None
    """What the provider's word means; None where it is unmapped, then with `reason` and `permanent`."""
    reason: Reason | None
    permanent: bool | None
    provider_status: str | None
    provider_code: str | None
    provider_details: dict[str, str]
    provider_time: int | None
    source: Source
    observed_at: int
    raw: str
    """The provider's own words: a body, or a GET callback's query; recipient members redacted as settings say."""
    v: Literal[1] = 1

    @property
    def key(self) -> str:
        """The text of the attempt's key."""
        return f"{self.provider}:{self.account}:{self.provider_message_id}"

    @property
    def verdict(self) -> Verdict | None:
        """What the provider's word means, as one value; None where it is unmapped."""
        return None if self.status is None else Verdict(self.status, self.reason or Reason.NONE, self.permanent)


Entry = Sent | Report


def provider_of(key: str) -> str:
    """Cut the provider out of a key's text."""
    return key[: key.index(":")]


def full_account_of(key: str) -> str:
    """Cut the `provider:account` out of a key's text."""
    return key[: key.index(":", key.index(":") + 1)]
