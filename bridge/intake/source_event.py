"""Decodes a record of a sent topic to the documents that pointers lead into: opens frames and envelopes. Pure.

Envelopes are a CloudEvent (1.0, JSON) in any mode, what a converter of Kafka Connect writes with its schema
(`schema` and `payload`), and a change of a table as Debezium writes it (`op`, `before`, `after`, `source`). An event
without an envelope is one document. `field_mapping.py` finds the members in it.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, AnyStr

import orjson
from msgspec import Struct

from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.core.json_pointer import Steps, find_value, select_by_index
from bridge.kafka.wire_format import FRAME_BYTES, parse_schema_id, strip_frame
from bridge.providers.parsing import load_json

_STRUCTURED_CONTENT_TYPE = "application/cloudevents+json"
_ATTRIBUTE_PREFIX = "ce_"
_CONVERTER_MEMBERS = {"schema", "payload"}
MEMBERS = (
    *("message_id", "provider", "account", "provider_message_id", "sent_at", "scheduled_at", "give_up_at"),
    *("recipient", "sender", "metadata"),
)
"""The members of `sms.sent`."""

_ROWLESS_OPERATIONS = ("d", "t")
"""Debezium: a row was deleted, a table truncated."""

Headers = Sequence[tuple[str, bytes | None]]

Decode = Callable[[bytes], bytes]
"""Takes a value or a key; returns JSON: without its frame, and converted if it is in another format."""


class SentRecord(Struct, frozen=True, gc=False):
    """A record of a sent topic."""

    value: bytes | None
    headers: Headers = ()
    key: bytes | None = None
    timestamp: int = -1
    """Milliseconds since the epoch; -1 if it has none."""
    origin: tuple[str, int, int] | None = None
    """Topic, partition and offset."""


class SourceEvent(Struct, frozen=True):
    """A decoded record, or an element of its array of attempts."""

    documents: tuple[Any, ...]
    """What pointers lead into: the first one in which a pointer leads somewhere counts. Envelopes come first."""
    data: Mapping[str, Any]
    """Members without a pointer are read from it."""
    record: SentRecord
    top: "SourceEvent | None" = None
    """The event that an element belongs to."""

    def find(self, steps: Steps) -> Any:
        """Find the value that a pointer leads to, also within text that is JSON; None if it leads nowhere."""
        for document in self.documents:
            value = find_value(document, steps, select_by_index, _parse_text)
            if value is not None:
                return value
        return None

    def make_element(self, element: Any) -> "SourceEvent":
        """Make the event of an element. The members that it lacks are those of this event."""
        own = element if isinstance(element, dict) else {}
        # Only what is read: a record may have thousands of members, and thousands of elements.
        found = ((name, own.get(name)) for name in MEMBERS)
        data = {name: self.data.get(name) if value is None else value for name, value in found}
        return SourceEvent((element,), data, self.record, self)


def parse_json(text: AnyStr) -> Any:
    """Parse a JSON document; None if it is none."""
    try:
        return load_json(text)
    except orjson.JSONDecodeError:
        return None


_parse_text = lru_cache(8)(parse_json)
"""For text that several pointers, or those of several elements, lead into."""


def decode_event(record: SentRecord, decode: Decode = strip_frame) -> SourceEvent | None:
    """Decode a record; None if it says that a row was deleted.

    Args:
        record: A record with a value.
        decode: Converts its value to JSON.

    Raises:
        PoisonMessageError: Its value isn't a JSON object, or its envelope has none in it.
    """
    value = record.value or b""
    try:
        document = _parse_object(decode(value))
    except PoisonMessageError as poison:
        raise PoisonMessageError(poison.reason, poison.error + _explain_frame(value, decode)) from None
    documents: tuple[dict[str, Any], ...] = (document,)
    if record.headers or "specversion" in document:  # not the usual case, and this runs once for each record
        documents = _open_cloud_event(document, record.headers)
    data = documents[-1]
    if data.keys() == _CONVERTER_MEMBERS:
        if data["payload"] is None:
            return None
        data = _as_object(data["payload"], "the payload")
        documents = (*documents, data)
    if "op" in data and "source" in data and not data.keys().isdisjoint({"before", "after"}):
        if data["op"] in _ROWLESS_OPERATIONS or data.get("after") is None:
            return None
        data = _as_object(data["after"], "the row")
        documents = (*documents, data)
    return None if data.get("__deleted") in ("true", True) else SourceEvent(documents, data, record)


def _open_cloud_event(document: dict[str, Any], headers: Headers) -> tuple[dict[str, Any], ...]:
    """Bring a CloudEvent to its structured form: attributes at the top, the payload under `data`."""
    texts = {name.lower(): (text or b"").decode("utf-8", "replace") for name, text in headers}
    if _is_structured(texts.get("content-type", ""), document):
        data = _parse_data(document)
        return {**document, "data": data}, data
    attributes = {
        name.removeprefix(_ATTRIBUTE_PREFIX): text for name, text in texts.items() if name.startswith(_ATTRIBUTE_PREFIX)
    }
    return ({**attributes, "data": document}, document) if "specversion" in attributes else (document,)


def _is_structured(content_type: str, document: Mapping[str, Any]) -> bool:
    by_members = "specversion" in document and not document.keys().isdisjoint({"data", "data_base64"})
    return by_members or content_type.split(";", maxsplit=1)[0].strip().lower() == _STRUCTURED_CONTENT_TYPE


def _parse_data(document: Mapping[str, Any]) -> dict[str, Any]:
    encoded = document.get("data_base64")
    if isinstance(encoded, str):
        try:
            return _parse_object(base64.b64decode(encoded, validate=True))
        except ValueError as error:  # not base64, or not even ASCII
            raise PoisonMessageError(DeadLetterReason.MALFORMED, f"data_base64: {error}") from None
    return _as_object(document.get("data"), "the data of the CloudEvent")


def _as_object(value: Any, what: str) -> dict[str, Any]:
    document = parse_json(value) if isinstance(value, str) else value
    if not isinstance(document, dict):
        raise PoisonMessageError(DeadLetterReason.MALFORMED, f"{what} is not a JSON object")
    return document


def _parse_object(value: bytes) -> dict[str, Any]:
    try:
        document = load_json(value)
    except orjson.JSONDecodeError as error:
        raise PoisonMessageError(DeadLetterReason.MALFORMED, f"not JSON: {error}") from None
    if isinstance(document, str):  # an outbox holds the event as text, which a converter writes as JSON once more
        document = parse_json(document)
    if not isinstance(document, dict):
        raise PoisonMessageError(DeadLetterReason.MALFORMED, "not a JSON object")
    return document


def _explain_frame(value: bytes, decode: Decode) -> str:
    """Explain what a value may be that begins with a frame and has no JSON behind it."""
    schema_id = parse_schema_id(value)
    if schema_id is None or decode is not strip_frame or value[FRAME_BYTES:].lstrip()[:1] == b"{":
        return ""
    return f"; its frame names schema {schema_id} of a registry: if it is Avro, set SENT__FORMAT=avro and REGISTRY__URL"
