"""One line of what `check` says: what was looked at, how it is, and what to do about it."""

from typing import Literal, NamedTuple

Level = Literal["ok", "warning", "wrong"]


class CheckFinding(NamedTuple):
    """What was found."""

    area: str
    """`settings`, `kafka`, `rights`, `topics`, `providers` or `clock`."""
    level: Level
    subject: str
    told: str
    remedy: str = ""
    """What mends it; empty where nothing needs to."""


def ok(area: str, subject: str, told: str = "") -> CheckFinding:
    """Something that is as it should be."""
    return CheckFinding(area, "ok", subject, told)
