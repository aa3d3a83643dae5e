"""Opens a callback: whatever holds its facts (a query, a form, JSON) becomes one document. Pure.

The dialects read the document. A callback with an array of reports is read element by element.
"""

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from msgspec import Struct

from bridge.core.entries import Report
from bridge.core.errors import UnsupportedMediaTypeError, convert_to_poison
from bridge.providers.charsets import decode, find_parameter
from bridge.providers.dialect import Callback, CallbackReading, UnreadableReport
from bridge.providers.multipart import parse_multipart
from bridge.providers.parsing import (
    NO_MEMBERS,
    Number,
    is_utf8,
    make_unreadable_error,
    parse_json,
    unwrap_data,
)
from bridge.providers.urlencoded import parse_fields

MAX_REPORTS = 1_000
"""The most reports of one callback."""

FREE_BYTES = 64 * 1024
"""So much, and twice the callback's size, may the originals of reports have that can't be read. Of any more, one letter
has the whole callback."""

JSON_TYPE = "application/json"
MULTIPART_TYPE = "multipart/form-data"

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class CallbackDocument(Struct, frozen=True):
    """An opened callback."""

    raw: str
    """The text that the provider sent: the body, or the query if there is no body; of a multipart form, its fields as
    a JSON object."""
    content: Any
    """The JSON document; or the fields of a form or a query by name."""
    query: Mapping[str, str] = NO_MEMBERS
    """The query's fields, if there is a body, too."""
    query_text: str = ""
    is_json: bool = False


def open_callback(callback: Callback) -> CallbackDocument:
    """Open a callback.

    Raises:
        UnsupportedMediaTypeError: It is XML, or in a character set that nobody knows.
        PoisonMessageError: It isn't what it says it is.
    """
    query = callback.query
    fields = parse_fields(query) if query else NO_MEMBERS
    if not callback.body:
        if not is_utf8(query):
            raise make_unreadable_error("the query is not UTF-8")
        return CallbackDocument(query, fields)
    if callback.content_type == JSON_TYPE:  # the usual case, and this runs once for each callback
        raw = _decode(callback.body, "utf-8")
        return CallbackDocument(raw, parse_json(raw), fields, query, is_json=True)
    media_type = _find_media_type(callback)
    if media_type == MULTIPART_TYPE:
        form = parse_multipart(callback.body, callback.content_type)
        raw = json.dumps(form, ensure_ascii=False)
        return CallbackDocument(raw if is_utf8(raw) else json.dumps(form), form, fields, query)
    if _find_start(callback) == b"<" or media_type.endswith(("/xml", "+xml")):
        raise UnsupportedMediaTypeError("XML isn't read; convert it to JSON in front of the bridge")
    charset = find_parameter(callback.content_type, "charset") or "utf-8"
    raw = _decode(callback.body, charset)
    if is_json(callback):
        return CallbackDocument(raw, parse_json(raw), fields, query, is_json=True)
    return CallbackDocument(raw, parse_fields(raw, charset), fields, query)


def is_json(callback: Callback) -> bool:
    """Whether a callback's body is JSON, by its content type or its first byte.

    The first byte counts because many HTTP clients declare a form by default, and no form begins with a brace.
    """
    if not callback.body:
        return False
    return _find_start(callback) in {b"{", b"["} or _find_media_type(callback).endswith(("/json", "+json"))


def is_multipart(callback: Callback) -> bool:
    """Whether a callback's body is a multipart form."""
    return _find_media_type(callback) == MULTIPART_TYPE


def list_reports(content: Any) -> Sequence[Any]:
    """List the reports of a JSON array, or of the one in `{"data": [...]}`; anything else is one report."""
    inner = unwrap_data(content)
    return inner if isinstance(inner, list) else (inner,)


def list_of_one(report: Any) -> Any:
    """Wrap a report as an array of reports."""
    return [report]


def read_reports(
    original: Callback,
    document: CallbackDocument,
    elements: Sequence[Any] | None,
    wrap: Callable[[Any], Any],
    read: Callable[[Any, str], Report | None],
) -> CallbackReading:
    """Read each report of a callback; of several, a bad one doesn't cost the others.

    Args:
        original: The callback.
        document: Its document.
        elements: Its array of reports; None if it is one report itself.
        wrap: Puts an element into a document as the callback's, alone.
        read: Reads an element with its text; None for one that isn't about an SMS's delivery.

    Raises:
        PoisonMessageError: It can't be read at all.
    """
    if elements is None or len(elements) == 1:
        report = read(document.content if elements is None else elements[0], document.raw)
        return () if report is None else (report,)
    if len(elements) > MAX_REPORTS:
        raise make_unreadable_error(f"the callback has {len(elements)} reports; {MAX_REPORTS} are the most")
    reading: list[Report | UnreadableReport] = []
    room = 2 * len(document.raw) + FREE_BYTES
    for element in elements:
        raw = dump_json(element)
        try:
            report = read(element, raw)
        except Exception as error:  # noqa: BLE001 - whatever it raises, this report is the cause
            alone = dump_json(wrap(element)).encode()
            room -= len(alone)
            if room >= 0:
                callback = Callback("POST", document.query_text, JSON_TYPE, alone)
                reading.append(UnreadableReport(callback, convert_to_poison(error)))
        else:
            reading += () if report is None else (report,)
    if room < 0:
        reading.append(UnreadableReport(original, make_unreadable_error("further reports of it can't be read")))
    return reading


def dump_json(document: Any) -> str:
    """Write a document that `parse_json` parsed, with its numbers as they were written.

    Raises:
        PoisonMessageError: It is nested too deeply.
    """
    try:
        return orjson.dumps(document, default=_dump_number, option=orjson.OPT_PASSTHROUGH_SUBCLASS).decode()
    except orjson.JSONEncodeError as error:
        raise make_unreadable_error(f"a report can't be written: {error}") from error


def _dump_number(value: Any) -> orjson.Fragment:
    if isinstance(value, Number):
        return orjson.Fragment(str(value))
    raise TypeError(type(value))


def _find_media_type(callback: Callback) -> str:
    return callback.content_type.partition(";")[0].strip().lower()


def _find_start(callback: Callback) -> bytes:
    return callback.body[:64].removeprefix(BOM_UTF8).lstrip()[:1]


def _decode(body: bytes, charset: str) -> str:
    return decode(body, "utf-16" if body.startswith(_UTF16_MARKS) else charset)
