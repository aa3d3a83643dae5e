"""Long work yields to the event loop."""

import asyncio
import time

from bridge.concurrency import SLICE_SECONDS, yield_slices


async def test_items_keep_their_order_between_yields() -> None:
    """Other tasks run after each slice."""
    seen: list[object] = []

    async def other() -> None:
        for _ in range(3):
            seen.append("other")
            await asyncio.sleep(0)

    waiting = asyncio.ensure_future(other())
    async for some in yield_slices(range(7), size=2):
        seen += some
        until = time.monotonic() + SLICE_SECONDS
        while time.monotonic() < until:
            pass
    await waiting
    assert seen == [0, 1, "other", 2, 3, "other", 4, 5, "other", 6]


async def test_empty_input_yields_nothing() -> None:
    """An empty batch gives no slice."""
    assert [some async for some in yield_slices([])] == []
