"""Somebody else's event in our names: envelopes opened, pointers followed, constants, numbers as ids and times. Pure.

What the members then mean, and whether they may, is `sent.py`. A CloudEvent (1.0, JSON), in whichever mode it came, is
read as its structured form: attributes at the top, what it is about under `data`.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from bridge.core.delivery import format_rfc3339
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.kafka.wire_format import strip_frame
from bridge.settings.model import SentSettings

IDS = ("message_id", "provider_message_id")
TIMES = ("sent_at", "scheduled_at", "give_up_at")

MAX_TIME_MS = 32_503_679_999_999
"""The end of the year 2999: some clients write their largest date for "never", and ages are added to these."""

_FIRST_IN_MILLISECONDS = 100_000_000_000
"""As seconds since the epoch the year 5138, as milliseconds 1973: the two never meet."""

_STRUCTURED = "application/cloudevents+json"
_BINARY = "ce_"

_WHOLE = range(-(2**63), 2**64)
"""Integers that a JSON reader takes without losing digits."""

Headers = Sequence[tuple[str, bytes]]


class FieldSource(NamedTuple):
    """Where a member came from: a pointer, `constant`, or our own name for it."""

    place: str
    value: Any


class SourceEvent(NamedTuple):
    """A record's value, opened."""

    document: Mapping[str, Any]
    """What pointers lead into; a CloudEvent's structured form."""
    data: Mapping[str, Any]
    """What it is about: where our own names are looked for."""
    kind: str
    """`plain`, `structured` or `binary`."""

    def find(self, steps: tuple[str, ...]) -> Any:
        """What a pointer leads to; from within `data` where it leads nowhere from the top."""
        found = _resolve(self.document, steps)
        return _resolve(self.data, steps) if found is None and self.data is not self.document else found


class FieldMapping:
    """Turns records of one shape, as settings describe it, into members by our names."""

    def __init__(self, settings: SentSettings) -> None:
        self._fields = {name: (pointer, _steps(pointer)) for name, pointer in settings.fields.items()}
        self._where = [(pointer, _steps(pointer), allowed) for pointer, allowed in settings.where.items()]
        self._times = [name for name in TIMES if name in self._fields]
        self._constants = settings.constants
        self._providers = settings.providers

    def unwanted(self, event: SourceEvent) -> str | None:
        """The pointer by which the filter turns an event down, or None."""
        return next((pointer for pointer, steps, allowed in self._where if event.find(steps) not in allowed), None)

    def sources(self, event: SourceEvent) -> dict[str, FieldSource]:
        """Every member by our name, as it was found: nothing is converted yet, and null stands for absent."""
        found = {name: FieldSource(name, value) for name, value in event.data.items() if name not in self._fields}
        found |= {name: FieldSource(pointer, event.find(steps)) for name, (pointer, steps) in self._fields.items()}
        return found | {name: FieldSource("constant", value) for name, value in self._constants.items()}

    def mapped(self, event: SourceEvent) -> dict[str, Any]:
        """The members by our names: ids as text, mapped times as RFC 3339 has them, null left out."""
        fields = self._fields
        members = dict(event.data)
        for name, (_, steps) in fields.items():
            members[name] = event.find(steps)
        members |= self._constants
        for name in IDS:
            members[name] = _as_id(members.get(name))
        for name in self._times:
            members[name] = _as_time(members.get(name))
        if self._providers and isinstance(provider := members.get("provider"), str):
            members["provider"] = self._providers.get(provider, provider)
        if None in members.values():
            members = {name: value for name, value in members.items() if value is not None}
        return members


def decode_event(value: bytes, headers: Headers = ()) -> SourceEvent:
    """A record's value as an event.

    Raises:
        PoisonMessageError: It isn't a JSON object, or a CloudEvent without one inside.
    """
    document = _object(strip_frame(value))
    if not headers and "specversion" not in document:  # as a rule, and this runs once for each record
        return SourceEvent(document, document, "plain")
    texts = {name.lower(): text.decode("utf-8", "replace") for name, text in headers}
    if _is_structured(texts.get("content-type", ""), document):
        data = _data(document)
        return SourceEvent({**document, "data": data}, data, "structured")
    attributes = {name.removeprefix(_BINARY): text for name, text in texts.items() if name.startswith(_BINARY)}
    if "specversion" in attributes:
        return SourceEvent({**attributes, "data": document}, document, "binary")
    return SourceEvent(document, document, "plain")


def recipient_members(settings: SentSettings) -> list[str]:
    """What the members are called that a sent event's recipient is read from, within whatever holds them."""
    steps = _steps(settings.fields.get("recipient", "recipient"))
    return [name for name in steps if not name.isdigit()][-1:]


def _is_structured(content_type: str, document: Mapping[str, Any]) -> bool:
    by_itself = "specversion" in document and not document.keys().isdisjoint({"data", "data_base64"})
    return by_itself or content_type.split(";", maxsplit=1)[0].strip().lower() == _STRUCTURED


def _data(document: Mapping[str, Any]) -> dict[str, Any]:
    encoded = document.get("data_base64")
    if isinstance(encoded, str):
        try:
            return _object(base64.b64decode(encoded, validate=True))
        except binascii.Error as error:
            raise PoisonMessageError(DeadLetterReason.MALFORMED, f"data_base64: {error}") from None
    data = document.get("data")
    if not isinstance(data, dict):
        raise PoisonMessageError(DeadLetterReason.MALFORMED, "a CloudEvent whose data is no JSON object")
    return data


def _object(value: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise PoisonMessageError(DeadLetterReason.MALFORMED, f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise PoisonMessageError(DeadLetterReason.MALFORMED, "not a JSON object")
    return document


def _as_id(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value in _WHOLE:
        return str(value)
    return value


def _as_time(value: Any) -> Any:
    """Seconds or milliseconds since the epoch, as number or digits, as RFC 3339 writes them; all else as it is."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    milliseconds = round(value if value >= _FIRST_IN_MILLISECONDS else value * 1000)
    return format_rfc3339(milliseconds) if 0 < milliseconds <= MAX_TIME_MS else value


def _steps(pointer: str) -> tuple[str, ...]:
    """A JSON pointer (RFC 6901) as its steps; a plain name is taken as a member of the top level."""
    parts = pointer.split("/")[1:] if pointer.startswith("/") else [pointer]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def _resolve(document: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document
