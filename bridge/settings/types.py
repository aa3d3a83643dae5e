"""The types of settings' values beyond text and numbers: durations, lists, tables, secrets. Also the groups' base."""

import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bridge.core.id_forms import parse_id_forms
from bridge.core.json_pointer import is_pointer, parse_pointer
from bridge.core.schedule import ALWAYS, FALLBACK
from bridge.core.time_formats import check_format
from bridge.core.timestamps import parse_rfc3339

MAPPED_BITS = 96
"""The bits before the IPv4 address in an IPv6 address that maps one."""

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: object) -> int:
    """Parse a duration such as `90s`, `15m`, `47h` or `2d` to milliseconds.

    Raises:
        ValueError: It isn't a duration.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if not match or float(match[1]) == 0:
        raise ValueError("should be a duration such as 500ms, 90s, 15m, 47h or 2d")
    return round(float(match[1]) * _UNITS[match[2]])


_IPV6_ADDRESS = re.compile(r"\s*\[[0-9A-Fa-f:.]+\]:")
"""An address with its port, which begins as a list in JSON does."""


def _parse_json(value: object, expected: type, description: str) -> Any:
    if not isinstance(value, str | bytes):
        return value
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, expected):
        raise ValueError(f"should be {description}")  # noqa: TRY004 - pydantic handles only a ValueError
    return document


def parse_list(value: object) -> Any:
    """Parse a list, written as JSON or with commas."""
    if isinstance(value, str) and (not value.lstrip().startswith("[") or _IPV6_ADDRESS.match(value)):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return _parse_json(value, list, "a list, as JSON or with commas")


def parse_table(value: object) -> Any:
    """Parse a table, written as a JSON object."""
    return _parse_json(value, dict, "a JSON object")


def _parse_configs(value: object) -> Any:
    """Parse a table of topics, each with a table of Kafka's settings."""
    table = parse_table(value)
    if not all(isinstance(config, dict) for config in table.values()):
        raise ValueError('should be a JSON object such as {"sms-bridge.state":{"segment.ms":null}}')
    return {
        topic: {
            name: None if value is None else orjson.dumps(value).decode().strip('"') for name, value in config.items()
        }
        for topic, config in table.items()
    }


def _check_pointer(value: object) -> Any:
    if value is not None:
        parse_pointer(str(value))
    return value


def _check_reports(value: object) -> Any:
    return value if value == "" else _check_pointer(value)


def _parse_pointers(value: object) -> Any:
    """Parse a table of JSON pointers."""
    return {name: _check_pointer(pointer) for name, pointer in parse_table(value).items()}


def _parse_choices(value: object) -> Any:
    """Parse a table of JSON pointers, each with a list of allowed values."""
    table = parse_table(value)
    if not all(
        is_pointer(pointer) and isinstance(allowed, list | tuple) and allowed for pointer, allowed in table.items()
    ):
        raise ValueError('should be a JSON object of pointers and lists such as {"/event":["delivery"]}')
    return {pointer: tuple(map(str, values)) for pointer, values in table.items()}


def _parse_zone(value: object) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return UTC if value.upper() == "UTC" else ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("should be a time zone such as UTC or Africa/Nairobi") from None


def _parse_network(text: str) -> IPv4Network | IPv6Network:
    network = ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    # Clients' addresses are compared as IPv4 where they are (RFC 4291, section 2.5.5.2).
    if mapped is None or network.prefixlen < MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - MAPPED_BITS))


def _parse_networks(value: object) -> Any:
    try:
        return tuple(_parse_network(part) for part in parse_list(value))
    except ValueError:
        raise ValueError("should be a list of networks such as 192.0.2.0/24, with commas") from None


SCHEDULES: Mapping[str, tuple[int, ...]] = {"fallback": FALLBACK, "always": ALWAYS, "never": ()}
"""The named schedules of polls: ages in milliseconds."""


