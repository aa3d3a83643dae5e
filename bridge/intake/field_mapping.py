"""Maps a sender's event to the members of `sms.sent`: opens envelopes, follows pointers, converts ids and times. Pure.

`sent_parser.py` checks and interprets the members. A CloudEvent (1.0, JSON) in any mode is read in its structured form:
attributes at the top, the payload under `data`.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from bridge.core.entries import EXACT_INTEGERS
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.core.json_pointer import Steps, find_value, is_pointer, parse_pointer, select_by_index, unescape_step
from bridge.core.time_formats import convert_epoch
from bridge.core.timestamps import format_rfc3339, parse_rfc3339
from bridge.kafka.wire_format import strip_frame
from bridge.providers.member_paths import MemberPath, make_path
from bridge.settings.model import SentSettings

ID_MEMBERS = ("message_id", "provider_message_id")
TIME_MEMBERS = ("sent_at", "scheduled_at", "give_up_at")

MAX_TIME_MS = 32_503_679_999_999
"""The end of the year 2999. Some clients write their largest date for "never", and ages are added to times."""

_STRUCTURED_CONTENT_TYPE = "application/cloudevents+json"
_ATTRIBUTE_PREFIX = "ce_"

Headers = Sequence[tuple[str, bytes | None]]


class FieldSource(NamedTuple):
    """The value of a member before conversion, and where it is from."""

    origin: str
    """A pointer, `constant`, or the member's own name."""
    value: Any


class SourceEvent(NamedTuple):
    """A parsed record of a sent topic."""

    document: Mapping[str, Any]
    """The document that pointers lead into; of a CloudEvent, its structured form."""
    data: Mapping[str, Any]
    """The payload: members without a pointer are read from it."""
    kind: str
    """`plain`, `structured` or `binary`."""

    def find(self, steps: Steps) -> Any:
        """Find the value that a pointer leads to, from the top or, if it leads nowhere there, from within `data`."""
        value = find_value(self.document, steps, select_by_index)
        if value is None and self.data is not self.document:
            return find_value(self.data, steps, select_by_index)
        return value


class FieldMapping:
    """Maps sent events to the members of `sms.sent`, as settings say."""

    def __init__(self, settings: SentSettings) -> None:
        self._fields = {name: (pointer, _parse_steps(pointer)) for name, pointer in settings.fields.items()}
        self._where = [(pointer, _parse_steps(pointer), allowed) for pointer, allowed in settings.where.items()]
        self._times = [name for name in TIME_MEMBERS if name in self._fields]
        self._constants = settings.constants
        self._providers = settings.providers

    def find_mismatch(self, event: SourceEvent) -> str | None:
        """Find the pointer by which `SENT__WHERE` excludes an event; None if it doesn't."""
        return next((pointer for pointer, steps, allowed in self._where if event.find(steps) not in allowed), None)

    def find_sources(self, event: SourceEvent) -> dict[str, FieldSource]:
        """Find every member before conversion; null stands for a missing value."""
        sources = {name: FieldSource(name, value) for name, value in event.data.items() if name not in self._fields}
        sources |= {name: FieldSource(pointer, event.find(steps)) for name, (pointer, steps) in self._fields.items()}
        return sources | {name: FieldSource("constant", value) for name, value in self._constants.items()}

    def map(self, event: SourceEvent) -> dict[str, Any]:
        """Map an event to members: ids become text, times with a pointer become RFC 3339, null is left out."""
        fields = self._fields
        members = dict(event.data)
        for name, (_, steps) in fields.items():
            members[name] = event.find(steps)
        members |= self._constants
        for name in ID_MEMBERS:
            members[name] = _convert_id(members.get(name))
        for name in self._times:
            members[name] = _convert_time(members.get(name))
        for name in TIME_MEMBERS:
            if isinstance(time := members.get(name), str):
                members[name] = _normalize_time(time)
        if self._providers and isinstance(provider := members.get("provider"), str):
            members["provider"] = self._providers.get(provider, provider)
        if None in members.values():
            members = {name: value for name, value in members.items() if value is not None}
        return members


def decode_event(value: bytes, headers: Headers = ()) -> SourceEvent:
    """Parse a record of a sent topic.

    Raises:
        PoisonMessageError: Its value isn't a JSON object, or is a CloudEvent whose data isn't one.
    """
    document = _parse_object(strip_frame(value))
    if not headers and "specversion" not in document:  # the usual case, and this runs once for each record
        return SourceEvent(document, document, "plain")
    texts = {name.lower(): (text or b"").decode("utf-8", "replace") for name, text in headers}
    if _is_structured(texts.get("content-type", ""), document):
        data = _parse_data(document)
        return SourceEvent({**document, "data": data}, data, "structured")
    attributes = {
        name.removeprefix(_ATTRIBUTE_PREFIX): text for name, text in texts.items() if name.startswith(_ATTRIBUTE_PREFIX)
    }
    if "specversion" in attributes:
        return SourceEvent({**attributes, "data": document}, document, "binary")
    return SourceEvent(document, document, "plain")


def list_recipient_members(settings: SentSettings) -> list[str]:
    """List the names of members, at any depth, that a sent event's recipient is read from."""
    steps = _parse_steps(settings.fields.get("recipient", "recipient"))
    return [name for name in steps if not name.isdigit()][-1:]


def list_known_paths(settings: SentSettings) -> frozenset[MemberPath]:
    """List where sent events have ids, by settings."""
    pointers = (settings.fields.get(name) for name in ID_MEMBERS)
    return frozenset(make_path(_parse_steps(pointer)) for pointer in pointers if pointer)


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
    data = document.get("data")
    if not isinstance(data, dict):
        raise PoisonMessageError(DeadLetterReason.MALFORMED, "the data of the CloudEvent is not a JSON object")
    return data


def _parse_object(value: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise PoisonMessageError(DeadLetterReason.MALFORMED, f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise PoisonMessageError(DeadLetterReason.MALFORMED, "not a JSON object")
    return document


def _convert_id(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value in EXACT_INTEGERS:
        return str(value)
    return value


def _convert_time(value: Any) -> Any:
    """Convert seconds or milliseconds since the epoch, as number or digits, to RFC 3339; keep any other value."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    milliseconds = convert_epoch(value, MAX_TIME_MS)
    return value if milliseconds is None else format_rfc3339(milliseconds)


def _normalize_time(text: str) -> str:
    """Convert forms of RFC 3339 that the schema's validator refuses: a blank for `T`, a leap second.

    What isn't a time, or has no offset, stays as it is.
    """
    if text[10:11] != " " and text[16:19] != ":60":
        return text
    milliseconds = parse_rfc3339(text) if text[-1:] in {"Z", "z"} or text[-6:-5] in {"+", "-"} else None
    return text if milliseconds is None else format_rfc3339(milliseconds)


def _parse_steps(pointer: str) -> Steps:
    """Parse a JSON pointer; a plain name is a member of the top level."""
    return parse_pointer(pointer) if is_pointer(pointer) else (unescape_step(pointer),)
