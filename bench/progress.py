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
    broker_cpu: float | None
    done: int


async def measure_progress(
    cluster: Cluster, processes: Sequence[MeasuredProcess], *, group: str, topic: str, records: int, timeout: float
) -> Measured:
    """Wait until a group has worked through a topic.

    Args:
        cluster: Kafka.
        processes: The group's processes.
        group: Their group.
        topic: The topic.
        records: How many records it has.
        timeout: In seconds.

    Returns:
        Records per second, and the CPU time that a record takes of the processes and of the broker, in microseconds.

    Raises:
        BenchmarkError: It took too long, or a process ended.
    """
    started, warm = time.monotonic(), None
    while True:
        now = Sample(
            time.monotonic(),
            sum(one.read_cpu_seconds() for one in processes),
            cluster.read_cpu_seconds(),
            await cluster.count_committed(group, topic),
        )
        if warm is None and now.done >= START_SHARE * records:
            warm = now
        if warm and now.done >= END_SHARE * records and now.done > warm.done:
            return _compute_rates(warm, now)
        if now.at - started > timeout:
            raise BenchmarkError(f"{now.done} of {records} records after {timeout:g} s\n{processes[0].tail()}")
        await asyncio.sleep(SAMPLE_INTERVAL_SECONDS)


def _compute_rates(first: Sample, last: Sample) -> Measured:
    done = last.done - first.done
    rates = {"per_second": done / (last.at - first.at), "cpu_us": (last.cpu - first.cpu) / done * 1e6}
    return rates | compute_broker_cost(first.broker_cpu, last.broker_cpu, done)


def compute_broker_cost(first: float | None, last: float | None, records: int) -> dict[str, float]:
    """Compute the broker's CPU time of a record from two readings; no figure if the broker runs elsewhere."""
    return {} if first is None or last is None else {"broker_cpu_us": (last - first) / records * 1e6}
