"""The errors that the bridge raises. The type of an error decides how it is handled; no code compares messages.

BridgeError
├── PoisonMessageError         the input can't be used, now or later: write it to the dead letters
├── InvalidSignatureError      the signature of a callback is wrong: answer 401 and keep nothing
├── KafkaUnavailableError      Kafka did not acknowledge in time: retry
├── RegistryUnavailableError   the schema registry gave no usable answer: retry
│   └── RegistryRefusedError   it doesn't accept the credentials: retry, until somebody changes them or its rights
├── PollFailedError            a poll gave no usable answer: retry with backoff
│   └── RequestRejectedError   the provider answers, but not this request: retry it alone
├── RateLimitedError           the provider answered 429: retry later
├── AuthenticationFailedError  the provider doesn't accept the credentials: pause, log an error, retry later
├── StoreCorruptedError        the cache on disk can't be used: move it away and rebuild it
└── ConfigurationError         the settings don't work: stop with one line that names the setting and the remedy
"""

from enum import StrEnum
from typing import ClassVar


class DeadLetterReason(StrEnum):
    """Why a record is in the dead-letter topic. No new values will be added."""

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
    """Whether trying again may succeed. `kafka/retry.py` reads it."""


class PoisonMessageError(BridgeError):
    """Input that can't be used, now or later.

    Args:
        reason: The dead letter's `reason`.
        error: What is wrong, for people. It never has a secret in it.
    """

    def __init__(self, reason: DeadLetterReason, error: str) -> None:
        super().__init__(f"{reason}: {error}")
        self.reason = reason
        self.error = error


def convert_to_poison(error: Exception) -> PoisonMessageError:
    """Convert any error that pure code raised for an input: if nobody expected it, the input still can't be used."""
    if isinstance(error, PoisonMessageError):
        return error
    return PoisonMessageError(DeadLetterReason.INTERNAL, locate_error(error))


def locate_error(error: Exception) -> str:
    """Name the type of an unexpected error and the line that raised it. Its text may quote an input: left out."""
    raised = error.__traceback__
    while raised and raised.tb_next:
        raised = raised.tb_next
    place = f" at {raised.tb_frame.f_code.co_filename.rpartition('/')[2]}:{raised.tb_lineno}" if raised else ""
    return f"unexpected {type(error).__name__}{place}"


class InvalidSignatureError(BridgeError):
    """A callback whose signature is wrong or missing, although the account's settings require one."""


class UnsupportedMediaTypeError(BridgeError):
    """A callback in a form that isn't read, such as XML. The sender should know, so it is refused."""


class KafkaUnavailableError(BridgeError):
    """Kafka did not acknowledge in time, or too many records are waiting for it."""

    retriable = True


class RegistryUnavailableError(BridgeError):
    """The schema registry gave no usable answer: an outage, a refusal, or another program's answer."""

    retriable = True


class RegistryRefusedError(RegistryUnavailableError):
    """The schema registry doesn't accept the credentials, or not for what it was asked."""


class PollFailedError(BridgeError):
    """A poll without a usable answer: an outage or a time-out."""

    retriable = True


class RequestRejectedError(PollFailedError):
    """An answer about one request, a message's or a page's: those for other messages may succeed.

    Args:
        error: What the provider answered.
        permanent: Whether it will never know the message.
    """

    def __init__(self, error: str, *, permanent: bool = False) -> None:
        super().__init__(error)
        self.permanent = permanent


class RateLimitedError(BridgeError):
    """The provider answered 429.

    Args:
        retry_after_seconds: How long the provider asks to wait; None if it doesn't say.
    """

    retriable = True

    def __init__(self, retry_after_seconds: float | None) -> None:
        super().__init__("rate limited by the provider")
        self.retry_after_seconds = retry_after_seconds


class AuthenticationFailedError(BridgeError):
    """The provider doesn't accept the account's credentials."""

    retriable = True


class StoreCorruptedError(BridgeError):
    """The cache on disk can't be read or written. As it is only a cache, it is moved away and rebuilt."""

    retriable = True


class ConfigurationError(BridgeError):
    """The service can't work with its settings. The text names the setting and the remedy."""
