"""Where the tracker's and the receiver's time goes: a sampling profiler beside the running service (py-spy).

Each is sampled twice: for a table of shares, and for a flame graph, which a whole run writes to the docs at once.
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
from bench.bridge import Bridge, prepare, settings
from bench.process import Failed
from bench.run import Run
from bench.subjects.receiver import load
from bench.subjects.tracker import PARTITIONS, filled, worked

ENTRIES, REQUESTS = 100_000, 20_000
RATE = 100
"""Samples a second: the profiler halts the process for each."""

OURS = ("bridge", "aiokafka", "granian", "prometheus_client")
MOST = 18
"""Lines of a table."""


FLAMES = Path(__file__).parents[2] / "docs" / "performance"


async def measure(run: Run) -> Mapping[str, Any]:
    """Profile both."""
    tables = {}
    for name, profiled in (("tracker", _tracker), ("receiver", _receiver)):
        stacks = run.folder / f"{name}.stacks"
        await profiled(run, "raw", stacks)
        flames = (FLAMES if run.whole else run.folder) / f"{name}-flame.svg"
        await profiled(run, "flamegraph", flames)
        flames.write_text(re.sub(r"[^<>]*py-spy record [^<>]*", f"the {name}", flames.read_text()))
        tables[name] = shares(stacks.read_text().splitlines())
        run.show(f"the {name} is profiled")
    return tables


async def _tracker(run: Run, form: str, out: Path) -> None:
    prefix = f"bench-{uuid4().hex[:6]}"
    source = await filled(run, f"{prefix}.journal", run.scaled(ENTRIES))
    values = settings(run.cluster.bootstrap_servers, prefix, journal=source.topic, partitions=PARTITIONS)
    await run.cluster.create(f"{prefix}.sent", partitions=1)
    await prepare(values, run.folder / prefix, adopt=True)
    async with Bridge(values, run.folder / prefix, "track") as bridge, Profiler(bridge, form, out):
        await worked(run, bridge.process, f"{prefix}.tracker", source)
    await run.cluster.delete(*await run.cluster.names(f"{prefix}."))


async def _receiver(run: Run, form: str, out: Path) -> None:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = settings(run.cluster.bootstrap_servers, prefix, partitions=PARTITIONS)
    await run.cluster.create(f"{prefix}.sent", partitions=1)
    client = await toolchain.go_program("load")
    async with Bridge(values, run.folder / prefix, "receive") as bridge:
        await bridge.ready()
        async with Profiler(bridge, form, out):
            await load(run, client, bridge.url.removeprefix("http://"), run.scaled(REQUESTS))
    await run.cluster.delete(*await run.cluster.names(f"{prefix}."))


class Profiler:
    """Samples a bridge within its context.

    Args:
        bridge: The bridge.
        form: What is written: py-spy's `raw` or `flamegraph`.
        out: Where to.
    """

    def __init__(self, bridge: Bridge, form: str, out: Path) -> None:
        self._bridge, self._form, self._out = bridge, form, out

    async def __aenter__(self) -> Self:
        self._out.unlink(missing_ok=True)
        program = Path(toolchain.python()).with_name("py-spy")
        if not program.exists():
            raise Failed("the environment of the peers has no py-spy")
        options = ("record", "-r", str(RATE), "-d", "300", "-f", self._form, "-o", str(self._out))
        self._process = await asyncio.create_subprocess_exec(
            str(program), *options, "-p", str(self._bridge.process.pid), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        await self._process.wait()
        if not self._out.exists():
            raise Failed("the profiler may not look at another process here (ptrace)")


def shares(stacks: Iterable[str]) -> list[tuple[str, float]]:
    """Functions and the share of samples that they were running in, what they called included, most first.

    Args:
        stacks: A profile in py-spy's raw format: frames with semicolons between, then a count.
    """
    total, seen = 0, Counter[str]()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] for frame in stack.split(";")]
        ours = [frame for frame in frames if any(f"({package}/" in frame for package in OURS)]
        total += int(count)
        for frame in set(ours):
            seen[f"{frame})"] += int(count)
    skipped = ("bridge/cli.py", "bridge/__main__.py", "PartitionWorker._run", "PartitionWorker._own")
    told = [(frame, count / max(1, total)) for frame, count in seen.most_common()]
    return [line for line in told if not any(name in line[0] for name in skipped)][:MOST]
