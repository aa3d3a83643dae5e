"""One line of `check`: what was checked, how it is, and what to do about it."""

from typing import Literal, NamedTuple

Level = Literal["ok", "warning", "wrong"]


class CheckFinding(NamedTuple):
    """What was found; `check --json` writes the members under these names."""

    area: str
    """`settings`, `kafka`, `rights`, `topics`, `registry`, `providers` or `clock`."""
    level: Level
    subject: str
    told: str
    """How it is, for a person."""
    remedy: str = ""
    """What mends it; empty where nothing needs to."""


def ok(area: str, subject: str, text: str = "") -> CheckFinding:
    """Make the line of something that is as it should be."""
    return CheckFinding(area, "ok", subject, text)
