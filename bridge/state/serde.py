"""Attempts' states as bytes and back, for the state topic and the cache: JSON arrays, read by the tracker alone.

A value begins with the format's version and the kind of state; the members follow in the order of their type.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from bridge.core.attempt import Followed, Parked

FOLLOWED, PARKED = b'[1,"F",', b'[1,"P",'
"""How values of version 1 begin."""

_DECODERS: Mapping[bytes, Any] = {
    FOLLOWED: msgspec.json.Decoder(Followed),
    PARKED: msgspec.json.Decoder(Parked),
}
_encode = msgspec.json.Encoder().encode


def encode_state(state: Parked | Followed) -> bytes:
    """Encode a state as the state topic and the cache hold it."""
    return (FOLLOWED if isinstance(state, Followed) else PARKED) + _encode(state)[1:]


def decode_state(value: bytes) -> Parked | Followed:
    """Decode a state of the state topic or of the cache.

    Raises:
        ValueError: It was written by a version that this one doesn't know.
    """
    decoder, begin = _DECODERS.get(value[: len(FOLLOWED)]), len(FOLLOWED)
    if decoder is None:
        version = value[1 : value.find(b",")].decode("utf-8", "replace")
        raise ValueError(f"state of version {version}: run the release that wrote it, or a later one")
    state: Parked | Followed = decoder.decode(b"[" + value[begin:])
    return state
