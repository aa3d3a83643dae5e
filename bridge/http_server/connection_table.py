"""Which connections a listener has, and which of them makes room for another one.

No client can keep others out: when there is no room, one that waits for its client makes room, first of the peer that
has most of them.
"""

import random
from collections.abc import Callable, Iterable
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import islice
from typing import Generic, NamedTuple, Protocol, TypeVar

SAMPLE_SIZE = 32
"""How many connections are looked at to find a peer with many: one with a fifth of all is missed once in 1,000."""
MAX_CANDIDATES = 64
"""How many connections of a peer are looked at to find one that can make room."""
IPV6_NETWORK_BITS = 64
"""Whoever has one IPv6 address usually has all of its network."""


class CloseReason(StrEnum):
    """Why a connection was closed early; a label of the metrics."""

    EVICTED = "evicted"
    """It waited for its client, and another client needed the room."""
    REFUSED = "refused"
    """There was no room for it."""
    NO_DESCRIPTORS = "no_descriptors"
    """The process has no file descriptor left for it."""
    SLOW_REQUEST = "slow_request"
    """Its client didn't send a request in time."""
    SLOW_READER = "slow_reader"
    """Its client didn't read a response in time."""
    MALFORMED = "malformed"
    """What its client sent isn't HTTP, or exceeds a limit."""


class ConnectionLimits(NamedTuple):
    """How many connections a listener has, and for how long."""

    max_connections: int = 4096
    max_per_peer: int = 1024
    """Of one address, or of one IPv6 network of 64 bits."""
    is_proxy: Callable[[str], bool] = lambda _: False
    """Whether an address is one that many clients come through, which has no limit of its own. Networks are none."""
    idle_timeout: float = 75.0
    """Seconds that a connection is kept without a request; longer than balancers keep theirs, which is 60 at most."""


class TableEntry(Protocol):
    """A connection, as the table sees it."""

    peer: str
    index: int
    held_bytes: int
    """What it holds of a body that isn't complete."""

    waits_since: float
    """When it was opened or answered its last request, by the event loop's clock."""

    @property
    def waits_for_client(self) -> bool:
        """Whether it can be closed without losing the answer to its client's only request."""
        ...

    def abort(self, reason: CloseReason) -> None:
        """Close it at once."""
        ...


def name_peer(address: str) -> str:
    """Return what counts as one peer: an address, or an IPv6 network."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or ip_network((found, IPV6_NETWORK_BITS), strict=False))


Entry = TypeVar("Entry", bound=TableEntry)


class ConnectionTable(Generic[Entry]):
    """The connections of a listener.

    Args:
        limits: How many there may be.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._all: list[Entry] = []
        self._by_peer: dict[str, dict[Entry, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def list(self) -> list[Entry]:
        """Return all connections."""
        return list(self._all)

    def make_room(self, peer: str) -> bool:
        """Make room for one more connection of a peer; return whether there is."""
        own = self._by_peer.get(peer, {})
        if len(own) >= self._limits.max_per_peer and not self._limits.is_proxy(peer):
            return self._evict(own)
        if len(self._all) < self._limits.max_connections:
            return True
        return self._evict_of_sampled_peer()

    def free_descriptor(self) -> bool:
        """Close a connection, because the process has no file descriptor left; return whether one was closed."""
        return self._evict_of_sampled_peer()

    def free_memory(self) -> bool:
        """Close a connection that holds much of a body that isn't complete; return whether one was closed."""
        found = self._sample(lambda entry: (entry.held_bytes, 0.0))
        return found is not None and self._evict([found])

    def add(self, entry: Entry) -> None:
        """Add a connection."""
        entry.index = len(self._all)
        self._all.append(entry)
        self._by_peer.setdefault(entry.peer, {})[entry] = None

    def touch(self, entry: Entry) -> None:
        """Let a connection that was just used be the last of its peer's to make room."""
        own = self._by_peer.get(entry.peer, {})
        if len(own) > 1 and entry in own:
            del own[entry]
            own[entry] = None

    def remove(self, entry: Entry) -> None:
        """Forget a connection, if it is there."""
        own = self._by_peer.get(entry.peer, {})
        if entry not in own:
            return
        del own[entry]
        if not own:
            del self._by_peer[entry.peer]
        last = self._all.pop()
        if last is not entry:
            self._all[entry.index] = last
            last.index = entry.index

    def _evict_of_sampled_peer(self) -> bool:
        found = self._sample(self._rank_by_peer)
        return found is not None and self._evict(self._by_peer[found.peer])

    def _sample(self, rank: Callable[[Entry], tuple[int, float]]) -> Entry | None:
        """Find the waiting connection that ranks first among some, at random, so that it always costs the same."""
        sample = random.choices(self._all, k=SAMPLE_SIZE) if self._all else ()  # noqa: S311 - it needs no secrecy
        return max((entry for entry in sample if entry.waits_for_client), key=rank, default=None)

    def _rank_by_peer(self, entry: Entry) -> tuple[int, float]:
        """Rank by how many its peer has, then by how long it waits: who has just come is about to ask."""
        count = 0 if self._limits.is_proxy(entry.peer) else len(self._by_peer[entry.peer])
        return count, -entry.waits_since

    def _evict(self, candidates: Iterable[Entry]) -> bool:
        victim = next((entry for entry in islice(candidates, MAX_CANDIDATES) if entry.waits_for_client), None)
        if victim is None:
            return False
        self.remove(victim)
        victim.abort(CloseReason.EVICTED)
        return True
