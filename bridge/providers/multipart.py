"""Parses multipart forms (RFC 7578): flat, and in time that grows with their size alone. Pure.

The standard library's parser is for mail. It opens parts within parts, and its time grows with the square of a header.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from quopri import decodestring

from bridge.providers.charsets import decode, find_parameter
from bridge.providers.parsing import make_unreadable_error

MAX_FIELDS = 1_000
"""The most fields of a form."""

MAX_BOUNDARY_CHARS = 200
MAX_HEAD_BYTES = 2_048
"""The most bytes of a part's headers."""

_HEADER = re.compile(r"^(content-[a-z-]{1,40})[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_ENDS_OF_HEADS = (b"\r\n\r\n", b"\n\n")


def parse_multipart(body: bytes, content_type: str) -> Mapping[str, str]:
    """Parse the fields of a form by name; of several with one name, the first counts. A file is its content.

    Raises:
        UnsupportedMediaTypeError: A field's character set isn't read.
        PoisonMessageError: It has no boundary, no field or too many, or a part that isn't a field.
    """
    boundary = find_parameter(content_type, "boundary")
    if not boundary or len(boundary) > MAX_BOUNDARY_CHARS:
        raise make_unreadable_error("the multipart form has no boundary")
    delimiter = b"--" + boundary.encode("utf-8", "surrogateescape")
    if body.count(delimiter) > MAX_FIELDS + 1:
        raise make_unreadable_error(f"the form has more than {MAX_FIELDS} fields")
    fields: dict[str, str] = {}
    for part in body.split(delimiter)[1:]:
        if part.startswith(b"--"):  # the end
            break
        _add_field(fields, part)
    if not fields:
        raise make_unreadable_error("the multipart form has no field; is its boundary wrong?")
    return fields


def _add_field(fields: dict[str, str], part: bytes) -> None:
    part = part.lstrip(b" \t").removeprefix(b"\r").removeprefix(b"\n")
    at, end = min((part.find(end) % (len(part) + 1), end) for end in _ENDS_OF_HEADS)
    if at >= min(len(part), MAX_HEAD_BYTES):
        raise make_unreadable_error("a part of the multipart form has no headers, or too long ones")
    headers = {name.lower(): value for name, value in _HEADER.findall(part[:at].decode("utf-8", "surrogateescape"))}
    name = find_parameter(headers.get("content-disposition", ""), "name")
    if name is None:
        raise make_unreadable_error("a part of the multipart form has no name")
    content = _decode_transfer(part[at + len(end) :].removesuffix(b"\n").removesuffix(b"\r"), headers)
    charset = find_parameter(headers.get("content-type", ""), "charset") or "utf-8"
    fields.setdefault(name, decode(content, charset, "surrogateescape"))


def _decode_transfer(content: bytes, headers: Mapping[str, str]) -> bytes:
    """Decode what a client of mail wrote: HTTP needs no encoding (RFC 7578, 4.7)."""
    encoding = headers.get("content-transfer-encoding", "").strip().lower()
    if encoding == "base64":
        try:
            return b64decode(content)
        except ValueError as error:
            raise make_unreadable_error("a field isn't the base64 that it says it is") from error
    return decodestring(content) if encoding == "quoted-printable" else content
