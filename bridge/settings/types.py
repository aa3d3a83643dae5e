"""The kinds of value that settings have beyond text and numbers: durations, lists, tables, secrets; and their group."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from bridge.core.delivery import Reason, Status, Verdict
from bridge.core.schedule import ALWAYS, FALLBACK

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: object) -> int:
    """A duration such as `90s`, `15m`, `47h` or `2d` in milliseconds.

    Raises:
        ValueError: It isn't one.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if not match or float(match[1]) == 0:
        raise ValueError("should be a duration such as 500ms, 90s, 15m, 47h or 2d")
    return round(float(match[1]) * _UNITS[match[2]])


def _json(value: object, expected: type, what: str) -> Any:
    if not isinstance(value, str | bytes):
        return value
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, expected):
        raise ValueError(f"should be {what}")  # noqa: TRY004 - pydantic reads a ValueError
    return document


def _listed(value: object) -> Any:
    """A list written as JSON, or with commas."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return _json(value, list, "a list, as JSON or with commas")


def _table(value: object) -> Any:
    return _json(value, dict, "a JSON object")


def _pointer(value: object) -> Any:
    if value is not None and not str(value).startswith("/"):
        raise ValueError("should be a JSON pointer such as /data/id")
    return value


def _pointers(value: object) -> Any:
    """Our names, each with a pointer."""
    return {name: _pointer(pointer) for name, pointer in _table(value).items()}


def _choices(value: object) -> Any:
    """Pointers, each with the values that may stand there."""
    table = _table(value)
    if not all(pointer.startswith("/") and isinstance(v, list | tuple) and v for pointer, v in table.items()):
        raise ValueError('should be a JSON object of pointers and lists such as {"/event":["delivery"]}')
    return {pointer: tuple(map(str, values)) for pointer, values in table.items()}


def _zone(value: object) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return UTC if value.upper() == "UTC" else ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("should be a time zone such as UTC or Africa/Nairobi") from None


def _networks(value: object) -> Any:
    try:
        return tuple(ip_network(part, strict=False) for part in _listed(value))
    except ValueError:
        raise ValueError("should be a list of networks such as 192.0.2.0/24, with commas") from None


SCHEDULES: Mapping[str, tuple[int, ...]] = {"fallback": FALLBACK, "always": ALWAYS, "never": ()}


def _schedule(value: object) -> Any:
    if not isinstance(value, str):
        return value
    if value in SCHEDULES:
        return SCHEDULES[value]
    try:
        return tuple(sorted(parse_duration(part) for part in _listed(value)))
    except ValueError:
        raise ValueError("should be fallback, always, never, or a list of ages such as 1m,10m,1h") from None


_SECRET = re.compile(r"[A-Za-z0-9_~.-]{16,}")


def _url_safe(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not all(_SECRET.fullmatch(secret.get_secret_value()) for secret in secrets):
        raise ValueError("each should have at least 16 characters out of A-Z a-z 0-9 _ ~ . -")
    return secrets


def _start(value: object) -> Any:
    if value in {"horizon", "earliest", "latest"}:
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("should be horizon, earliest, latest, or a time such as 2026-01-31T12:00:00Z") from None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


_DEFAULT_REASONS: Mapping[Status, Reason] = {
    Status.UNDELIVERED: Reason.UNSPECIFIED,
    Status.EXPIRED: Reason.VALIDITY_EXPIRED,
    Status.REJECTED: Reason.UNSPECIFIED,
    Status.FAILED: Reason.UNSPECIFIED,
    Status.UNKNOWN: Reason.UNSPECIFIED,
}


def _verdict(word: str, meaning: Any) -> Verdict:
    """One row of a status table: our status, or an object with status, reason and permanent."""
    row = {"status": meaning} if isinstance(meaning, str) else meaning
    try:
        status = Status(row["status"])
        reason = Reason(row.get("reason", _DEFAULT_REASONS.get(status, Reason.NONE)))
        permanent = row.get("permanent")
        known = row.keys() <= {"status", "reason", "permanent"}
    except (KeyError, TypeError, ValueError, AttributeError):
        known = False
    if not known or not (permanent is None or isinstance(permanent, bool)):
        raise ValueError(
            f"{word!r} should map to one of {', '.join(Status)}, or to an object of status, reason and permanent"
        )
    return Verdict(status, reason, permanent)


def _statuses(value: object) -> Any:
    return {word: m if isinstance(m, Verdict) else _verdict(word, m) for word, m in _table(value).items()}


class ValueForm(NamedTuple):
    """What a kind of value looks like, for docs/settings.md."""

    form: str


class Group(BaseModel):
    """A group of settings: closed, so that a typing error is found, and silent about its values in errors."""

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
"""Milliseconds."""
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), ValueForm("list")]
Table = Annotated[dict[str, str], BeforeValidator(_table), ValueForm("table")]
Pointer = Annotated[str | None, BeforeValidator(_pointer), ValueForm("JSON pointer")]
Pointers = Annotated[dict[str, str], BeforeValidator(_pointers), ValueForm("table")]
Choices = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_choices), ValueForm("table of lists")]
Where = Annotated[dict[str, tuple[Any, ...]], BeforeValidator(_table), ValueForm("table of lists")]
Zone = Annotated[tzinfo, BeforeValidator(_zone), ValueForm("time zone")]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks), ValueForm("list of networks")]
Schedule = Annotated[
    tuple[int, ...], BeforeValidator(_schedule), ValueForm("`fallback`, `always`, `never` or a list of durations")
]
Secrets = Annotated[
    tuple[SecretStr, ...],
    BeforeValidator(_listed),
    AfterValidator(_url_safe),
    ValueForm("secret: a list, each at least 16 of `A-Z a-z 0-9 _ ~ . -`"),
]
Statuses = Annotated[dict[str, Any], BeforeValidator(_statuses), ValueForm("table")]
Start = Annotated[
    Literal["horizon", "earliest", "latest"] | int,
    BeforeValidator(_start),
    ValueForm("`horizon`, `earliest`, `latest` or a time"),
]
