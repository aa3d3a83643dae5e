"""Who gets a connection when there isn't room for all."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.http_server.connection_table import CloseReason, ConnectionLimits, ConnectionTable, name_peer

LIMITS = ConnectionLimits(max_connections=12, max_per_peer=4, is_proxy=lambda peer: peer == "proxy")


class Entry:
    """A connection that answers nothing, or something."""

    def __init__(self, peer: str, *, waits: bool = True, since: float = 0.0) -> None:
        self.peer, self.index, self.waits_for_client, self.waits_since = peer, 0, waits, since
        self.aborted, self.held_bytes = False, 0

    def abort(self, reason: CloseReason) -> None:
        """Remember it."""
        assert reason is CloseReason.EVICTED
        self.aborted = True


def connect(table: ConnectionTable[Entry], entry: Entry) -> bool:
    """Connect, if there is room."""
    if not table.make_room(entry.peer):
        return False
    table.add(entry)
    return True


@given(st.lists(st.tuples(st.sampled_from(["proxy", "a", "b", "c", "d"]), st.booleans(), st.booleans()), max_size=60))
@settings(max_examples=300)
def test_limits_hold_and_nothing_is_lost(steps: list[tuple[str, bool, bool]]) -> None:
    """Whatever comes and goes."""
    table: ConnectionTable[Entry] = ConnectionTable(LIMITS)
    for peer, waits, leaves in steps:
        connect(table, Entry(peer, waits=waits))
        if leaves and table.list():
            table.remove(table.list()[0])
            table.remove(Entry(peer))  # one that isn't there
        entries = table.list()
        assert len(entries) == len(table) <= LIMITS.max_connections
        assert [entry.index for entry in entries] == list(range(len(entries)))
        assert not any(entry.aborted for entry in entries)
        for one in "abcd":
            assert sum(entry.peer == one for entry in entries) <= LIMITS.max_per_peer


def test_a_peer_makes_room_for_itself_the_idlest_first() -> None:
    """It costs nobody else a connection."""
    table: ConnectionTable[Entry] = ConnectionTable(LIMITS)
    other, own = Entry("b"), [Entry("a") for _ in range(4)]
    for entry in (other, *own):
        assert connect(table, entry)
    table.touch(own[0])
    assert connect(table, Entry("a"))
    assert [entry.aborted for entry in (other, *own)] == [False, False, True, False, False]


def test_whoever_has_most_makes_room() -> None:
    """Not those who have few, and a proxy last."""
    random.seed(1)  # 32 are looked at, at random
    table: ConnectionTable[Entry] = ConnectionTable(LIMITS)
    first = [Entry("proxy") for _ in range(7)] + [Entry("b")]
    many = [Entry("a") for _ in range(4)]
    for entry in (*first, *many):
        assert connect(table, entry)
    assert connect(table, Entry("c"))
    assert sum(entry.aborted for entry in many) + sum(entry.aborted for entry in first) == 1
    assert many[0].aborted


def test_who_has_just_come_stays() -> None:
    """Of those that have as many, one that has waited for long makes room."""
    table: ConnectionTable[Entry] = ConnectionTable(ConnectionLimits(max_connections=100))
    entries = [Entry(str(number), since=number) for number in range(100)]
    for entry in entries:
        assert connect(table, entry)
    for number in range(50):
        assert connect(table, Entry(f"new {number}", since=100 + number))
    assert sum(entry.aborted for entry in entries) == 50
    assert not any(entry.aborted for entry in entries[-5:])


def test_what_is_being_answered_is_never_closed() -> None:
    """Then there is no room."""
    table: ConnectionTable[Entry] = ConnectionTable(LIMITS)
    for number in range(12):
        assert connect(table, Entry(str(number), waits=False))
    assert not connect(table, Entry("x"))
    assert not table.free_descriptor()


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_network_is_one_peer(address: str, peer: str) -> None:
    """Whoever has an address has 2^64 of them."""
    assert name_peer(address) == peer
