"""How bridges are made to fail, and what is theirs: their process, their clock, their disk."""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from tests.chaos import damage
from tests.chaos.disks import SmallDisk
from tests.chaos.plan import Fault, Kind
from tests.chaos.replicas import Replica
from tests.chaos.world import LeftOut, Way, World

READY_WITHIN = 20.0
"""Seconds that a bridge gets to be ready before the next fault may come; the surroundings may not let it."""

ROOM = 600_000
"""The most bytes that a full disk has left: more than an empty database takes, or less."""

HEARD = 0.5
"""In what share of the kills inside a transaction the broker has heard of the commit."""

COMMIT_WITHIN = 10.0
"""Seconds that a bridge gets to commit something."""

LARGEST_STEP = 300.0
"""Seconds by which a clock is wrong at the most."""


async def _again(replica: Replica) -> None:
    await replica.start()
    await replica.until_ready(READY_WITHIN)


async def _kill(world: World, fault: Fault) -> None:
    replica = world.fleet.chosen(fault.pick)
    world.tell(fault, f"bridge {replica.number}")
    async with replica.busy:
        await replica.kill()
        await _again(replica)


async def _kill_all(world: World, fault: Fault) -> None:
    running = world.fleet.running
    world.tell(fault, f"bridges {[replica.number for replica in running]}")
    async with AsyncExitStack() as busy:
        for replica in running:
            await busy.enter_async_context(replica.busy)
        await asyncio.gather(*(replica.kill() for replica in running))
        await asyncio.gather(*(_again(replica) for replica in running))


async def _kill_again(world: World, fault: Fault) -> None:
    replica = world.fleet.chosen(fault.pick)
    world.tell(fault, f"bridge {replica.number}, and after {fault.seconds} s once more")
    async with replica.busy:
        await replica.kill()
        await replica.start()
        await asyncio.sleep(fault.seconds)
        await replica.kill()
        await _again(replica)


async def _kill_in_transaction(world: World, fault: Fault) -> None:
    replica = world.fleet.chosen(fault.pick)
    heard = fault.pick * 10 % 1 < HEARD
    killed = asyncio.Event()

    def kill() -> bool:
        if not killed.is_set():
            replica.end_at_once()
            killed.set()
        return heard

    async with replica.busy:
        for wire in world.cluster.wires[replica.number]:
            wire.on_commit = kill
        try:
            async with asyncio.timeout(COMMIT_WITHIN):
                await killed.wait()
        except TimeoutError:
            raise LeftOut(f"bridge {replica.number} commits nothing") from None
        finally:
            for wire in world.cluster.wires[replica.number]:
                wire.on_commit = None
        world.tell(fault, f"bridge {replica.number}, {'after' if heard else 'before'} the broker heard it")
        await replica.kill()
        await _again(replica)


async def _zombie(world: World, fault: Fault) -> None:
    replica = world.fleet.chosen(fault.pick)
    world.tell(fault, f"bridge {replica.number} for {fault.seconds} s")
    async with replica.busy:
        replica.freeze()
        await asyncio.sleep(fault.seconds)
        replica.thaw()


async def _rolling_restart(world: World, fault: Fault) -> None:
    running = world.fleet.running
    world.tell(fault, f"bridges {[replica.number for replica in running]}")
    for replica in running:
        async with replica.busy:
            await world.fleet.stop(replica)
            await _again(replica)


async def _scale(world: World, fault: Fault) -> None:
    fleet = world.fleet
    running = len(fleet.running)
    fewest = 2 if fleet.replicas[0].split else 1  # of split roles the first has only what takes things in
    others = [count for count in range(fewest, len(fleet.replicas) + 1) if count != running]
    count = others[int(fault.pick * len(others))]
    world.tell(fault, f"from {running} to {count} bridges")
    for replica in fleet.replicas[running:count]:
        async with replica.busy:
            await _again(replica)
    for replica in fleet.replicas[count:running]:
        async with replica.busy:
            await fleet.stop(replica)


async def _roles(world: World, fault: Fault) -> None:
    fleet = world.fleet
    world.tell(fault, "joined" if fleet.replicas[0].split else "split")
    for replica in fleet.replicas:
        async with replica.busy:
            if replica.wanted:
                await fleet.stop(replica)
            replica.change()
            await _again(replica)


async def _clock(world: World, fault: Fault) -> None:
    replica = world.fleet.chosen(fault.pick)
    seconds = round((fault.pick * 10 % 1 - 0.5) * 2 * LARGEST_STEP)
    world.tell(fault, f"of bridge {replica.number} is wrong by {seconds} s for {fault.seconds} s")
    replica.clock.set(seconds)
    await asyncio.sleep(fault.seconds)
    replica.clock.set(0)


async def _disk_full(world: World, fault: Fault) -> None:
    fleet, replica, leave = world.fleet, world.fleet.chosen(fault.pick), int(fault.pick * ROOM)
    disk = SmallDisk(replica.service.state)
    world.tell(fault, f"of bridge {replica.number} for {fault.seconds} s, all but {leave} bytes")
    async with replica.busy:
        await fleet.stop(replica)
        if not await disk.mount():
            await _again(replica)
            raise LeftOut("not allowed to mount")
        await asyncio.to_thread(disk.fill, leave)
        await replica.start()
    try:
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(disk.relieve)
        if not await replica.until_ready(READY_WITHIN):
            world.say(f"bridge {replica.number} isn't ready though its disk has room again")
    finally:
        async with replica.busy:
            await fleet.stop(replica)
            await disk.unmount()
            await _again(replica)


def _damage(how: Callable[[Path, random.Random], str]) -> Way:
    async def done(world: World, fault: Fault) -> None:
        replica = world.fleet.chosen(fault.pick)
        world.tell(fault, f"of bridge {replica.number}")
        async with replica.busy:
            # By turns after an orderly end and a sudden one.
            await (world.fleet.stop(replica) if fault.at % 0.2 < 0.1 else replica.kill())
            what = await asyncio.to_thread(how, replica.service.state, random.Random(fault.pick))
            world.say(f"{fault.kind}: {what}")
            await _again(replica)

    return done


BRIDGES: Mapping[Kind, Way] = {
    Kind.KILL: _kill,
    Kind.KILL_ALL: _kill_all,
    Kind.KILL_AGAIN: _kill_again,
    Kind.KILL_IN_TRANSACTION: _kill_in_transaction,
    Kind.ZOMBIE: _zombie,
    Kind.ROLLING_RESTART: _rolling_restart,
    Kind.SCALE: _scale,
    Kind.ROLES: _roles,
    Kind.DISK_FULL: _disk_full,
    Kind.CLOCK: _clock,
    Kind.STATE_DELETED: _damage(damage.delete),
    Kind.STATE_TRUNCATED: _damage(damage.truncate),
    Kind.STATE_OVERWRITTEN: _damage(damage.overwrite),
}
