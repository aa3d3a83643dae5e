"""Generates docs/settings.md and docs/metrics.md from the code (`make docs`)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from prometheus_client import CollectorRegistry
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bridge.observability.metrics import Metrics
from bridge.settings.model import Settings
from bridge.settings.providers import (
    AccountSettings,
    PolledAccountSettings,
    WebhookAccountSettings,
    WebhookSettings,
)
from bridge.settings.types import SCHEDULES, ValueForm

DOCS = Path(__file__).parents[1] / "docs"

SETTINGS = """\
# Settings

<!-- written by `make docs` from bridge/settings -->

Settings are environment variables with the prefix `SMS_BRIDGE_`; two underscores separate a group from its member.
Durations are written as `500ms`, `90s`, `15m`, `47h` or `2d`, lists with commas or as JSON, tables as JSON objects. A
wrong setting stops the start with one line that names the variable.

A setting may come from three places. The environment overrides the files in the folder `SMS_BRIDGE_SECRETS_DIR`, which
are named like the variables, and these override the file of `NAME=value` lines that `--env-file` names. The folder may
be set in that file, too. Names may be in lower case everywhere; where one place has a name twice, it counts in
capitals, and in an env file in the later line.

In an env file, a value is literal: `$` and `${NAME}` stand for themselves. Quotes around it are taken off (`docker run`
leaves them); within them, a backslash escapes. Outside quotes, a blank and `#` begin a comment.
"""

PROVIDERS = """\
## Providers

{groups}. A provider is enabled if any of its settings is set, or by `ENABLED`. The flat settings
describe the account `default`. Other accounts are `DEXATEL__ACCOUNTS__{{NAME}}__…` and inherit all settings except the
callback secrets.
"""

WEBHOOKS = """\
## Any other provider

`WEBHOOKS__{NAME}__…` describes a provider with callbacks by settings alone ([how](adding-a-provider.md)). `{NAME}` in
lower case, with hyphens instead of underscores, is the value of `provider` in sent events: `^[a-z0-9-]{1,32}$`. Its
callbacks go to `/dlr/{name}/{secret}`. `ENABLED`, `CALLBACK_SECRETS`, `ALLOWED_NETWORKS`, `GIVE_UP_AFTER` (`48h`),
`STATUSES`, `TIMEZONE` and `ACCOUNTS` are as above. In addition:
"""

CALLBACKS = """\
## Callbacks in other forms

Few providers need these. They belong to any account: `DEXATEL__…`, `SPEEDOCOM__…`, `WEBHOOKS__{NAME}__…`.
"""

CALLBACK_FIELDS = ("methods", "time_format", "secret_in_path", "basic_auth", "header_auth", "answer")
"""The settings of all accounts that few of them need."""

NOTES = {
    "sent": """\
[Sent events](sent-events.md) explains places, envelopes, several attempts in a record and Avro, with examples.
`sms-bridge check --sample FILE` shows how one of your events would be read, member by member.
""",
}
"""Texts below a group's table."""

METRICS = """\
# Metrics

<!-- written by `make docs` from bridge/observability/metrics.py -->

The admin port serves them at `/metrics`. Every name starts with `sms_bridge_`. Counters end in `_total`, histograms are
classic (`_bucket`, `_sum`, `_count`), durations are in seconds. Label values are limited sets, never ids: `account` is
one of the settings, and a process keeps the first 100 networks of a provider. The process metrics `process_…` and
`python_gc_…` are exposed as well.
"""

_HEADINGS = {"http": "HTTP", "sent": "Sent events"}
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_SIMPLE = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    Path: "file",
    SecretStr: "secret",
}


def make_settings_reference() -> str:
    """Return docs/settings.md."""
    parts = [SETTINGS]
    for name, field in Settings.model_fields.items():
        model = _find_model(field)
        if name not in {*BUILT_IN, "webhooks"} and model:
            heading = f"## {_HEADINGS.get(name, name.capitalize())}\n\n{model.__doc__}\n"
            parts.append(f"{heading}\n{_make_table(_make_rows(model.model_fields, f'{name.upper()}__'))}")
            parts += [NOTES[name]] if name in NOTES else []
    groups = " and ".join(f"`{name.upper()}__…`" for name in BUILT_IN)
    parts.append(f"{PROVIDERS.format(groups=groups)}\n{_make_table(_make_common_rows())}")
    for name, group in BUILT_IN.items():
        parts.append(f"Only {name.capitalize()}:\n\n{_make_table(_make_own_rows(PolledAccountSettings, group))}")
    own = {
        name: WebhookSettings.model_fields[name]
        for name in ("preset", *_list_own(AccountSettings, WebhookAccountSettings))
    }
    parts.append(f"{WEBHOOKS}\n{_make_table(_make_rows(own, ''))}")
    rare = {name: AccountSettings.model_fields[name] for name in CALLBACK_FIELDS}
    parts.append(f"{CALLBACKS}\n{_make_table(_make_rows(rare, ''))}")
    return "\n".join(parts)


