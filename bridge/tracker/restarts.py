"""How a partition's worker restarts after an error: after which pause, and under which name it is counted."""

from collections.abc import Mapping
from typing import NamedTuple

from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidTimestampError,
    KafkaError,
    OffsetOutOfRangeError,
    ProducerFenced,
)

from bridge.core.errors import ConfigurationError
from bridge.kafka.errors import format_error
from bridge.tracker.quarantine import REFUSALS

FENCED_PAUSE = 1.0
"""Seconds that a fenced worker waits before it makes sure that the partition is still its own."""

MIN_PAUSE, MAX_PAUSE = 0.5, 10.0
"""Seconds between restarts."""


class RefusedError(Exception):
    """Kafka refused a batch for good. The next ones are smaller, or without what caused it."""


class Restart(NamedTuple):
    """How a worker restarts after an error."""

    cause: str
    """A label of the metrics."""
    pause: float | None = None
    """Seconds; None: twice as long each time."""


RESTARTS: Mapping[type[BaseException], Restart] = {
    ProducerFenced: Restart("fenced", FENCED_PAUSE),
    InvalidProducerEpoch: Restart("fenced", FENCED_PAUSE),
    RefusedError: Restart("refused", 0.0),
    OffsetOutOfRangeError: Restart("misconfigured", MAX_PAUSE),
    InvalidTimestampError: Restart("misconfigured", MAX_PAUSE),
    **dict.fromkeys(REFUSALS, Restart("misconfigured", MAX_PAUSE)),
    ConfigurationError: Restart("misconfigured", MAX_PAUSE),
    KafkaError: Restart("kafka"),
    OSError: Restart("kafka"),
    Exception: Restart("internal"),
}
"""By the type of the error; the first match applies."""


EXPLANATIONS: Mapping[type[Exception], str] = {
    OffsetOutOfRangeError: "the journal no longer holds the committed offset; see `sms-bridge topics --adopt`",
    InvalidTimestampError: "Kafka refuses the time of a record; is this machine's clock right? See `sms-bridge check`",
}
"""What a person should do about an error whose own text doesn't say it."""


def explain_restart(error: Exception, cause: str) -> str:
    """Explain an error to people: by its own text where that says what to do."""
    for kind, text in EXPLANATIONS.items():
        if isinstance(error, kind):
            return text
    own_text = cause in {"misconfigured", "refused"} and not isinstance(error, KafkaError)
    return str(error) if own_text else format_error(error)
