"""The references in docs/ that are made from the code: `python -m scripts.reference` writes them (`make docs`)."""

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
    DexatelAccountSettings,
    PolledAccountSettings,
    SpeedocomAccountSettings,
    WebhookAccountSettings,
)
from bridge.settings.types import SCHEDULES, ValueForm

DOCS = Path(__file__).parents[1] / "docs"

SETTINGS = """\
# Settings

<!-- written by `make docs` from bridge/settings -->

Variables with the prefix `SMS_BRIDGE_`; two underscores stand between a group and its member. Durations are written
`500ms`, `90s`, `15m`, `47h`, `2d`; lists with commas or as JSON; tables as JSON objects. A file of `NAME=value` lines
is read only by `--env-file`; the files in the folder `SMS_BRIDGE_SECRETS_DIR`, named like the variables, are read too.
Variables win over both. Whatever is wrong stops the start with one line that names the variable.
"""

PROVIDERS = """\
## Providers

`DEXATEL__…` and `SPEEDOCOM__…`. A provider is on when any of its settings is there, or by `ENABLED`. The flat settings
are the account `default`; others are `DEXATEL__ACCOUNTS__{NAME}__…`, and inherit all but the callback secrets.
"""

WEBHOOKS = """\
## Any other provider

`WEBHOOKS__{NAME}__…` describes a provider that calls back, without code; [how](adding-a-provider.md). `{NAME}` in lower
case is what `provider` of a sent event says, with hyphens for underscores: `^[a-z0-9-]{1,32}$`. Its callbacks go to
`POST /dlr/{name}/{secret}`; it is never asked. `ENABLED`, `CALLBACK_SECRETS` (required), `ALLOWED_NETWORKS`,
`GIVE_UP_AFTER` (`48h`), `STATUSES`, `TIMEZONE` and `ACCOUNTS` are as above, and:
"""

NOTES = {
    "sent": """\
A time that a pointer of `SENT__FIELDS` leads to (`sent_at`, `scheduled_at`, `give_up_at`) may be RFC 3339, or seconds
or milliseconds since the epoch, as number or digits; `{"sent_at":"/sent_at"}` is enough where the name is ours already.

CloudEvents 1.0 are opened, structured (`content-type: application/cloudevents+json`, or `specversion` beside `data`) as
well as binary (`ce_...` headers, the payload as value). Either way the event is read as its structured form: pointers
start at the attributes with the payload under `/data`, and one that leads nowhere there is tried from within the
payload; members without a pointer are the payload's own. So `SENT__WHERE={"/type":["sms.sent"]}` filters by the event's
type, and `SENT__FIELDS={"sent_at":"/time"}` takes its time. Confluent's five framing bytes are skipped.

`sms-bridge check --sample FILE` shows how one of your events would be read, member by member.
""",
}
"""What stands below a group's table."""

