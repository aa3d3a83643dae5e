"""Injects the faults of a plan, each at its time. `bridges.py` and `surroundings.py` implement the kinds."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from tests.chaos.bridges import BRIDGE_FAULTS
from tests.chaos.context import FaultInjector, FaultSkippedError, RunContext
from tests.chaos.plan import Fault, FaultKind
from tests.chaos.surroundings import SURROUNDING_FAULTS

INJECTORS: Mapping[FaultKind, FaultInjector] = {**BRIDGE_FAULTS, **SURROUNDING_FAULTS}


class Injector:
    """Injects faults and counts them."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._start = time.monotonic()
        self.injected: Counter[str] = Counter()
        """By kind."""

    async def run(self, faults: Sequence[Fault], max_start_seconds: float) -> None:
        """Inject faults one after the other, each at its time or later, but none after `max_start_seconds`."""
        for fault in faults:
            if time.monotonic() > self._start + max_start_seconds:
                return
            await asyncio.sleep(max(0.0, self._start + fault.start_seconds - time.monotonic()))
            try:
                await INJECTORS[fault.kind](self._context, fault)
            except FaultSkippedError as reason:
                self._context.log(f"fault: {fault.kind} skipped: {reason}")
            else:
                self.injected[fault.kind] += 1
