"""Finds the requests in a stream of Kafka's protocol: each starts with its length and its API key."""

from collections.abc import Iterator
from struct import Struct

END_TXN = 26
"""The request that commits a transaction: https://kafka.apache.org/protocol#The_Messages_EndTxn"""

MEMBERSHIP = frozenset({11, 12, 13, 14})
"""The requests of a group's members to its coordinator: JoinGroup, Heartbeat, LeaveGroup, SyncGroup."""

_HEADER = Struct(">ih")


class RequestParser:
    """Parses one connection's requests; feed it all bytes that go to the broker."""

    def __init__(self) -> None:
        self._remaining = 0
        """How many bytes of the current request are still to come."""
        self._header = b""

    def feed(self, data: bytes) -> Iterator[int]:
        """Yield the API keys of the requests whose headers these bytes complete."""
        at = 0
        while at < len(data):
            if self._remaining:
                skipped = min(self._remaining, len(data) - at)
                self._remaining -= skipped
                at += skipped
                continue
            missing = _HEADER.size - len(self._header)
            self._header += data[at : at + missing]
            at += missing
            if len(self._header) == _HEADER.size:
                length, api_key = _HEADER.unpack(self._header)
                self._remaining, self._header = length - 2, b""
                yield api_key
