"""What the parser makes of bytes, however they are cut, and what it refuses."""

import tracemalloc
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http_server.request_parser import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED,
    MalformedRequestError,
    RequestParser,
)

GET = b"GET /a?b=c HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"
UPGRADE = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAA\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;e=1\r\nc\r\n0\r\nt: v\r\n\r\n"
OFFERS = [one.replace(b"host: x\r\n", b"host: x\r\n" + UPGRADE) for one in (GET, POST, CHUNKED)]


def make_parser() -> RequestParser:
    """A parser of a connection from nowhere."""
    return RequestParser("192.0.2.1", lambda: None)


def feed_all(parser: RequestParser, pieces: Iterable[bytes]) -> None:
    """Feed one piece after the other."""
    for piece in pieces:
        parser.feed(piece)


async def read_all(parser: RequestParser) -> list[tuple[str, str, str, bytes]]:
    """Return the requests with their bodies."""
    found = [(received.request, await received.body.read()) for received in parser.requests]
    return [(request.method, request.path, request.query, body) for request, body in found]


@given(st.lists(st.sampled_from([GET, POST, CHUNKED, *OFFERS]), max_size=6), st.data())
async def test_cuts_make_no_difference(requests: list[bytes], data: st.DataObject) -> None:
    """The network cuts and joins as it likes."""
    whole, parser = b"".join(requests), make_parser()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=12)) | {0, len(whole)})
    feed_all(parser, [whole[start:end] for start, end in pairwise(cuts)])
    at_once = make_parser()
    at_once.feed(whole)
    assert await read_all(parser) == await read_all(at_once)
    assert len(parser.requests) == len(requests)


@given(st.binary(max_size=300), st.sampled_from([b"", GET, POST, CHUNKED, GET[:-2], b"POST / HTTP/1.1\r\nhost: x\r\n"]))
def test_any_bytes_are_parsed_or_refused(junk: bytes, before: bytes) -> None:
    """Nothing else can come of them, and after an error nothing is parsed."""
    parser = make_parser()
    with suppress(MalformedRequestError):
        parser.feed(before + junk)
    if parser.ended:
        found = len(parser.requests)
        parser.feed(GET)
        assert len(parser.requests) == found


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\n folded\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost : x\r\n", 400),
        (b"GET / HTTP/1.1\nhost: x\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\na: b\x00c\r\n", 400),
        (b"GET / HTTP/2.0\r\nhost: x\r\n", 505),
        (b"GET / HTTP/0.9\r\nhost: x\r\n", 505),
        (b"BREW / HTTP/1.1\r\nhost: x\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +3\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n", 501),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * MAX_HEADERS, 431),
        (b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"b" * MAX_HEAD_BYTES + b"\r\n", 431),
        (b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nhost: x\r\n", 431),
    ],
)
def test_ambiguous_or_large_heads_are_refused(head: bytes, status: int) -> None:
    """A proxy might read them otherwise."""
    parser = make_parser()
    with pytest.raises(MalformedRequestError) as raised:
        parser.feed(head + b"\r\n")
    assert raised.value.status == status
    assert not parser.requests


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nhost: x\r\na: ", b"GET /", b"GET / HTTP/1.1\r\n" + b"a" * 9, b"POST / HTTP/1.1\r\nh:"]
)
def test_endless_heads_are_refused_before_they_end(start: bytes) -> None:
    """Byte for byte, of a name, a value or a target."""
    parser = make_parser()
    parser.feed(start)
    with pytest.raises(MalformedRequestError):
        feed_all(parser, [b"a" * 1024] * (MAX_HEAD_BYTES // 1024 + 2))


def test_endless_trailers_are_refused() -> None:
    """What follows a body has no meaning, but it takes memory."""
    parser = make_parser()
    parser.feed(CHUNKED[:-2] + b"a: ")
    with pytest.raises(MalformedRequestError):
        feed_all(parser, [b"a" * 1024] * 5 * 1024)


def test_pipelined_requests_are_limited() -> None:
    """Those up to there are answered."""
    parser = make_parser()
    with pytest.raises(MalformedRequestError):
        parser.feed(GET * (MAX_PIPELINED + 1))
    assert len(parser.requests) == MAX_PIPELINED


def test_a_target_may_name_the_host() -> None:
    """As requests to proxies do."""
    parser = make_parser()
    parser.feed(GET.replace(b"/a?b", b"http://example.com/a?b"))
    assert (parser.requests[0].request.path, parser.requests[0].request.query) == ("/a", "b=c")


def test_another_protocol_is_not_offered() -> None:
    """The request is answered as if it hadn't asked; a tunnel is refused."""
    parser = make_parser()
    parser.feed(GET[:-2] + UPGRADE + b"\r\n" + GET)
    assert len(parser.requests) == 2
    with pytest.raises(MalformedRequestError) as raised:
        make_parser().feed(b"CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\n\r\n")
    assert raised.value.status == 501


async def test_bodies_of_requests_that_ask_for_http_2_are_read() -> None:
    """Java's HttpClient and `curl --http2` offer it with every request, a body included."""
    for whole in (POST, CHUNKED):
        parser = make_parser()
        parser.feed(whole.replace(b"host: x\r\n", b"host: x\r\n" + UPGRADE))
        assert await read_all(parser) == [("POST", "/a", "", b"abc")]


@pytest.mark.parametrize("size", [33_000, 200_000])
def test_a_large_body_in_one_piece_is_no_large_head(size: int) -> None:
    """Another request can follow it."""
    parser = make_parser()
    parser.feed(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
    parser.feed(GET)
    assert len(parser.requests) == 2


def test_pieces_of_a_byte_take_no_more_memory_than_the_body() -> None:
    """What is held is what was counted."""
    parser = make_parser()
    parser.feed(CHUNKED[: CHUNKED.index(b"2\r\n")])
    tracemalloc.start()
    for _ in range(500):
        parser.feed(b"1\r\na\r\n" * 100)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 200_000
    assert parser.held_bytes == 50_000
