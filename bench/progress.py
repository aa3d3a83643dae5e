"""Measures how fast processes work through a topic, from committed offsets and CPU time."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from bench.contest import Measured
from bench.kafka import Cluster
from bench.process import BenchmarkError, MeasuredProcess

START_SHARE, END_SHARE = 0.2, 0.95
"""Only the work between these shares is measured, so that the start and the last commit don't count."""

SAMPLE_INTERVAL_SECONDS = 0.05


class Sample(NamedTuple):
    """One sample."""

    at: float
    cpu: float
    done: int


async def measure_progress(
    cluster: Cluster, processes: Sequence[MeasuredProcess], *, group: str, topic: str, records: int, timeout: float
) -> Measured:
    """Wait until a group has measure_group through a topic. Return records per second and CPU microseconds per record.

    Args:
        cluster: Kafka.
        processes: The group's processes.
        group: Their group.
        topic: The topic.
        records: How many records it has.
        timeout: In seconds.

    Raises:
        BenchmarkError: It took too long, or a process ended.
    """
    started, warm = time.monotonic(), None
    while True:
        now = Sample(
            time.monotonic(),
            sum(one.read_cpu_seconds() for one in processes),
            await cluster.count_committed(group, topic),
        )
        if warm is None and now.done >= START_SHARE * records:
            warm = now
        if warm and now.done >= END_SHARE * records and now.done > warm.done:
            done = now.done - warm.done
            return {"per_second": done / (now.at - warm.at), "cpu_us": (now.cpu - warm.cpu) / done * 1e6}
        if now.at - started > timeout:
            raise BenchmarkError(f"{now.done} of {records} records after {timeout:g} s\n{processes[0].tail()}")
        await asyncio.sleep(SAMPLE_INTERVAL_SECONDS)
