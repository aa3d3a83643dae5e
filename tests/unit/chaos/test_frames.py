"""The network's eye for commits: it must see each, however the bytes come."""

import struct

import pytest

from tests.chaos.frames import END_TXN, RequestParser

REQUESTS = ((0, 0), (END_TXN, 9), (1, 300), (END_TXN, 1), (END_TXN, 7))
"""Kinds, and how much comes with each."""

STREAM = b"".join(struct.pack(">ih", 2 + size, kind) + bytes(size) for kind, size in REQUESTS)


@pytest.mark.parametrize("size", [1, 2, 5, 7, 64, 10_000])
def test_each_request_is_found_once(size: int) -> None:
    """In one piece or split."""
    parser = RequestParser()
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [kind for piece in pieces for kind in parser.feed(piece)] == [kind for kind, _ in REQUESTS]
