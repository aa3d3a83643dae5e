"""Files with a callback: a body alone, or a request as a capture shows it."""

import gzip

import pytest

from bridge.core.errors import UnsupportedMediaTypeError
from bridge.http_server.messages import BodyIncompleteError
from bridge.tools.callback_capture import parse_capture

POST = ("POST",)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_body_alone_was_posted(end: bytes) -> None:
    """Without the line break that an editor writes at its end."""
    callback = parse_capture(b"id=1&status=ok" + end, ("GET", "POST"))
    assert (callback.method, callback.query, callback.body) == ("POST", "", b"id=1&status=ok")
    assert parse_capture(b"{}", ("PUT",)).method == "PUT"


def test_a_body_alone_is_a_query_where_nothing_else_is_accepted() -> None:
    """An account that accepts only GET has no bodies."""
    callback = parse_capture(b"?id=1&status=ok\n", ("GET",))
    assert (callback.method, callback.query, callback.body) == ("GET", "id=1&status=ok", b"")


@pytest.mark.parametrize("line", [b"\n", b"\r\n"])
def test_a_request_is_taken_apart(line: bytes) -> None:
    """Its method, path, query, headers and body; names of headers are in lower case, and the first one counts."""
    lines = [
        b"POST /dlr/x/s?a=1 HTTP/1.1",
        b"Content-Type: text/plain",
        b"X-One: 1",
        b"x-one: 2",
        b"",
        b"a",
        b"",
        b"b",
        b"",
    ]
    callback = parse_capture(line.join(lines), POST)
    assert (callback.method, callback.path, callback.query) == ("POST", "/dlr/x/s", "a=1")
    assert (callback.content_type, callback.headers.get("x-one")) == ("text/plain", "1")
    assert callback.body == line.join([b"a", b"", b"b"])


def test_content_length_ends_a_body() -> None:
    """If the file has as much; a shorter one was edited."""
    head = b"POST http://host/dlr/x?a HTTP/1.1\nContent-Length: 2\n\n"
    assert parse_capture(head + b"ab\n\n", POST).body == b"ab"
    assert parse_capture(head + b"a", POST).body == b"a"
    assert parse_capture(head, POST).path == "/dlr/x"


def test_a_get_has_no_body() -> None:
    """Nor needs it a blank line after its head."""
    callback = parse_capture(b"GET /dlr/x/s?id=1 HTTP/1.0\nHost: here", POST)
    assert (callback.method, callback.query, callback.body) == ("GET", "id=1", b"")


def test_a_compressed_body_is_inflated() -> None:
    """As the service does."""
    head = b"POST / HTTP/1.1\nContent-Encoding: %s\n\n"
    assert parse_capture(head % b"gzip" + gzip.compress(b"{}"), POST).body == b"{}"
    with pytest.raises(BodyIncompleteError):
        parse_capture(head % b"gzip" + b"{}", POST)
    with pytest.raises(UnsupportedMediaTypeError):
        parse_capture(head % b"br" + b"{}", POST)


def test_what_only_begins_like_a_request_is_a_body() -> None:
    """A request line ends with a version."""
    assert parse_capture(b"POST /x\n\nbody", POST).body == b"POST /x\n\nbody"