def _parse_poll_ages(value: object) -> Any:
    if not isinstance(value, str):
        return value
    if value in SCHEDULES:
        return SCHEDULES[value]
    try:
        return tuple(sorted(parse_duration(part) for part in parse_list(value)))
    except ValueError:
        raise ValueError("should be fallback, always, never, or a list of ages such as 1m,10m,1h") from None


def _parse_forms(value: object) -> Any:
    """Parse a list as JSON, or one form, which may have commas in it."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return (value,)
    return parse_list(value)


def _parse_start(value: object) -> Any:
    if value in {"horizon", "earliest", "latest"}:
        return value
    milliseconds = parse_rfc3339(str(value))
    if milliseconds is None:
        raise ValueError("should be horizon, earliest, latest, or a time such as 2026-01-31T12:00:00Z")
    return milliseconds


def _check_time_formats(forms: tuple[str, ...]) -> tuple[str, ...]:
    for form in forms:
        check_format(form)
    return forms


def _check_id_forms(names: tuple[str, ...]) -> tuple[str, ...]:
    parse_id_forms(names)
    return names


class ValueForm(NamedTuple):
    """How docs/settings.md and the chart's schema describe a type of value."""

    form: str
    pattern: str = ""
    """A regular expression that every value of this type matches, for the chart's schema; empty: none."""


class Group(BaseModel):
    """A group of settings. It rejects unknown members, and keeps values, which may be secret, out of error messages."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )


Port = Annotated[int, Field(ge=0, le=65535), ValueForm("port")]
Count = Annotated[int, Field(ge=1)]
Duration = Annotated[int, BeforeValidator(parse_duration), ValueForm("duration")]
"""In milliseconds."""
Texts = Annotated[tuple[str, ...], BeforeValidator(parse_list), ValueForm("list")]
TimeFormats = Annotated[
    tuple[str, ...],
    BeforeValidator(_parse_forms),
    AfterValidator(_check_time_formats),
    ValueForm("text, or a JSON list"),
]
Methods = Annotated[
    tuple[Literal["GET", "POST", "PUT", "PATCH"], ...], BeforeValidator(parse_list), Field(min_length=1)
]
_HEADER_NAME = Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
HeaderName = Annotated[str, _HEADER_NAME, ValueForm("header's name")]
OptionalHeaderName = Annotated[str | None, _HEADER_NAME, ValueForm("header's name")]
HeaderValue = Annotated[str, Field(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"), ValueForm("text")]
Table = Annotated[dict[str, str], BeforeValidator(parse_table), ValueForm("table")]
Fields = Annotated[dict[str, str | tuple[str, ...]], BeforeValidator(parse_table), ValueForm("table")]
Pointer = Annotated[str | None, BeforeValidator(_check_pointer), ValueForm("JSON pointer")]
ReportsPointer = Annotated[str | None, BeforeValidator(_check_reports), ValueForm("JSON pointer, or empty")]
Pointers = Annotated[dict[str, str], BeforeValidator(_parse_pointers), ValueForm("table")]
Choices = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_parse_choices), ValueForm("table of lists")]
TopicConfig = Annotated[dict[str, dict[str, str | None]], BeforeValidator(_parse_configs), ValueForm("table of tables")]
Where = Annotated[dict[str, tuple[Any, ...]], BeforeValidator(parse_table), ValueForm("table of lists")]
Zone = Annotated[tzinfo, BeforeValidator(_parse_zone), ValueForm("time zone")]
Networks = Annotated[
    tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_parse_networks), ValueForm("list of networks")
]
PollAges = Annotated[
    tuple[int, ...],
    BeforeValidator(_parse_poll_ages),
    ValueForm("`fallback`, `always`, `never` or a list of durations"),
]
IdFormNames = Annotated[
    tuple[str, ...], BeforeValidator(parse_list), AfterValidator(_check_id_forms), ValueForm("list")
]
Start = Annotated[
    Literal["horizon", "earliest", "latest"] | int,
    BeforeValidator(_parse_start),
    ValueForm("`horizon`, `earliest`, `latest` or a time"),
]
