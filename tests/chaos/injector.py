"""Does what a plan says: each fault at its time, of the kinds that `bridges.py` and `surroundings.py` know."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from tests.chaos.bridges import BRIDGES
from tests.chaos.plan import Fault, Kind
from tests.chaos.surroundings import SURROUNDINGS
from tests.chaos.world import LeftOut, Way, World

WAYS: Mapping[Kind, Way] = {**BRIDGES, **SURROUNDINGS}


class Injector:
    """Counts what it did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._began = time.monotonic()
        self.done: Counter[str] = Counter()
        """Faults by kind."""

    async def run(self, lane: Sequence[Fault], until: float) -> None:
        """Do the faults of a lane, one after the other, none before its time, and none after so many seconds."""
        for fault in lane:
            if time.monotonic() > self._began + until:
                return
            await asyncio.sleep(max(0.0, self._began + fault.at - time.monotonic()))
            try:
                await WAYS[fault.kind](self._world, fault)
            except LeftOut as why:
                self._world.say(f"fault: {fault.kind} left out: {why}")
            else:
                self.done[fault.kind] += 1
