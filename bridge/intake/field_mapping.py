"""Maps a sender's event to the members of `sms.sent`: follows pointers, adds constants, splits arrays. Pure.

A pointer leads into the event, or it begins with the name of another part of the record: its key, a header, its
timestamp. `source_event.py` decodes events before, and `member_values.py` reads the values that are found here.
"""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.core.json_pointer import Steps, find_value, is_pointer, parse_pointer, select_by_index, unescape_step
from bridge.intake.source_event import Decode, SentRecord, SourceEvent, parse_json
from bridge.kafka.wire_format import parse_schema_id, strip_frame
from bridge.providers.member_paths import MemberPath, make_path
from bridge.settings.model import SentSettings

ID_MEMBERS = ("message_id", "provider_message_id")

MAX_ELEMENTS = 10_000
"""Maximum number of attempts of one record; a record of the usual size limit could name a hundred times as many."""

_KEY, _HEADER, _TIMESTAMP, _TOP = "key:", "header:", "timestamp:", "//"

Finder = Callable[[SourceEvent], Any]
"""Finds a value; None if there is none."""


class FieldSource(NamedTuple):
    """The value of a member before it is read, and where it is from."""

    origin: str
    """Where it is looked for: places, `constant`, or the member's own name."""
    value: Any


class FieldMapping:
    """Maps sent events to the members of `sms.sent`, as settings say.

    Args:
        settings: Where members are.
        decode: Converts a record's key to JSON.
    """

    def __init__(self, settings: SentSettings, decode: Decode = strip_frame) -> None:
        self._places = {name: _list_places(settings, name) for name in settings.fields}
        self._fields = {name: _compile_all(places, decode) for name, places in self._places.items()}
        self._where = [(pointer, _compile(pointer, decode), allowed) for pointer, allowed in settings.where.items()]
        self._constants = settings.constants
        self._providers = settings.providers
        self.each = settings.each
        self._each_steps = parse_pointer(settings.each) if settings.each else ()
        self.uses_key = any(place.startswith(_KEY) for place in chain(settings.where, *self._places.values()))
        """Whether anything is read from records' keys."""
        self.is_plain = not (settings.fields or settings.where or settings.constants or settings.providers or self.each)
        """Whether members are where `sms.sent` has them, and all events count."""

    def find_mismatch(self, event: SourceEvent) -> str | None:
        """Find the pointer by which `SENT__WHERE` excludes an event; None if it doesn't.

        What an element lacks is looked for in its record.
        """
        for pointer, find, allowed in self._where:
            value = find(event)
            if value is None and event.top:
                value = find(event.top)
            if value not in allowed:
                return pointer
        return None

    def split(self, event: SourceEvent) -> list[SourceEvent]:
        """Split an event into the elements of its array of attempts. A single object is an array of one.

        Raises:
            PoisonMessageError: It has no such array, or a longer one than is read.
        """
        found = event.find(self._each_steps)
        elements = parse_json(found) if isinstance(found, str) else found
        if isinstance(elements, dict):
            elements = [elements]
        if not isinstance(elements, list):
            raise PoisonMessageError(DeadLetterReason.INVALID, f"no array at {self.each}, the pointer of SENT__EACH")
        if len(elements) > MAX_ELEMENTS:
            error = f"{len(elements)} elements at {self.each}; at most {MAX_ELEMENTS} are read"
            raise PoisonMessageError(DeadLetterReason.TOO_LARGE, error)
        return [event.make_element(element) for element in elements]

    def find_sources(self, event: SourceEvent) -> dict[str, FieldSource]:
        """Find every member, with its origin; null stands for a missing value."""
        sources = {name: FieldSource(name, value) for name, value in event.data.items() if name not in self._fields}
        sources |= {name: FieldSource(self.name_place(name), find(event)) for name, find in self._fields.items()}
        return sources | {name: FieldSource("constant", value) for name, value in self._constants.items()}

    def map(self, event: SourceEvent) -> Mapping[str, Any]:
        """Map an event to members, as they are in the event; null stands for a missing value."""
        if not self._fields and not self._constants and not self._providers:
            return event.data
        members = {**event.data, **{name: find(event) for name, find in self._fields.items()}, **self._constants}
        if isinstance(provider := members.get("provider"), str):
            members["provider"] = self._providers.get(provider, provider)
        return members

    def name_place(self, member: str) -> str:
        """Name the places where a member is looked for."""
        return " or ".join(self._places.get(member, (member,)))


