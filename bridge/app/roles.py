"""What a process may do."""

from enum import StrEnum


class Role(StrEnum):
    """What a process does. Polls need the state, so they are sent where it is tracked."""

    INTAKE = "intake"
    RECEIVE = "receive"
    TRACK = "track"
    POLL = "poll"
