"""The names of topics: which ones Kafka takes, and which ones it can't tell apart. Pure."""

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from bridge.settings.types import ValueForm, parse_list

_PATTERN = "[A-Za-z0-9._-]{1,249}"
_FORM = "at most 249 characters out of A-Z a-z 0-9 . _ -"


def _check_name(name: str) -> str:
    if not re.fullmatch(_PATTERN, name) or name in {".", ".."}:
        raise ValueError(f"should be a topic's name, {_FORM}, but is {name!r}")
    return name


def _check_optional_name(name: str) -> str:
    return _check_name(name) if name else ""


def _check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("should name at least one topic")
    return tuple(map(_check_name, names))


def check_distinct(named: Iterable[tuple[str, str]]) -> None:
    """Check that no two names are of one topic: what is written to it would be read as something else.

    Args:
        named: Each setting with the name that it has. A setting of several names comes several times.

    Raises:
        ValueError: Two of them are the same to Kafka, whose metrics can't tell `.` from `_`.
    """
    found: dict[str, tuple[str, str]] = {}
    for setting, name in named:
        other_setting, other = found.get(name.replace(".", "_"), ("", ""))
        if other:
            settings = " and ".join(dict.fromkeys((other_setting, setting)))
            why = f"{name} comes twice" if name == other else f"{other} and {name} are the same to Kafka"
            raise ValueError(f"{settings} should name different topics: {why}")
        found[name.replace(".", "_")] = (setting, name)


TopicName = Annotated[str, AfterValidator(_check_name), ValueForm("topic's name", f"^{_PATTERN}$")]
OptionalTopicName = Annotated[
    str, AfterValidator(_check_optional_name), ValueForm("topic's name, or empty", f"^({_PATTERN})?$")
]
TopicNames = Annotated[
    tuple[str, ...], BeforeValidator(parse_list), AfterValidator(_check_names), ValueForm("list of topics' names")
]
