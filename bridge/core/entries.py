"""The journal's entries: that an attempt was sent, or that a provider reported something about it.

The types are the wire format (`schemas/journal.v1.json`). An entry is written once and never reinterpreted: everything
that depends on settings (the meaning of a status, the deadline, phone numbers' privacy) is decided before.
"""

from typing import Literal, NamedTuple, Self

from msgspec import UNSET, Struct, UnsetType

from bridge.core.delivery import Reason, Source, Status, Verdict

MAX_ID_BYTES = 128
"""The longest id, in bytes of UTF-8."""

MAX_AHEAD_MS = 86_400_000
"""How far `sent_at` may be in the future: clocks differ, but not by more than a day."""

EXACT_INTEGERS = range(-(2**63), 2**64)
"""Integers of 64 bits, signed or not. A larger number is no id: JSON readers in between may have lost digits of it."""


class AttemptKey(NamedTuple):
    """Identifies an attempt. Its text, with colons between its parts, is the key in the journal and the state topic."""

    provider: str
    account: str
    provider_message_id: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text of a key."""
        return cls(*text.split(":", 2))

    @property
    def full_account(self) -> str:
        """`provider:account`, the beginning of the key."""
        return f"{self.provider}:{self.account}"

    def __str__(self) -> str:
        return f"{self.provider}:{self.account}:{self.provider_message_id}"


MAX_PARTS = 255
"""The most parts of a message (3GPP TS 23.040, 9.2.3.24.1)."""


class Part(Struct, array_like=True, frozen=True, gc=False):
    """Which part of a long message a report is about."""

    name: str
    """Its number, as the provider writes it."""
    total: int
    """How many parts the message has."""


class Sent(Struct, frozen=True, gc=False, tag_field="type", tag="sent"):
    """A message was handed to a provider. Times are in milliseconds since the epoch."""

    message_id: str
    provider: str
    account: str
    provider_message_id: str
    sent_at: int
    starts_at: int
    """The start of ages and deadlines: `sent_at`, or `scheduled_at` if that is later."""
    gives_up_at: int
    """The deadline: the sender's `give_up_at`, limited by `MAX_FOLLOW`, or by settings."""
    recipient: str | None = None
    sender: str | None = None
    metadata: dict[str, str] = {}
    traceparent: str | None = None
    origin: tuple[str, int, int] | None = None
    """Topic, partition and offset of the record of `sms.sent`."""
    lifetimes: str = ""
    """A fingerprint of the settings that `gives_up_at` depends on; empty in entries of older versions."""
    compared_id: str | UnsetType = UNSET
    """The form of `provider_message_id` in which reports have it, if that is another one (`ID_FORM`)."""
    v: Literal[1] = 1

    @property
    def key(self) -> str:
        """The text of the attempt's key."""
        compared = self.provider_message_id if self.compared_id is UNSET else self.compared_id
        return f"{self.provider}:{self.account}:{compared}"


class Report(Struct, frozen=True, gc=False, tag_field="type", tag="report"):
    """A provider reported a status of an attempt. Times are in milliseconds since the epoch."""

    provider: str
    account: str
    provider_message_id: str
    status: Status | None
    """The meaning of the provider's status. None if it is unmapped; then `reason` and `permanent` are None, too."""
    reason: Reason | None
    permanent: bool | None
    provider_status: str | None
    provider_code: str | None
    provider_details: dict[str, str]
    provider_time: int | None
    source: Source
    observed_at: int
    raw: str
    """The original text: a body, or the query of a GET callback; phone numbers are redacted as settings say."""
    part: Part | UnsetType = UNSET
    """The part that it is about, if it isn't about the whole message."""
    v: Literal[1] = 1

    @property
    def key(self) -> str:
        """The text of the attempt's key."""
        return f"{self.provider}:{self.account}:{self.provider_message_id}"

    @property
    def verdict(self) -> Verdict | None:
        """The meaning of the provider's status as one value; None if it is unmapped."""
        return None if self.status is None else Verdict(self.status, self.reason or Reason.NONE, self.permanent)


Entry = Sent | Report


def extract_provider(key: str) -> str:
    """Cut the provider out of a key's text."""
    return key[: key.index(":")]


def extract_full_account(key: str) -> str:
    """Extract `provider:account` from the text of a key."""
    return key[: key.index(":", key.index(":") + 1)]
