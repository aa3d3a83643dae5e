"""Profiles the tracker and the receiver with a sampling profiler (py-spy).

Each is profiled twice: for a table, and for a flame graph, which a complete run writes to the docs.
"""

import asyncio
import re
import signal
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from bench import toolchain
from bench.bridge import Bridge, create_topics, make_settings
from bench.process import BenchmarkError
from bench.run import Run
from bench.subjects.receiver import run_load
from bench.subjects.tracker import PARTITIONS, make_journal, measure_group

ENTRIES, REQUESTS = 100_000, 20_000
SAMPLES_PER_SECOND = 100
"""The profiler halts the process for each sample."""

PACKAGES = ("bridge", "aiokafka", "prometheus_client")
MAX_LINES = 18
"""How many lines the table has."""


FLAMES = Path(__file__).parents[2] / "docs" / "performance"


async def measure(run: Run) -> Mapping[str, Any]:
    """Profile both."""
    tables = {}
    for name, profile in (("tracker", _tracker), ("receiver", _receiver)):
        stacks = run.folder / f"{name}.stacks"
        await profile(run, "raw", stacks)
        flames = (FLAMES if run.whole else run.folder) / f"{name}-flame.svg"
        await profile(run, "flamegraph", flames)
        flames.write_text(re.sub(r"[^<>]*py-spy record [^<>]*", f"the {name}", flames.read_text()))
        tables[name] = compute_shares(stacks.read_text().splitlines())
        run.show(f"the {name} is profiled")
    return tables


async def _tracker(run: Run, form: str, out: Path) -> None:
    prefix = f"bench-{uuid4().hex[:6]}"
    source = await make_journal(run, f"{prefix}.journal", run.scale_count(ENTRIES))
    values = make_settings(run.cluster.bootstrap_servers, prefix, journal=source.topic, partitions=PARTITIONS)
    await run.cluster.create_topics(f"{prefix}.sent", partitions=1)
    await create_topics(values, run.folder / prefix, adopt=True)
    async with Bridge(values, run.folder / prefix, "track") as bridge, Profiler(bridge, form, out):
        await measure_group(run, [bridge.process], f"{prefix}.tracker", source)
    await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))


async def _receiver(run: Run, form: str, out: Path) -> None:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = make_settings(run.cluster.bootstrap_servers, prefix, partitions=PARTITIONS)
    await run.cluster.create_topics(f"{prefix}.sent", partitions=1)
    client = await toolchain.build_go_program("load")
    async with Bridge(values, run.folder / prefix, "receive") as bridge:
        await bridge.wait_until_ready()
        async with Profiler(bridge, form, out):
            await run_load(run, client, bridge.url.removeprefix("http://"), run.scale_count(REQUESTS))
    await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))


class Profiler:
    """Profiles a bridge while the context is open.

    Args:
        bridge: The bridge.
        form: py-spy's output format, `raw` or `flamegraph`.
        out: The output file.
    """

    def __init__(self, bridge: Bridge, form: str, out: Path) -> None:
        self._bridge, self._form, self._out = bridge, form, out

    async def __aenter__(self) -> Self:
        self._out.unlink(missing_ok=True)
        program = Path(toolchain.find_python()).with_name("py-spy")
        if not program.exists():
            raise BenchmarkError("the environment of the peers has no py-spy")
        options = ("record", "-r", str(SAMPLES_PER_SECOND), "-d", "300", "-f", self._form, "-o", str(self._out))
        self._process = await asyncio.create_subprocess_exec(
            str(program), *options, "-p", str(self._bridge.process.pid), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        await self._process.wait()
        if not self._out.exists():
            raise BenchmarkError("the profiler has no right to trace another process (ptrace)")


def compute_shares(stacks: Iterable[str]) -> list[tuple[str, float]]:
    """Return the share of samples in which each function was running, including what it called, largest first.

    Args:
        stacks: A profile in py-spy's raw format: frames separated by semicolons, then a count.
    """
    total, seen = 0, Counter[str]()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] for frame in stack.split(";")]
        relevant = [frame for frame in frames if any(f"({package}/" in frame for package in PACKAGES)]
        total += int(count)
        for frame in set(relevant):
            seen[f"{frame})"] += int(count)
    skipped = ("bridge/cli.py", "bridge/__main__.py", "PartitionWorker._run", "PartitionWorker._own")
    lines = [(frame, count / max(1, total)) for frame, count in seen.most_common()]
    return [line for line in lines if not any(name in line[0] for name in skipped)][:MAX_LINES]