METRICS = """\
# Metrics

<!-- written by `make docs` from bridge/observability/metrics.py -->

At `/metrics` of the admin port. Every name begins with `sms_bridge_`; counters end in `_total`, histograms are classic
ones (`_bucket`, `_sum`, `_count`), durations are in seconds. Labels are closed sets, never ids. Beside these there are
the process's own, `process_…` and `python_gc_…`.
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


def settings_reference() -> str:
    """docs/settings.md."""
    parts = [SETTINGS]
    for name, field in Settings.model_fields.items():
        model = _model(field)
        if name not in {"dexatel", "speedocom", "webhooks"} and model:
            heading = f"## {_HEADINGS.get(name, name.capitalize())}\n\n{model.__doc__}\n"
            parts.append(f"{heading}\n{_table(_rows(model.model_fields, f'{name.upper()}__'))}")
            parts += [NOTES[name]] if name in NOTES else []
    parts.append(f"{PROVIDERS}\n{_table(_common())}")
    for heading, account in (("Dexatel alone", DexatelAccountSettings), ("Speedocom alone", SpeedocomAccountSettings)):
        parts.append(f"{heading}:\n\n{_table(_rows(_beyond(PolledAccountSettings, account), ''))}")
    parts.append(f"{WEBHOOKS}\n{_table(_rows(_beyond(AccountSettings, WebhookAccountSettings), ''))}")
    return "\n".join(parts)


def metrics_reference() -> str:
    """docs/metrics.md."""
    lines = ["| metric | kind | labels | what |", "|---|---|---|---|"]
    for metric in Metrics(CollectorRegistry()):
        (family,) = metric.describe()
        name = family.name.removeprefix("sms_bridge_") + ("_total" if family.type == "counter" else "")
        labels = " ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - nothing public tells
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join([METRICS, *lines, ""])


def _table(rows: Iterable[str]) -> str:
    return "\n".join(["| variable | takes | default | meaning |", "|---|---|---|---|", *rows, ""])


def _rows(fields: Mapping[str, FieldInfo], prefix: str) -> Iterator[str]:
    for name, field in fields.items():
        inner = _model(field)
        if inner:
            yield from _rows(inner.model_fields, f"{prefix}{name.upper()}__")
        else:
            default = "**required**" if field.is_required() else _code(_default(field))
            meaning = " ".join((field.description or "").split())
            yield f"| `{prefix}{name.upper()}` | {_form(field)} | {default} | {meaning} |"


def _beyond(general: type[BaseModel], special: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """What one has beside what it inherits."""
    return {name: field for name, field in special.model_fields.items() if name not in general.model_fields}


def _common() -> Iterator[str]:
    """What both providers have; a default may differ."""
    yield "| `ENABLED` | `true` or `false` | | `false` turns a provider off that is otherwise set up |"
    yield "| `ACCOUNTS` | | | see above |"
    for name, field in PolledAccountSettings.model_fields.items():
        (row,) = _rows({name: field}, "")
        ours, other = (
            _default(model.model_fields[name]) for model in (DexatelAccountSettings, SpeedocomAccountSettings)
        )
        yield row if ours == other else row.replace(_code(other), f"Dexatel {_code(ours)}, Speedocom {_code(other)}")


def _model(field: FieldInfo) -> type[BaseModel] | None:
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)] or [field.annotation]
    kind = kinds[0]
    return kind if isinstance(kind, type) and not get_args(kind) and issubclass(kind, BaseModel) else None


def _form(field: FieldInfo) -> str:
    """What a value looks like."""
    takes = [one.form for one in field.metadata if isinstance(one, ValueForm)]
    if takes:
        return takes[0]
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)] or [field.annotation]
    if get_origin(field.annotation) is Literal:
        return " ".join(f"`{choice}`" for choice in kinds)
    least = [f" ≥ {one.ge}" for one in field.metadata if hasattr(one, "ge")]
    least += [f" > {one.gt}" for one in field.metadata if hasattr(one, "gt")]
    return _SIMPLE[kinds[0]] + "".join(least)


def _default(field: FieldInfo) -> str:
    """A default as one would write it."""
    value = field.get_default(call_default_factory=True, validated_data={})
    if ValueForm("duration") in field.metadata:
        return _duration(value)
    for name, ages in SCHEDULES.items():
        if ages and value == ages:
            return name
    if value is None or value is PydanticUndefined or value in ((), {}, ""):
        return ""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _duration(milliseconds: int) -> str:
    unit, size = next((unit, size) for unit, size in _UNITS if milliseconds % size == 0 and milliseconds >= 3 * size)
    return f"{milliseconds // size}{unit}"


def _code(text: Any) -> str:
    return re.sub(r"(.+)", r"`\1`", str(text))


WRITTEN = {"settings.md": settings_reference, "metrics.md": metrics_reference}
"""By file of docs/."""

if __name__ == "__main__":
    for file, make in WRITTEN.items():
        (DOCS / file).write_text(make())