def make_metrics_reference() -> str:
    """Return docs/metrics.md."""
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in Metrics(CollectorRegistry()):
        (family,) = metric.describe()
        name = family.name.removeprefix("sms_bridge_") + ("_total" if family.type == "counter" else "")
        labels = " ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - there is no public way
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join([METRICS, *lines, ""])


def _find_built_in() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        group = _find_model(field)
        if group and issubclass(group, PolledAccountSettings):
            yield name, group


def _make_table(rows: Iterable[str]) -> str:
    return "\n".join(["| variable | takes | default | meaning |", "|---|---|---|---|", *rows, ""])


def _make_rows(fields: Mapping[str, FieldInfo], prefix: str) -> Iterator[str]:
    for name, field in fields.items():
        inner = _find_model(field)
        if inner:
            yield from _make_rows(inner.model_fields, f"{prefix}{name.upper()}__")
        else:
            default = "**required**" if field.is_required() else _format_code(_format_default(field))
            meaning = " ".join((field.description or "").split())
            yield f"| `{prefix}{name.upper()}` | {_describe_form(field)} | {default} | {meaning} |"


def _make_own_rows(general: type[BaseModel], special: type[BaseModel]) -> Iterator[str]:
    """Yield the rows of fields that one model has in addition to another."""
    own = [name for name in _list_own(general, special) if name not in {"enabled", "accounts"}]
    return _make_rows({name: special.model_fields[name] for name in own}, "")


def _list_own(general: type[BaseModel], special: type[BaseModel]) -> list[str]:
    return [name for name in special.model_fields if name not in general.model_fields]


def _make_common_rows() -> Iterator[str]:
    """Yield the rows of settings that all these providers have; a default may differ."""
    yield "| `ENABLED` | `true` or `false` | | `false` disables a configured provider |"
    yield "| `ACCOUNTS` | | | see above |"
    common = {name: field for name, field in PolledAccountSettings.model_fields.items() if name not in CALLBACK_FIELDS}
    for name, field in common.items():
        (row,) = _make_rows({name: field}, "")
        defaults = {one: _format_default(group.model_fields[name]) for one, group in BUILT_IN.items()}
        if len(set(defaults.values())) > 1:
            each = ", ".join(f"{one.capitalize()} {_format_code(default)}" for one, default in defaults.items())
            row = row.replace(_format_code(_format_default(field)), each)
        yield row


def _find_model(field: FieldInfo) -> type[BaseModel] | None:
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)] or [field.annotation]
    kind = kinds[0]
    return kind if isinstance(kind, type) and not get_args(kind) and issubclass(kind, BaseModel) else None


def _describe_form(field: FieldInfo) -> str:
    """Return the form of a value."""
    takes = [one.form for one in field.metadata if isinstance(one, ValueForm)]
    if takes:
        return takes[0]
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)] or [field.annotation]
    choices = next((get_args(kind) for kind in (field.annotation, *kinds) if get_origin(kind) is Literal), ())
    if choices:
        return " ".join(f"`{choice}`" for choice in choices)
    least = [f" ≥ {one.ge}" for one in field.metadata if hasattr(one, "ge")]
    least += [f" > {one.gt}" for one in field.metadata if hasattr(one, "gt")]
    return _SIMPLE[kinds[0]] + "".join(least)


def _format_default(field: FieldInfo) -> str:
    """Return a default as a user would write it."""
    value = field.get_default(call_default_factory=True, validated_data={})
    if ValueForm("duration") in field.metadata:
        return _format_duration(value)
    for name, ages in SCHEDULES.items():
        if ages and value == ages:
            return name
    if value is None or value is PydanticUndefined or value in ((), {}, ""):
        return ""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _format_duration(milliseconds: int) -> str:
    unit, size = next((unit, size) for unit, size in _UNITS if milliseconds % size == 0 and milliseconds >= 3 * size)
    return f"{milliseconds // size}{unit}"


def _format_code(text: Any) -> str:
    return re.sub(r"(.+)", r"`\1`", str(text))


BUILT_IN = dict(_find_built_in())
"""The groups of the providers that have dialects of their own, by name."""

DOCUMENTS = {"settings.md": make_settings_reference, "metrics.md": make_metrics_reference}
"""By file name in docs/."""

if __name__ == "__main__":
    for file, make in DOCUMENTS.items():
        (DOCS / file).write_text(make())
