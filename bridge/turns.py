"""Long work in the event loop, in turns: callbacks that wait for their answer share it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

TURN = 0.001
"""Seconds after which others get theirs."""

STEP = 25
"""How many are worked on between two looks at the clock: less than a millisecond, as a rule."""


async def in_turns(items: Sequence[Any], step: int = STEP) -> AsyncIterator[Sequence[Any]]:
    """So many of these after the other; whoever waits for the event loop comes in between."""
    began = time.monotonic()
    for start in range(0, len(items), step):
        yield items[start : start + step]
        if time.monotonic() - began >= TURN:
            await asyncio.sleep(0)
            began = time.monotonic()
