"""A key's partition is the one that Java's clients choose."""

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka.partitioner import partition_for

MAX_PARTITIONS = 2**31 - 1


@given(st.binary(max_size=200), st.integers(1, MAX_PARTITIONS))
def test_partitions_equal_the_client_library_s(key: bytes, partitions: int) -> None:
    """Of keys of any length and content."""
    assert partition_for(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions


def test_every_length_is_hashed_alike() -> None:
    """The rest of a key that isn't a whole number of words is where implementations differ."""
    for length in range(300):
        key = bytes(number * 37 % 251 for number in range(length))
        assert partition_for(key, MAX_PARTITIONS) == (murmur2(key) & 0x7FFFFFFF) % MAX_PARTITIONS


def test_partitions_equal_java() -> None:
    """The hashes are from Apache Kafka's own Java tests."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    for key, expected in known.items():
        assert partition_for(key, 12) == (expected & 0x7FFFFFFF) % 12
