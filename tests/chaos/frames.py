"""Which requests of Kafka's protocol begin in a stream of bytes: each has its length before it, and its kind first."""

from collections.abc import Iterator
from struct import Struct

END_TXN = 26
"""The request that commits a transaction: https://kafka.apache.org/protocol#The_Messages_EndTxn"""

_HEAD = Struct(">ih")


class Frames:
    """One connection's requests: feed it all that goes to the broker."""

    def __init__(self) -> None:
        self._left = 0
        """Bytes of the request under way that are still to come."""
        self._head = b""

    def feed(self, data: bytes) -> Iterator[int]:
        """The kinds of the requests whose beginning these bytes complete."""
        at = 0
        while at < len(data):
            if self._left:
                passed = min(self._left, len(data) - at)
                self._left -= passed
                at += passed
                continue
            wanted = _HEAD.size - len(self._head)
            self._head += data[at : at + wanted]
            at += wanted
            if len(self._head) == _HEAD.size:
                length, kind = _HEAD.unpack(self._head)
                self._left, self._head = length - 2, b""
                yield kind
