"""Bounds what is taken from a broker, or from what answers in its place; the client library has no bounds."""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, ScramAuthenticator
from aiokafka.errors import KafkaConnectionError

MAX_FRAME_BYTES = 128 * 1024 * 1024
"""Maximum size of an answer: a broker sends the 50 MB that a fetch asks for at most, or one batch if that is larger."""
SCRAM_ITERATIONS = range(4096, 100_001)
"""RFC 7677 wants 4,096 at least: with fewer, who listens finds the password sooner. Kafka's brokers use 4,096 unless
told otherwise."""

_create_reader_task = AIOKafkaConnection._create_reader_task  # noqa: SLF001 - the library's own
_create_salted_password = ScramAuthenticator.create_salted_password


class BrokerLimitError(KafkaConnectionError):  # type: ignore[misc]  # aiokafka has no types
    """What a broker sends exceeds a limit, so it may be none."""


def bound_answers() -> None:
    """Change the client library, for the whole process."""
    AIOKafkaConnection._create_reader_task = _read_bounded  # noqa: SLF001 - the library's own
    ScramAuthenticator.create_salted_password = _create_bounded


def _read_bounded(connection: AIOKafkaConnection) -> Any:
    read = connection._reader.readexactly  # noqa: SLF001 - the library's own

    async def read_bounded(size: int) -> bytes:
        if not 0 <= size <= MAX_FRAME_BYTES:
            raise BrokerLimitError(f"an answer of {size} bytes isn't Kafka's; is this a port of Kafka?")
        found: bytes = await read(size)
        return found

    connection._reader.readexactly = read_bounded  # noqa: SLF001 - the library's own
    return _create_reader_task(connection)


def _create_bounded(authenticator: ScramAuthenticator, salt: bytes, iterations: int) -> None:
    if iterations not in SCRAM_ITERATIONS:
        raise BrokerLimitError(f"the broker wants SCRAM with {iterations} iterations, which isn't safe")
    _create_salted_password(authenticator, salt, iterations)
