"""The benchmarks' broker, run as in production rather than as in tests, where it has to start fast."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.kafka import Cluster
from bench.meters import find_children
from bridge.sandbox.kafka.broker import BOOTSTRAP_SERVERS, Sandbox

PRODUCTION_OPTIONS = ("-XX:TieredStopAtLevel=4", "-XX:-UseSerialGC", "-XX:+UseG1GC", "-Xmx1g")
"""The optimising compiler and the default garbage collector. A broker without them takes three times the CPU, and so
what it leaves of the cores, not the contestant, would be measured."""


@asynccontextmanager
async def start_cluster() -> AsyncIterator[Cluster]:
    """Start a broker for this block; or use the cluster that the environment names, whose CPU isn't measured."""
    if named := os.environ.get(BOOTSTRAP_SERVERS):
        async with Cluster(named) as cluster:
            yield cluster
        return
    async with Sandbox(jvm=PRODUCTION_OPTIONS) as kafka:
        supervisors = [broker.supervisor_pid for broker in kafka.brokers]
        pids = [pid for supervisor in supervisors if supervisor for pid in find_children(supervisor)]
        async with Cluster(kafka.bootstrap_servers, pids) as cluster:
            yield cluster
