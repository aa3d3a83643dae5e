"""Avro schemas by which a few bytes could become anything are refused."""

from typing import Any

import fastavro
import pytest

from bridge.intake.avro_schemas import check_depth_and_size

LEAF = {"type": "record", "name": "Leaf", "fields": [{"name": "a", "type": "string"}]}
EMPTY = {"type": "record", "name": "Empty", "fields": []}


def record(*types: Any) -> dict[str, Any]:
    """Make a record with fields of these types."""
    return {
        "type": "record",
        "name": "Top",
        "fields": [{"name": f"f{number}", "type": kind} for number, kind in enumerate(types)],
    }


def check(schema: Any) -> None:
    """Check a schema as the library parses it."""
    named: dict[str, Any] = {}
    check_depth_and_size(fastavro.parse_schema(schema, named_schemas=named), named)


@pytest.mark.parametrize(
    "schema",
    [
        record("string", ["null", "long"], {"type": "array", "items": "string"}, {"type": "map", "values": "null"}),
        record(LEAF, "Leaf", {"type": "array", "items": "Leaf"}),
        record({"type": "array", "items": ["null", "string"]}, {"type": "fixed", "name": "F", "size": 16}),
        record({"type": "long", "logicalType": "timestamp-millis"}, {"type": "enum", "name": "E", "symbols": ["A"]}),
        "string",
    ],
)
def test_usual_schemas_are_taken(schema: Any) -> None:
    """A type may be used several times."""
    check(schema)


@pytest.mark.parametrize(
    "schema",
    [
        record(["null", "Top"]),
        record({"type": "array", "items": "Top"}),
        record({"type": "map", "values": record("Top") | {"name": "Inner"}}),
        record({"type": "array", "items": "null"}),
        record({"type": "array", "items": EMPTY}),
        record({"type": "array", "items": record("null") | {"name": "Nulls"}}),
        record({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}),
    ],
)
def test_others_are_refused(schema: Any) -> None:
    """They are recursive, or have lists whose length costs nothing."""
    with pytest.raises(ValueError, match=r"recursive|no bytes"):
        check(schema)
