"""Reads the members without which an attempt can be followed: one that can't be used is noted and left out. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

from bridge.core.entries import MAX_AHEAD_MS
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.core.time_formats import MIN_EPOCH_MS
from bridge.intake.member_values import read_time

OptionalMember = Literal["sent_at", "scheduled_at", "give_up_at", "recipient", "sender", "metadata"]
"""A member without which an attempt can be followed; a label of the metrics."""

T = TypeVar("T")


class IgnoredMember(NamedTuple):
    """A member that can't be used, and why. In place of `sent_at`, the record's timestamp is taken."""

    member: OptionalMember
    why: str


def read_optional(
    members: Mapping[str, Any], member: OptionalMember, read: Callable[[Any], T], ignored: list[IgnoredMember]
) -> T | None:
    """Read a member; None if it is absent, or if it can't be used, which is noted in `ignored`."""
    value = members.get(member)
    if value is None:
        return None
    try:
        return read(value)
    except ValueError as error:
        ignored.append(IgnoredMember(member, str(error)))
        return None


def compute_latest_sent_at(timestamp: int, now: int) -> int:
    """Compute until when a message can have been sent: a day after the record's timestamp, or after now without one."""
    return (timestamp if _is_known(timestamp, now) else now) + MAX_AHEAD_MS


def _is_known(timestamp: int, now: int) -> bool:
    return MIN_EPOCH_MS <= timestamp <= now + MAX_AHEAD_MS


def read_sent_at(members: Mapping[str, Any], timestamp: int, now: int, ignored: list[IgnoredMember]) -> int:
    """Read the sending time, or take the record's timestamp.

    The record's timestamp bounds it, and not our time, so that a record that is read again has the same one.

    Raises:
        PoisonMessageError: Neither can be used.
    """
    known = len(ignored)
    sent_at = read_optional(members, "sent_at", read_time, ignored)
    if sent_at is not None and sent_at <= compute_latest_sent_at(timestamp, now):
        return sent_at
    why = "missing" if sent_at is None else "more than a day in the future"
    why = ignored.pop().why if len(ignored) > known else why
    if not _is_known(timestamp, now):
        error = f"sent_at: {why}, and the record's timestamp can't take its place"
        raise PoisonMessageError(DeadLetterReason.INVALID, error)
    ignored.append(IgnoredMember("sent_at", f"{why}; the record's timestamp takes its place"))
    return timestamp


def read_give_up_at(members: Mapping[str, Any], sent_at: int, ignored: list[IgnoredMember]) -> int | None:
    """Read the sender's deadline. One that has passed when the message is sent is a mistake."""
    gives_up_at = read_optional(members, "give_up_at", read_time, ignored)
    if gives_up_at is None or gives_up_at > sent_at:
        return gives_up_at
    ignored.append(IgnoredMember("give_up_at", "not after sent_at"))
    return None
