"""Every error that the bridge raises on purpose. An error's type carries its policy; nobody compares messages.

BridgeError
├── PoisonMessageError         this input will never be readable: write it to the dead letters with a reason, go on
├── InvalidSignatureError      a callback whose signature is wrong: answer 401, keep nothing
├── KafkaUnavailableError      Kafka did not acknowledge in time: retry
├── PollFailedError            the provider gave no usable answer: retry with backoff
├── RateLimitedError           the provider asks for patience: retry later
├── AuthenticationFailedError  the provider refuses our credentials: pause, raise the alarm, retry later
├── StoreCorruptedError        the cache on disk can't be used: put it aside, rebuild it
└── ConfigurationError         the service must not start or go on: one line that names the setting and the remedy
"""

from enum import StrEnum
from typing import ClassVar


class DeadLetterReason(StrEnum):
    """Why something is in the dead-letter topic. Closed."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNKNOWN_PROVIDER = "unknown_provider"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNREADABLE = "unreadable"
    UNMATCHED = "unmatched"
    PARKED_OVERFLOW = "parked_overflow"
    CONFLICT = "conflict"
    TOO_OLD = "too_old"
    TOO_LARGE = "too_large"
    INTERNAL = "internal"


class BridgeError(Exception):
    """The root of the tree above."""

    retriable: ClassVar[bool] = False
    """Whether the same may succeed later. Read by `kafka/retry.py`."""


class PoisonMessageError(BridgeError):
    """Input that no retry will make readable.

    Args:
        reason: The dead letter's `reason`.
        error: What is wrong, for a person. Never holds a secret.
    """

    def __init__(self, reason: DeadLetterReason, error: str) -> None:
        super().__init__(f"{reason}: {error}")
        self.reason = reason
        self.error = error


class InvalidSignatureError(BridgeError):
    """A callback that isn't signed as the account's settings demand."""


class KafkaUnavailableError(BridgeError):
    """Kafka did not acknowledge in time, or too much is waiting for it already."""

    retriable = True


class PollFailedError(BridgeError):
    """A poll that gave no usable answer: an outage, a time-out, garbage."""

    retriable = True


class RateLimitedError(BridgeError):
    """The provider answered 429.

    Args:
        retry_after: Seconds the provider asks to wait, or None when it doesn't say.
    """

    retriable = True

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("rate limited by the provider")
        self.retry_after = retry_after


class AuthenticationFailedError(BridgeError):
    """The provider does not accept the account's credentials."""

    retriable = True


class StoreCorruptedError(BridgeError):
    """The cache on disk can't be read or written. It is only a cache: it is put aside and rebuilt."""

    retriable = True


class ConfigurationError(BridgeError):
    """The service can't work as it is set up; the text names the setting and the remedy."""
