"""How quickly a process gets through a topic: its group's committed offsets and its CPU time, sampled side by side."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from bench.contest import Measured
from bench.kafka import Cluster
from bench.process import Failed, Running

WARM, ENOUGH = 0.2, 0.95
"""Shares of the work between which is measured: by then it has started, and the last commit may wait for company."""

LOOK_EVERY = 0.05


class Sample(NamedTuple):
    """One look."""

    at: float
    cpu: float
    done: int


async def watched(
    cluster: Cluster, processes: Sequence[Running], *, group: str, topic: str, records: int, within: float
) -> Measured:
    """Wait until a group has worked through a topic.

    Args:
        cluster: Kafka.
        processes: Who does it, together.
        group: Their group.
        topic: The topic.
        records: How many it has.
        within: Seconds.

    Returns:
        Records a second, and microseconds of CPU time a record.

    Raises:
        Failed: It took too long, or a process ended.
    """
    started, warm = time.monotonic(), None
    while True:
        now = Sample(time.monotonic(), sum(one.cpu() for one in processes), await cluster.committed(group, topic))
        if warm is None and now.done >= WARM * records:
            warm = now
        if warm and now.done >= ENOUGH * records and now.done > warm.done:
            done = now.done - warm.done
            return {"per_second": done / (now.at - warm.at), "cpu_us": (now.cpu - warm.cpu) / done * 1e6}
        if now.at - started > within:
            raise Failed(f"{now.done} of {records} records after {within:g} s\n{processes[0].tail()}")
        await asyncio.sleep(LOOK_EVERY)
