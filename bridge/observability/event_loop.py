"""How late the event loop runs timers: a process that is short of CPU shows it first here."""

import asyncio
import time

from prometheus_client import Gauge

INTERVAL = 1.0
"""Seconds between two measurements."""


class EventLoopMonitor:
    """Measures the event loop's delay.

    Args:
        gauge: The metric of it.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self.delay_seconds = 0.0
        """How late the last timer ran."""

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            started = time.monotonic()
            await asyncio.sleep(INTERVAL)
            self.delay_seconds = max(0.0, time.monotonic() - started - INTERVAL)
            self._gauge.set(self.delay_seconds)