def list_recipient_members(settings: SentSettings) -> list[str]:
    """List the names of members, at any depth, that a sent event's recipient is read from."""
    found = (_find_value_steps(settings, place) for place in _list_places(settings, "recipient"))
    return [name for steps in found if steps for name in [step for step in steps if not step.isdigit()][-1:]]


def list_known_paths(settings: SentSettings) -> frozenset[MemberPath]:
    """List where the values of sent records have ids, by settings."""
    names = (name for name in ID_MEMBERS if name in settings.fields)
    found = (_find_value_steps(settings, place) for name in names for place in _list_places(settings, name))
    return frozenset(make_path(steps) for steps in found if steps)


def _list_places(settings: SentSettings, member: str) -> tuple[str, ...]:
    """List the places of a member; without a setting, its own name."""
    places = settings.fields.get(member, member)
    return (places,) if isinstance(places, str) else places


def _find_value_steps(settings: SentSettings, pointer: str) -> Steps | None:
    """Find the steps of a pointer from the top of a record's value; None if it leads elsewhere."""
    if pointer.startswith((_KEY, _HEADER, _TIMESTAMP)):
        return None
    if pointer.startswith(_TOP):
        return _parse_steps(pointer[1:])
    return (*(parse_pointer(settings.each) if settings.each else ()), *_parse_steps(pointer))


def _compile_all(places: tuple[str, ...], decode: Decode) -> Finder:
    """Make the finder of a member: the first of its places with a value counts."""
    finders = [_compile(place, decode) for place in places]
    if len(finders) == 1:
        return finders[0]
    return lambda event: next((value for find in finders if (value := find(event)) is not None), None)


def _compile(pointer: str, decode: Decode) -> Finder:
    """Make the finder of a pointer."""
    if pointer == _TIMESTAMP:
        return lambda event: event.record.timestamp if event.record.timestamp > 0 else None
    if pointer.startswith(_HEADER):
        name = pointer.removeprefix(_HEADER)
        return lambda event: _find_header(event.record, name)
    if pointer.startswith(_KEY):
        steps = _parse_steps(pointer.removeprefix(_KEY))
        return lambda event: _find_in_key(event.record.key, steps, decode)
    if pointer.startswith(_TOP):
        steps = _parse_steps(pointer[1:])
        return lambda event: (event.top or event).find(steps)
    steps = _parse_steps(pointer)
    return lambda event: event.find(steps)


def _find_header(record: SentRecord, name: str) -> str | None:
    """Find the text of a header; of several with one name, the last one counts."""
    return next((_decode_text(text) for header, text in reversed(record.headers) if header == name and text), None)


def _find_in_key(key: bytes | None, steps: Steps, decode: Decode) -> Any:
    """Find the key's text, or the value that a pointer leads to in a key that is JSON."""
    text = _decode_text(decode(key)) if key else None
    if text is None or (not steps and key and parse_schema_id(key) is None):
        return text
    document = parse_json(text)  # what a serializer with a registry writes is JSON, text included
    return find_value(document, steps, select_by_index, parse_json)


def _decode_text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _parse_steps(pointer: str) -> Steps:
    """Parse a JSON pointer; a plain name is a member of the top level, and an empty one the whole document."""
    if is_pointer(pointer):
        return parse_pointer(pointer)
    return (unescape_step(pointer),) if pointer else ()
