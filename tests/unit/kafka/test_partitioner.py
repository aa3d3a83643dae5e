"""A key's partition is the one that Java's clients choose."""

from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka.partitioner import murmur2, partition_for


@given(st.binary(max_size=200))
def test_hash_equals_the_client_library_s(data: bytes) -> None:
    """The fast hash equals the client library's."""
    assert murmur2(data) == reference(data) & 0xFFFFFFFF


def test_partitions_equal_java() -> None:
    """The hashes are from Apache Kafka's own Java tests."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    for key, expected in known.items():
        assert murmur2(key) == expected & 0xFFFFFFFF
        assert partition_for(key, 12) == (expected & 0x7FFFFFFF) % 12
