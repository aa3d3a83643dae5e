"""How the cache's database lays out a partition: the meaning of its keys and values. Nothing is read or written here.

    s{key}                            an attempt: its timer, its poll, its state as the state topic has it
    e{time}{key}                      index of timers: the deadline of an attempt
    f{time}{key}                      index of timers: when a final attempt is forgotten
    q{time}{key}                      index of timers: when a parked attempt is given up
    p{provider:account},{time}{key}   index of polls: when an attempt is polled
    m                                 what the partition stands for

Times are milliseconds since the epoch in eight bytes, so that keys sort by them.
"""

import struct
from typing import Literal

import msgspec
from msgspec import Struct

from bridge.core.attempt import Followed, Parked, State
from bridge.core.entries import extract_full_account
from bridge.state.serde import decode_state

FORMAT: Literal[1] = 1

DUES = struct.Struct(">QQ")
"""An attempt's timer and its poll, before its state."""
DUE = struct.Struct(">Q")
STATE, POLL, META = b"s", b"p", b"m"
END, FORGET, PARK = b"e", b"f", b"q"


class StoredAttempt(Struct, frozen=True, gc=False):
    """An attempt as the cache has it; times in milliseconds since the epoch."""

    state: Parked | Followed
    timer: int
    poll: int
    """When to poll it next; 0: never."""


class StateChange(Struct, frozen=True, gc=False):
    """How a committed transaction changed an attempt; `encoded` is the new state as the state topic has it."""

    key: str
    before: StoredAttempt | None
    after: State
    encoded: bytes


class PartitionMeta(Struct, frozen=True, gc=False, rename={"journal_id": "incarnation"}):
    """What a cached partition stands for, and what it holds; stored as JSON."""

    format: Literal[1]
    fingerprint: int
    journal_id: str
    offset: int
    """The next offset of the state topic to be read."""
    written_at: int
    followed: dict[str, int]
    """Attempts without a final status, by provider."""
    parked: int


encode_meta = msgspec.json.Encoder().encode
_meta_decoder = msgspec.json.Decoder(PartitionMeta)


def decode_meta(value: bytes | None) -> PartitionMeta | None:
    """Decode a partition's meta data; None where there is none, or another release wrote it in another format."""
    try:
        return _meta_decoder.decode(value) if value else None
    except msgspec.MsgspecError:
        return None


def timer_index(state: Parked | Followed) -> bytes:
    """The index that an attempt's timer is in."""
    if isinstance(state, Parked):
        return PARK
    return END if state.final_at is None else FORGET


def poll_index(account: str) -> bytes:
    """The index of one account's polls; a comma sorts before whatever follows, and is in no account's name."""
    return POLL + account.encode() + b","


def parse_value(value: bytes | None) -> StoredAttempt | None:
    """An attempt from its value."""
    if value is None:
        return None
    timer, poll = DUES.unpack_from(value)
    return StoredAttempt(decode_state(value[DUES.size :]), timer, poll)


def list_index_entries(key: str, state: Parked | Followed, timer: int, poll: int) -> tuple[tuple[bytes, int], ...]:
    """List an attempt's entries in the indexes of times."""
    if poll:
        return (timer_index(state), timer), (poll_index(extract_full_account(key)), poll)
    return ((timer_index(state), timer),)
