"""Refuses Avro schemas by which a small record could become anything: the library reads without bounds. Pure."""

from collections.abc import Mapping
from typing import Any

TIMES = frozenset(
    f"{prefix}timestamp-{unit}" for prefix in ("", "local-") for unit in ("millis", "micros", "nanos")
) | {"date"}
"""The logical types of times."""

_NESTING = frozenset({"type", "fields", "items", "values"})
"""The members of a schema that have schemas in them."""


def check_depth_and_size(schema: Any, named: Mapping[str, Any]) -> None:
    """Check a parsed schema.

    Args:
        schema: The schema.
        named: The types that it names.

    Raises:
        ValueError: It is recursive, so that a record can be nested without end; or a list's items take no bytes, so
            that a list can be long without end.
    """
    _measure(schema, named, ())


def _measure(schema: Any, named: Mapping[str, Any], around: tuple[str, ...]) -> bool:
    """Check a schema; return whether its values take bytes."""
    if isinstance(schema, list):
        for branch in schema:
            _measure(branch, named, around)
        return True  # the branch's number
    if isinstance(schema, str):
        return schema != "null" and (schema not in named or _measure(named[schema], named, around))
    kind = schema["type"]
    if kind in {"array", "map"}:
        if not _measure(schema["items" if kind == "array" else "values"], named, around) and kind == "array":
            raise ValueError("a list's items take no bytes")
        return True
    if kind in {"record", "error"}:
        if schema["name"] in around:
            raise ValueError("the schema is recursive")
        inner = (*around, schema["name"])
        sizes = [_measure(field["type"], named, inner) for field in schema["fields"]]
        return any(sizes)
    if kind == "fixed":
        return bool(schema["size"])
    return kind == "enum" or _measure(kind, named, around)


def strip_times(schema: Any) -> Any:
    """Copy a schema, with plain numbers for its times."""
    if isinstance(schema, list):
        return [strip_times(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: part for name, part in schema.items() if name != "logicalType" or part not in TIMES}
    return {name: strip_times(part) if name in _NESTING else part for name, part in kept.items()}
