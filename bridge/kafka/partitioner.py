"""The partition of a key, as Java's default partitioner chooses it, so that other clients can join by key."""

from murmurhash2 import murmurhash2

SEED = 0x9747B28C
"""Kafka's seed of MurmurHash2, 32 bits."""


def partition_for(key: bytes, partitions: int) -> int:
    """The partition of a key, from 0."""
    number: int = (murmurhash2(key, SEED) & 0x7FFFFFFF) % partitions
    return number
