"""Every error the bridge raises on purpose. An error's type carries its policy; nobody compares messages.

BridgeError
├── Poison          this input will never be read: to the dead letter, with a reason, and on
├── Unauthentic     a callback whose signature is wrong: 401, nothing kept
├── Transient       try again later, with backoff
│   ├── Unavailable     Kafka did not take it in time
│   ├── LookupFailed    the provider did not give a usable answer
│   └── RateLimited     the provider asks for patience
├── Damaged         the cache on disk can't be used: put it aside, begin again without it
├── Refused         the provider does not accept our credentials: stop asking, raise the alarm
└── Misconfigured   the service must not start or go on: one line that names the remedy
"""

from enum import StrEnum


class DeadLetterReason(StrEnum):
    """Why something is in the dead letter topic. Closed."""

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


class TransientError(BridgeError):
    """Nothing is wrong with the input: the same may work later."""


class KafkaUnavailableError(TransientError):
    """Kafka did not acknowledge in time, or too much is waiting for it already."""


class PollFailedError(TransientError):
    """A poll that gave no usable answer: an outage, a time-out, garbage."""


class RateLimitedError(TransientError):
    """The provider answered 429.

    Args:
        retry_after: Seconds the provider asks to wait, or None when it doesn't say.
    """

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("rate limited by the provider")
        self.retry_after = retry_after


class AuthenticationFailedError(BridgeError):
    """The provider does not accept the account's credentials."""


class StoreCorruptedError(BridgeError):
    """The cache on disk can't be read or written. It is only a cache: it is put aside and built anew."""


class ConfigurationError(BridgeError):
    """The service can't work as it is set up; the text names the setting and the remedy."""
