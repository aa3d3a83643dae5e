"""Generates what consumers in other languages need from the schema of `sms.delivery` (`make docs`).

That is: types for TypeScript, a record for Java with Jackson, and the schema for Kafka Connect's JSON converter.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from bridge.core.delivery import DETAIL_NAMES

ROOT = Path(__file__).parents[1]
SCHEMA: Mapping[str, Any] = json.loads((ROOT / "schemas" / "sms.delivery.v1.json").read_text())
CONNECTOR = ROOT / "examples" / "postgres" / "sink.json"

ORIGIN = "Written by `make docs` from schemas/sms.delivery.v1.json."

TYPESCRIPT = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}
JAVA = {"string": "String", "integer": "long", "number": "double", "boolean": "boolean"}
JAVA_NULLABLE = {"integer": "Long", "number": "Double", "boolean": "Boolean"}
CONNECT = {"string": "string", "integer": "int64", "number": "double", "boolean": "boolean"}


class Member(NamedTuple):
    """A member of the event."""

    name: str
    meaning: str
    type: str
    """JSON Schema's name of it; `object` is a map of strings."""
    nullable: bool
    values: tuple[str, ...]
    """Those of an enumeration."""

    @property
    def closed(self) -> bool:
        """Whether it is an enumeration that never gets another value."""
        return bool(self.values) and "may grow" not in self.meaning


def read_members() -> Iterator[Member]:
    """Yield the members of the event."""
    for name, schema in SCHEMA["properties"].items():
        found = [_resolve(one) for one in schema.get("anyOf", [schema])]
        types = [one for each in found for one in _list_types(each)]
        values = tuple(value for one in found for value in one.get("enum", ()))
        [kind] = {one for one in types if one != "null"}
        yield Member(name, schema["description"], kind, "null" in types, values)


def _resolve(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    return SCHEMA["$defs"][reference] if reference else schema


def _list_types(schema: Mapping[str, Any]) -> list[str]:
    types = schema.get("type", "string")  # an enumeration here has strings only
    return types if isinstance(types, list) else [types]


def make_typescript() -> str:
    """Return the types for TypeScript."""
    lines = [f"// {ORIGIN}\n\n/** {SCHEMA['title']}: the type of a record's value, parsed as JSON. */"]
    lines.append("export interface SmsDelivery {")
    for member in read_members():
        lines += [_comment(member, "  "), f"  {member.name}: {_type_in_typescript(member)};"]
    return "\n".join(lines) + "\n}\n"


def _type_in_typescript(member: Member) -> str:
    if member.type == "object":
        return "{ [name: string]: string }"
    if not member.values:
        kind = TYPESCRIPT[member.type]
    else:
        # Any string is accepted where values may be added, and editors still suggest the known ones.
        kind = " | ".join([*(f'"{value}"' for value in member.values), *([] if member.closed else ["(string & {})"])])
    return f"{kind} | null" if member.nullable else kind


def make_java() -> str:
    """Return the record for Java."""
    members = list(read_members())
    components = ",\n".join(_component_in_java(member) for member in members)
    enums = "".join(_enum_in_java(member) for member in members if member.closed)
    return f"""\
// {ORIGIN}

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Map;

/** {SCHEMA["title"]}: the type of a record's value, for Jackson. */
@JsonIgnoreProperties(ignoreUnknown = true)
public record SmsDelivery(
{components}) {{
{enums}}}
"""


def _component_in_java(member: Member) -> str:
    indent = " " * 8
    declaration = f'@JsonProperty("{member.name}") {_type_in_java(member)} {_camel(member.name)}'
    return f"{_comment(member, indent)}\n{indent}{declaration}"


def _type_in_java(member: Member) -> str:
    if member.type == "object":
        return "Map<String, String>"
    if member.closed:
        return _class_name(member.name)
    return JAVA_NULLABLE.get(member.type, JAVA[member.type]) if member.nullable else JAVA[member.type]


def _enum_in_java(member: Member) -> str:
    values = ",\n".join(f'        @JsonProperty("{value}")\n        {value.upper()}' for value in member.values)
    head = f"    /** The values of `{member.name}`. */\n    public enum {_class_name(member.name)} {{"
    return f"\n{head}\n{values}\n    }}\n"


def make_connector() -> str:
    """Return the configuration of Kafka Connect's sink, with the schema in it."""
    connector = json.loads(CONNECTOR.read_text())
    schema = json.dumps(make_connect_schema(), separators=(",", ":"))
    connector["config"]["value.converter.schema.content"] = schema
    return json.dumps(connector, indent=2) + "\n"


def make_connect_schema() -> dict[str, Any]:
    """Return the schema for Connect's JSON converter: a column per member, and per known detail, without metadata."""
    details = [{"field": name, "type": "string", "optional": True} for name in DETAIL_NAMES]
    fields = [
        {"field": member.name, "type": CONNECT[member.type], "optional": member.nullable}
        for member in read_members()
        if member.type != "object"
    ]
    fields.append({"field": "provider_details", "type": "struct", "optional": False, "fields": details})
    return {"type": "struct", "optional": False, "fields": fields}


def _comment(member: Member, indent: str) -> str:
    text = fill(member.meaning, 112 - len(indent), break_on_hyphens=False).replace("\n", f"\n{indent} * ")
    return f"{indent}/** {text} */"


def _camel(name: str) -> str:
    camel = re.sub(r"_(\w)", lambda found: found[1].upper(), name)
    return f"is{camel.capitalize()}" if camel == "final" else camel  # a word of the language


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


FILES: Mapping[Path, Callable[[], str]] = {
    ROOT / "examples" / "consumers" / "sms-delivery.ts": make_typescript,
    ROOT / "examples" / "consumers" / "SmsDelivery.java": make_java,
    CONNECTOR: make_connector,
}

if __name__ == "__main__":
    for file, make in FILES.items():
        file.write_text(make())
