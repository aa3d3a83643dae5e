"""Long work shares the event loop."""

import asyncio
import time

from bridge.turns import TURN, in_turns


async def test_everything_comes_in_order_and_others_come_in_between() -> None:
    """Whoever waits for the loop gets it after each turn, not after the whole."""
    seen: list[object] = []

    async def other() -> None:
        for _ in range(3):
            seen.append("other")
            await asyncio.sleep(0)

    waiting = asyncio.ensure_future(other())
    async for some in in_turns(range(7), step=2):
        seen += some
        until = time.monotonic() + TURN
        while time.monotonic() < until:
            pass
    await waiting
    assert seen == [0, 1, "other", 2, 3, "other", 4, 5, "other", 6]


async def test_nothing_is_no_turn() -> None:
    """Of an empty batch nothing comes."""
    assert [some async for some in in_turns([])] == []
