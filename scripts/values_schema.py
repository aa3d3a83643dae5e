"""Writes the parts of the chart that list the service's settings: `config` and `secrets` of values.schema.json.

`python -m scripts.values_schema` writes them. A setting that is secret belongs under `secrets` alone. The schema lets
it pass under `config` as well, because a schema can't say where it belongs: a template refuses it, by the patterns of
files/secret-settings.yaml, which this writes too.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bridge.settings.model import Settings
from bridge.settings.types import ValueForm

CHART = Path(__file__).parents[1] / "helm" / "sms-bridge"
SCHEMA = CHART / "values.schema.json"
SECRET_SETTINGS = CHART / "files" / "secret-settings.yaml"
SET_BY_THE_CHART = {"HTTP__PORT", "ADMIN__PORT", "STATE__DIRECTORY"}
"""Ports and mounts depend on them."""

KAFKA = "KAFKA__"
"""The chart has values of its own for the connection to Kafka, apart from its secrets."""

ALSO_SECRET = {"KAFKA__SASL_USERNAME"}
NAME = "[A-Z0-9]+(_[A-Z0-9]+)*__"
"""The name of an account or a provider, in a pattern."""

TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", dict: "table", tuple: "list"}


class Setting(NamedTuple):
    """A setting of the service."""

    prefix: str
    """A pattern, if the setting is one of an account's."""
    name: str
    schema: Mapping[str, Any]
    is_secret: bool


def list_settings(model: type[BaseModel], prefix: str = "", path: str = "") -> Iterator[Setting]:
    """List the settings of a model, with those of accounts by patterns."""
    for member, field in model.model_fields.items():
        name = f"{path}{member.upper()}"
        kinds = _list_kinds(field.annotation)
        group = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if group is None and SecretStr in kinds and get_origin(field.annotation) is dict:
            yield Setting(f"{prefix}{name}__", NAME.removesuffix("__"), _refer("secret"), is_secret=True)
        elif group is None:
            yield _make_setting(prefix, name, field, kinds)
        elif get_origin(field.annotation) is dict:
            yield from list_settings(group, f"{prefix}{name}__{NAME}")
        else:
            yield from list_settings(group, prefix, f"{name}__")


def build_group(*, secret: bool) -> dict[str, Any]:
    """Build the schema of `secrets` or `config`; the latter has the secrets that a template refuses, too."""
    properties: dict[str, Any] = {}
    patterns: dict[tuple[str, str], list[str]] = {}
    for setting in list_settings(Settings):
        full = setting.prefix + setting.name
        if setting.is_secret != secret or full in SET_BY_THE_CHART or (not secret and full.startswith(KAFKA)):
            continue
        if setting.prefix:
            patterns.setdefault((setting.prefix, json.dumps(setting.schema)), []).append(setting.name)
        else:
            properties[full] = setting.schema
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "patternProperties": {
            **{f"^{prefix}({'|'.join(names)})$": json.loads(schema) for (prefix, schema), names in patterns.items()},
            **(
                {}
                if secret
                else dict.fromkeys((name for names in list_refused_names().values() for name in names), True)
            ),
        },
    }


def list_refused_names() -> dict[str, list[str]]:
    """List patterns of the names of secrets, and of the groups of settings that have secrets among them."""
    names: dict[str, list[str]] = {}
    groups: set[str] = set()
    for setting in list_settings(Settings):
        if setting.is_secret:
            names.setdefault(setting.prefix, []).append(setting.name)
            groups.update(_list_groups(setting.prefix + setting.name))
    return {
        "secrets": [f"^{prefix}({'|'.join(names)})$" for prefix, names in names.items()],
        "groups": [f"^{group}$" for group in sorted(groups)],
    }


def write_refused_names() -> str:
    """Return files/secret-settings.yaml with the settings of today."""
    lines = [
        "# Names that `config` must not have, because they are secret or contain secrets: the chart refuses them.",
        "# Written by `python -m scripts.values_schema` from the settings.",
    ]
    for kind, patterns in list_refused_names().items():
        lines += [f"{kind}:", *(f"  - '{pattern}'" for pattern in patterns)]
    return "\n".join(lines) + "\n"


def write_schema(text: str) -> str:
    """Return values.schema.json with the settings of today."""
    schema = json.loads(text)
    schema["properties"] |= {"config": build_group(secret=False), "secrets": build_group(secret=True)}
    return json.dumps(schema, indent=2) + "\n"


def _list_groups(name: str) -> Iterator[str]:
    """List the groups that a setting belongs to, from the outermost, as patterns."""
    parts = name.replace(NAME, "*__").split("__")
    for end in range(1, len(parts)):
        yield "__".join(parts[:end]).replace("*", NAME.removesuffix("__"))


def _list_kinds(annotation: Any) -> tuple[Any, ...]:
    """List the types in an annotation: those of a union, of a table's values, of a list's items."""
    inner = [kind for kind in get_args(annotation) if get_origin(annotation) is not Literal]
    return (annotation, *(found for kind in inner for found in _list_kinds(kind)))


def _make_setting(prefix: str, name: str, field: FieldInfo, kinds: tuple[Any, ...]) -> Setting:
    is_secret = SecretStr in kinds or name in ALSO_SECRET
    words = next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), None)
    form, pattern = next((part for part in field.metadata if isinstance(part, ValueForm)), ValueForm(""))
    outer = [get_origin(kind) or kind for kind in (field.annotation, *get_args(field.annotation))]
    if is_secret:
        reference = "secrets" if tuple in outer else "secret"
    elif form == "duration":
        reference = form
    elif form.startswith("`"):  # words, or something else
        reference = "text"
    else:
        reference = next((TYPES[kind] for kind in outer if kind in TYPES), "text")
    if words is not None and not form and reference == "text":
        return Setting(prefix, name, {"enum": list(words)}, is_secret)
    schema = {"type": "string", "pattern": pattern} if pattern else _refer(reference)
    return Setting(prefix, name, schema, is_secret)


def _refer(reference: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{reference}"}


def main() -> None:
    """Write the schema and the patterns."""
    SCHEMA.write_text(write_schema(SCHEMA.read_text()))
    SECRET_SETTINGS.write_text(write_refused_names())


if __name__ == "__main__":
    main()
