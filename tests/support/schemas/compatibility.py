"""Finds changes between two versions of a schema that break users of the older one. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

GROWING = {"status", "reason", "previous_status"}
"""Members of `sms.delivery` whose values may become more: readers go by `outcome` where they don't know one."""

LOWER = ("minimum", "minLength", "minItems", "exclusiveMinimum")
UPPER = ("maximum", "maxLength", "maxItems", "exclusiveMaximum")
SAME = ("pattern", "format", "const")
TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")


def breaks_readers(old: Schema, new: Schema) -> list[str]:
    """Return why a reader of the old version can't read what the new version allows."""
    found = [f"{name} may be missing" for name in old["required"] if name not in new["required"]]
    for name, member in _members(old):
        if name not in new["properties"]:
            found.append(f"{name} is gone")
            continue
        before, after = _resolved(old, member), _resolved(new, new["properties"][name])
        found += [f"{name}: {why}" for why in _wider(before, after, growing=name in GROWING)]
    if new.get("additionalProperties", True) is not True:
        found.append("no later member is allowed")
    return found


def breaks_writers(old: Schema, new: Schema) -> list[str]:
    """Return why the new version refuses what a writer of the old version writes."""
    found = [f"{name} is newly required" for name in new["required"] if name not in old["required"]]
    for name, member in _members(old):
        if name in new["properties"]:
            before, after = _resolved(old, member), _resolved(new, new["properties"][name])
            found += [f"{name}: {why}" for why in _wider(after, before, growing=False)]
        else:
            found.append(f"{name} is no longer read")
    if new.get("additionalProperties", True) is not True:
        found.append("unknown members are refused")
    return found


def meaning(schema: Any) -> Any:
    """Return a schema without descriptions: only what validates."""
    if isinstance(schema, dict):
        # A member may be called `title`; only texts are words.
        words = {key for key in ("description", "title", "$comment") if isinstance(schema.get(key), str)}
        return {key: meaning(value) for key, value in schema.items() if key not in words}
    return [meaning(value) for value in schema] if isinstance(schema, list) else schema


def _members(schema: Schema) -> Iterator[tuple[str, Schema]]:
    yield from schema["properties"].items()


def _resolved(schema: Schema, member: Schema) -> Schema:
    """Return a member with its references resolved, also within its alternatives."""
    if "$ref" in member:
        node: Any = schema
        for step in member["$ref"].removeprefix("#/").split("/"):
            node = node[step]
        return _resolved(schema, {**node, **{k: v for k, v in member.items() if k != "$ref"}})
    if "anyOf" in member:
        return {**member, "anyOf": [_resolved(schema, one) for one in member["anyOf"]]}
    return member


def _wider(narrow: Schema, wide: Schema, *, growing: bool) -> Iterator[str]:
    """Yield what `wide` allows in addition to `narrow`."""
    if more := _types(wide) - _types(narrow):
        yield f"also {', '.join(sorted(more))}"
    before, after = _values(narrow), _values(wide)
    if before is not None and growing:
        if less := before - (after or before):
            yield f"without {sorted(map(str, less))}"
    elif before is not None and (after is None or after - before):
        yield "more values"
    for one, other in zip(_parts(narrow), _parts(wide), strict=False):
        yield from _looser(one, other)
    inner = narrow.get("additionalProperties"), wide.get("additionalProperties")
    if isinstance(inner[0], dict) and inner[0] and inner[1] != inner[0]:
        yield "other values inside"


def _looser(one: Schema, other: Schema) -> Iterator[str]:
    yield from (f"other {key}" for key in SAME if key in one and one[key] != other.get(key))
    yield from (f"lower {key}" for key in LOWER if key in one and other.get(key, float("-inf")) < one[key])
    yield from (f"higher {key}" for key in UPPER if key in one and other.get(key, float("inf")) > one[key])


def _parts(member: Schema) -> list[Schema]:
    return list(member.get("anyOf", [member]))


def _types(member: Schema) -> set[str]:
    if "anyOf" in member:
        return set().union(*(_types(one) for one in member["anyOf"]))
    if "type" in member:
        kinds = member["type"]
        found = {kinds} if isinstance(kinds, str) else set(kinds)
        return found | ({"integer"} if "number" in found else set())
    if "enum" in member:
        return {"null" if value is None else "string" for value in member["enum"]}
    return set(TYPES)


def _values(member: Schema) -> set[Any] | None:
    """Return the values of the member's enums, or None if any value is allowed."""
    parts = [one for one in _parts(member) if one.get("type") != "null"]
    if all("enum" in one for one in parts):
        return {value for one in parts for value in one["enum"]}
    return None
