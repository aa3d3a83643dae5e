"""The releases of Apache Kafka that the sandbox can run, and what each needs to run."""

from collections.abc import Mapping
from typing import NamedTuple

DEFAULT_VERSION = "4.1.1"

VERSION_VARIABLE = "SMS_BRIDGE_SANDBOX_KAFKA_VERSION"
"""The variable that chooses another release, for tests."""


class KafkaRelease(NamedTuple):
    """One release."""

    version: str
    logging_jars: tuple[str, ...]
    """Maven coordinates of the jars that it needs for its log."""

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Maven coordinates of everything that it needs, without their dependencies."""
        return (f"org.apache.kafka:kafka_2.13:jar:{self.version}:compile", *self.logging_jars)


_STDERR_LOGGER = "org.slf4j:slf4j-simple:jar:1.7.36:compile"
"""Writes the log to standard error."""

_LOG4J_1 = "ch.qos.reload4j:reload4j:jar:1.2.25:compile"
"""Brokers before 4.0 load its classes when they start, but don't list it among their dependencies."""

RELEASES: Mapping[str, KafkaRelease] = {
    version: KafkaRelease(version, jars)
    for version, jars in (
        ("3.0.2", (_STDERR_LOGGER, _LOG4J_1)),
        ("3.3.2", (_STDERR_LOGGER, _LOG4J_1)),
        ("3.7.2", (_STDERR_LOGGER, _LOG4J_1)),
        ("3.9.1", (_STDERR_LOGGER, _LOG4J_1)),
        ("4.0.1", (_STDERR_LOGGER,)),
        (DEFAULT_VERSION, (_STDERR_LOGGER,)),
    )
}
"""By version."""
