"""Plans what an account's poller does next. Pure."""

from typing import NamedTuple

LIST_SELECTION = 500
"""Due polls that are selected at a time if the provider's list may answer them."""

PROBE_CANDIDATES = 100
"""Due polls that are selected while the circuit is half open, to send one of them."""

MIN_FOR_LIST = 20
"""Least number of due polls for which the list is tried."""


class PollPlan(NamedTuple):
    """What to do in one round."""

    select: int
    """How many due polls to select; 0: none may be sent now."""
    send: int
    """How many of them to send one by one, at most."""
    is_probe: bool
    """Whether the answer decides if polling goes on: send the poll that has failed least often."""
    use_list: bool
    """Whether to ask the provider's list first, where enough are due."""


IDLE = PollPlan(0, 0, is_probe=False, use_list=False)


def plan_polls(
    *, is_open: bool, is_half_open: bool, in_flight: int, concurrency: int, list_is_worthwhile: bool
) -> PollPlan:
    """Plan a round.

    Args:
        is_open: Whether the circuit is open: the account isn't polled.
        is_half_open: Whether the circuit is half open: one poll at a time, whose answer decides.
        in_flight: Polls under way.
        concurrency: Polls that may be under way at a time.
        list_is_worthwhile: Whether the account's messages can be listed, and that has saved polls lately.
    """
    if is_open or (is_half_open and in_flight):
        return IDLE
    if is_half_open:
        return PollPlan(PROBE_CANDIDATES, 1, is_probe=True, use_list=False)
    send = 2 * concurrency
    select = max(send, LIST_SELECTION if list_is_worthwhile else 0)
    return PollPlan(select, send, is_probe=False, use_list=list_is_worthwhile)
