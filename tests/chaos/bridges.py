"""Faults of the bridges: their processes, clocks and disks. What operators do is in `operations.py`."""

import asyncio
import math
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from aiokafka.errors import KafkaError

from tests.chaos import damage
from tests.chaos.context import FaultInjector, FaultSkippedError, RunContext
from tests.chaos.disks import SmallDisk
from tests.chaos.operations import OPERATIONS, READY_TIMEOUT_SECONDS, start_replica
from tests.chaos.plan import Fault, FaultKind

MAX_FREE_BYTES = 600_000
"""A full disk has at most this much space left; an empty database needs more or less than what is left."""

COMMIT_SHARE = 0.5
"""The share of kills during a commit in which the broker still gets the commit request."""

COMMIT_TIMEOUT_SECONDS = 10.0
"""How long to wait for a bridge to commit a transaction."""

MAX_CLOCK_ERROR_SECONDS = 300.0
HOURS_SECONDS = (5_400.0, 10_800.0)
"""Least and largest error of a clock that is hours wrong."""


async def _kill(context: RunContext, fault: Fault) -> None:
    replica = context.fleet.select(fault.selector)
    context.log_fault(fault, f"bridge {replica.number}")
    async with replica.lock:
        await replica.kill()
        await start_replica(replica)


async def _kill_all(context: RunContext, fault: Fault) -> None:
    running = context.fleet.running
    context.log_fault(fault, f"bridges {[replica.number for replica in running]}")
    async with AsyncExitStack() as locks:
        for replica in running:
            await locks.enter_async_context(replica.lock)
        await asyncio.gather(*(replica.kill() for replica in running))
        await asyncio.gather(*(start_replica(replica) for replica in running))


async def _kill_again(context: RunContext, fault: Fault) -> None:
    replica = context.fleet.select(fault.selector)
    context.log_fault(fault, f"bridge {replica.number}, again after {fault.duration_seconds} s")
    async with replica.lock:
        await replica.kill()
        await replica.start()
        await asyncio.sleep(fault.duration_seconds)
        await replica.kill()
        await start_replica(replica)


async def _kill_in_transaction(context: RunContext, fault: Fault) -> None:
    replica = context.fleet.select(fault.selector)
    commits = fault.selector * 10 % 1 < COMMIT_SHARE
    killed = asyncio.Event()

    def kill() -> bool:
        if not killed.is_set():
            replica.send_sigkill()
            killed.set()
        return commits

    async with replica.lock:
        for wire in context.cluster.wires[replica.number]:
            wire.on_commit = kill
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                await killed.wait()
        except TimeoutError:
            raise FaultSkippedError(f"bridge {replica.number} doesn't commit") from None
        finally:
            for wire in context.cluster.wires[replica.number]:
                wire.on_commit = None
        context.log_fault(
            fault, f"bridge {replica.number}, {'after' if commits else 'before'} the broker got the commit"
        )
        await replica.kill()
        await start_replica(replica)


async def _freeze(context: RunContext, fault: Fault) -> None:
    replica = context.fleet.select(fault.selector)
    context.log_fault(fault, f"bridge {replica.number} for {fault.duration_seconds} s")
    async with replica.lock:
        replica.freeze()
        await asyncio.sleep(fault.duration_seconds)
        replica.resume()


async def _set_clock(context: RunContext, fault: Fault) -> None:
    replica = context.fleet.select(fault.selector)
    share = (fault.selector * 10 % 1 - 0.5) * 2
    seconds = round(share * MAX_CLOCK_ERROR_SECONDS)
    if fault.kind is FaultKind.CLOCK_HOURS:
        low, high = HOURS_SECONDS
        seconds = round(math.copysign(low + abs(share) * (high - low), share))
    context.log_fault(fault, f"of bridge {replica.number} is wrong by {seconds} s for {fault.duration_seconds} s")
    replica.clock.set(seconds)
    await asyncio.sleep(fault.duration_seconds)
    replica.clock.set(0)


async def _rewind(context: RunContext, fault: Fault) -> None:
    """Read all sent events again, as an administrator would have it: nobody may use the group meanwhile."""
    fleet = context.fleet
    context.log_fault(fault, f"with {len(context.ledger.expected)} messages")
    async with AsyncExitStack() as locks:
        running = fleet.running
        for replica in running:
            await locks.enter_async_context(replica.lock)
        await asyncio.gather(*(fleet.stop(replica) for replica in running))
        try:
            await context.cluster.reset_offsets(f"{context.group}.intake", context.names.sent)
        except (KafkaError, OSError, TimeoutError) as error:
            raise FaultSkippedError(f"the group can't be reset: {type(error).__name__}") from None
        finally:
            await asyncio.gather(*(start_replica(replica) for replica in running))


async def _fill_disk(context: RunContext, fault: Fault) -> None:
    fleet, replica, free_bytes = (
        context.fleet,
        context.fleet.select(fault.selector),
        int(fault.selector * MAX_FREE_BYTES),
    )
    disk = SmallDisk(replica.service.state)
    context.log_fault(fault, f"of bridge {replica.number} for {fault.duration_seconds} s, {free_bytes} bytes free")
    async with replica.lock:
        await fleet.stop(replica)
        if not await disk.mount():
            await start_replica(replica)
            raise FaultSkippedError("no right to mount a file system")
        await asyncio.to_thread(disk.fill, free_bytes)
        await replica.start()
    try:
        await asyncio.sleep(fault.duration_seconds)
        await asyncio.to_thread(disk.make_room)
        if not await replica.wait_until_ready(READY_TIMEOUT_SECONDS):
            context.log(f"bridge {replica.number} isn't ready although its disk has room again")
    finally:
        async with replica.lock:
            await fleet.stop(replica)
            await disk.unmount()
            await start_replica(replica)


def _damage_state(damage_folder: Callable[[Path, random.Random], str]) -> FaultInjector:
    async def inject(context: RunContext, fault: Fault) -> None:
        replica = context.fleet.select(fault.selector)
        context.log_fault(fault, f"of bridge {replica.number}")
        async with replica.lock:
            # In half of the cases after a graceful stop, in the other half after a kill.
            await (context.fleet.stop(replica) if fault.start_seconds % 0.2 < 0.1 else replica.kill())
            damaged = await asyncio.to_thread(damage_folder, replica.service.state, random.Random(fault.selector))
            context.log(f"{fault.kind}: {damaged}")
            await start_replica(replica)

    return inject


BRIDGE_FAULTS: Mapping[FaultKind, FaultInjector] = {
    **OPERATIONS,
    FaultKind.KILL: _kill,
    FaultKind.KILL_ALL: _kill_all,
    FaultKind.KILL_AGAIN: _kill_again,
    FaultKind.KILL_IN_TRANSACTION: _kill_in_transaction,
    FaultKind.ZOMBIE: _freeze,
    FaultKind.DISK_FULL: _fill_disk,
    FaultKind.CLOCK: _set_clock,
    FaultKind.CLOCK_HOURS: _set_clock,
    FaultKind.REWIND: _rewind,
    FaultKind.STATE_DELETED: _damage_state(damage.delete),
    FaultKind.STATE_TRUNCATED: _damage_state(damage.truncate),
    FaultKind.STATE_OVERWRITTEN: _damage_state(damage.overwrite),
}
