"""How a report's status moves an attempt, or a part of it, from the status that it has. A table. Pure."""

from collections.abc import Mapping

from bridge.core.delivery import FINAL_RANK, RANKS, FastStrEnum, Status


class Move(FastStrEnum):
    """How a mapped report changes a followed attempt."""

    PUBLISH = "publish"
    CORRECT = "correct"
    DUPLICATE = "duplicate"
    STALE = "stale"
    LATE = "late"


def _choose_move(known: Status | None, reported: Status) -> Move:
    if known is None:
        return Move.PUBLISH
    if known is reported:
        return Move.DUPLICATE
    if RANKS[known] < FINAL_RANK:
        return Move.PUBLISH if RANKS[reported] > RANKS[known] else Move.STALE
    final_replaces_unknown = known is Status.UNKNOWN and RANKS[reported] == FINAL_RANK
    return Move.CORRECT if reported is Status.DELIVERED or final_replaces_unknown else Move.LATE


MOVES: Mapping[tuple[Status | None, Status], Move] = {
    (known, reported): _choose_move(known, reported) for known in (None, *Status) for reported in Status
}
"""By the known and the reported status. No move depends on the provider's clock, or goes back to a lower rank."""

CHANGING_MOVES = frozenset({Move.PUBLISH, Move.CORRECT})
"""The moves that change the status."""
