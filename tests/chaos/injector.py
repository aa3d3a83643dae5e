"""How each kind of fault is done, and healed again. When, and to whom, was settled by the plan."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

from bridge.sandbox.broker import Broker
from tests.chaos import damage
from tests.chaos.bursts import burst
from tests.chaos.cluster import Cluster
from tests.chaos.disks import SmallDisk
from tests.chaos.ledger import Ledger
from tests.chaos.plan import Fault, Kind
from tests.chaos.providers import Mood, Providers
from tests.chaos.replicas import Fleet, Replica
from tests.chaos.sender import Sender
from tests.chaos.wires import Wire

READY_WITHIN = 20.0
"""Seconds that a bridge gets to be ready before the next fault may come; the surroundings may not let it."""

LAG = 0.15
"""Seconds that a slow wire takes for whatever comes through."""

ROOM = 600_000
"""The most bytes that a full disk has left: more than an empty database takes, or less."""

HEARD = 0.5
"""In what share of the kills inside a transaction the broker has heard of the commit."""

COMMIT_WITHIN = 10.0
"""Seconds that a bridge gets to commit something."""

LARGEST_STEP = 300.0
"""Seconds by which a clock is wrong at the most."""

POISONED = 21
"""Sent events of one dose."""


class World(NamedTuple):
    """All that can be made to fail."""

    cluster: Cluster
    fleet: Fleet
    providers: Providers
    sender: Sender
    ledger: Ledger
    callback_urls: Mapping[str, str]
    group: str
    burst_per_second: float
    say: Callable[[str], None]


class Injector:
    """Does what a plan says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.done: Counter[str] = Counter()
        """Faults by kind."""
        self._began = time.monotonic()
        moods = {
            Kind.LIMITED: Mood.LIMITED,
            Kind.FAILING: Mood.FAILING,
            Kind.OUTAGE: Mood.FAILING,
            Kind.HANGING: Mood.HANGING,
            Kind.RESETTING: Mood.RESETTING,
            Kind.BABBLING: Mood.BABBLING,
            Kind.REFUSING: Mood.REFUSING,
        }
        wires: Mapping[Kind, Callable[[Wire], None]] = {
            Kind.WIRE_CUT: Wire.cut,
            Kind.WIRE_FROZEN: Wire.freeze,
            Kind.WIRE_HALF_OPEN: Wire.open_half,
            Kind.WIRE_SLOW: lambda wire: setattr(wire, "lag", LAG),
        }
        damages = {
            Kind.STATE_DELETED: damage.delete,
            Kind.STATE_TRUNCATED: damage.truncate,
            Kind.STATE_OVERWRITTEN: damage.overwrite,
        }
        self._how: Mapping[Kind, Callable[[Fault], Awaitable[None]]] = {
            Kind.KILL: self._kill,
            Kind.KILL_ALL: self._kill_all,
            Kind.KILL_AGAIN: self._kill_again,
            Kind.KILL_IN_TRANSACTION: self._kill_in_transaction,
            Kind.ZOMBIE: self._zombie,
            Kind.ROLLING_RESTART: self._rolling_restart,
            Kind.SCALE: self._scale,
            Kind.ROLES: self._roles,
            Kind.DISK_FULL: self._disk_full,
            Kind.CLOCK: self._clock,
            Kind.BROKER_KILLED: self._broker_killed,
            Kind.COORDINATOR_KILLED: self._coordinator_killed,
            Kind.BROKERS_AWAY: self._brokers_away,
            Kind.BURST: self._burst,
            Kind.POISON: self._poison,
            **{kind: self._damage(how) for kind, how in damages.items()},
            **{kind: self._wire(how) for kind, how in wires.items()},
            **{kind: self._mood(mood) for kind, mood in moods.items()},
        }

    async def run(self, lane: Sequence[Fault], until: float) -> None:
        """Do the faults of a lane, one after the other, none before its time, and none after so many seconds."""
        for fault in lane:
            if time.monotonic() > self._began + until:
                return
            await asyncio.sleep(max(0.0, self._began + fault.at - time.monotonic()))
            self.done[fault.kind] += 1
            await self._how[fault.kind](fault)

    def _say(self, fault: Fault, whom: str) -> None:
        self._world.say(f"fault: {fault.kind} {whom}")

    async def _again(self, replica: Replica) -> None:
        await replica.start()
        await replica.until_ready(READY_WITHIN)

    async def _kill(self, fault: Fault) -> None:
        replica = self._world.fleet.chosen(fault.pick)
        self._say(fault, f"bridge {replica.number}")
        async with replica.busy:
            await replica.kill()
            await self._again(replica)

    async def _kill_all(self, fault: Fault) -> None:
        running = self._world.fleet.running
        self._say(fault, f"bridges {[replica.number for replica in running]}")
        async with AsyncExitStack() as busy:
            for replica in running:
                await busy.enter_async_context(replica.busy)
            await asyncio.gather(*(replica.kill() for replica in running))
            await asyncio.gather(*(self._again(replica) for replica in running))

    async def _kill_again(self, fault: Fault) -> None:
        replica = self._world.fleet.chosen(fault.pick)
        self._say(fault, f"bridge {replica.number}, and after {fault.seconds} s once more")
        async with replica.busy:
            await replica.kill()
            await replica.start()
            await asyncio.sleep(fault.seconds)
            await replica.kill()
            await self._again(replica)

    async def _kill_in_transaction(self, fault: Fault) -> None:
        replica = self._world.fleet.chosen(fault.pick)
        heard = fault.pick * 10 % 1 < HEARD
        killed = asyncio.Event()

        def kill() -> bool:
            if not killed.is_set():
                replica.end_at_once()
                killed.set()
            return heard

        async with replica.busy:
            for wire in self._world.cluster.wires[replica.number]:
                wire.on_commit = kill
            try:
                async with asyncio.timeout(COMMIT_WITHIN):
                    await killed.wait()
            except TimeoutError:
                self._world.say(f"bridge {replica.number} commits nothing; left out")
                self.done[fault.kind] -= 1
                return
            finally:
                for wire in self._world.cluster.wires[replica.number]:
                    wire.on_commit = None
            self._say(fault, f"bridge {replica.number}, {'after' if heard else 'before'} the broker heard it")
            await replica.kill()
            await self._again(replica)

    async def _clock(self, fault: Fault) -> None:
        replica = self._world.fleet.chosen(fault.pick)
        seconds = round((fault.pick * 10 % 1 - 0.5) * 2 * LARGEST_STEP)
        self._say(fault, f"of bridge {replica.number} is wrong by {seconds} s for {fault.seconds} s")
        replica.clock.set(seconds)
        await asyncio.sleep(fault.seconds)
        replica.clock.set(0)

    async def _zombie(self, fault: Fault) -> None:
        replica = self._world.fleet.chosen(fault.pick)
        self._say(fault, f"bridge {replica.number} for {fault.seconds} s")
        async with replica.busy:
            replica.freeze()
            await asyncio.sleep(fault.seconds)
            replica.thaw()

    async def _rolling_restart(self, fault: Fault) -> None:
        running = self._world.fleet.running
        self._say(fault, f"bridges {[replica.number for replica in running]}")
        for replica in running:
            async with replica.busy:
                await self._world.fleet.stop(replica)
                await self._again(replica)

    async def _scale(self, fault: Fault) -> None:
        fleet = self._world.fleet
        running = len(fleet.running)
        fewest = 2 if fleet.replicas[0].split else 1  # of split roles the first has only what takes things in
        others = [count for count in range(fewest, len(fleet.replicas) + 1) if count != running]
        count = others[int(fault.pick * len(others))]
        self._say(fault, f"from {running} to {count} bridges")
        for replica in fleet.replicas[running:count]:
            async with replica.busy:
                await self._again(replica)
        for replica in fleet.replicas[count:running]:
            async with replica.busy:
                await fleet.stop(replica)

    async def _roles(self, fault: Fault) -> None:
        fleet = self._world.fleet
        self._say(fault, "joined" if fleet.replicas[0].split else "split")
        for replica in fleet.replicas:
            async with replica.busy:
                if replica.wanted:
                    await fleet.stop(replica)
                replica.change()
                await self._again(replica)

    def _damage(self, how: Callable[[Path, random.Random], str]) -> Callable[[Fault], Awaitable[None]]:
        async def done(fault: Fault) -> None:
            replica = self._world.fleet.chosen(fault.pick)
            self._say(fault, f"of bridge {replica.number}")
            async with replica.busy:
                # By turns after an orderly end and a sudden one.
                await (self._world.fleet.stop(replica) if fault.at % 0.2 < 0.1 else replica.kill())
                what = await asyncio.to_thread(how, replica.service.state, random.Random(fault.pick))
                self._world.say(f"{fault.kind}: {what}")
                await self._again(replica)

        return done

    async def _disk_full(self, fault: Fault) -> None:
        fleet, replica, leave = self._world.fleet, self._world.fleet.chosen(fault.pick), int(fault.pick * ROOM)
        disk = SmallDisk(replica.service.state)
        self._say(fault, f"of bridge {replica.number} for {fault.seconds} s, all but {leave} bytes")
        async with replica.busy:
            await fleet.stop(replica)
            if not await disk.mount():
                self._world.say("not allowed to mount; left out")
                self.done[fault.kind] -= 1
                await self._again(replica)
                return
            await asyncio.to_thread(disk.fill, leave)
            await replica.start()
        try:
            await asyncio.sleep(fault.seconds)
            await asyncio.to_thread(disk.relieve)
            if not await replica.until_ready(READY_WITHIN):
                self._world.say(f"bridge {replica.number} isn't ready though its disk has room again")
        finally:
            async with replica.busy:
                await fleet.stop(replica)
                await disk.unmount()
                await self._again(replica)

    async def _broker_killed(self, fault: Fault) -> None:
        brokers = self._world.cluster.brokers
        await self._kill_broker(fault, brokers[int(fault.pick * len(brokers))])

    async def _coordinator_killed(self, fault: Fault) -> None:
        await self._kill_broker(fault, await self._world.cluster.coordinator(f"{self._world.group}.tracker"))

    async def _kill_broker(self, fault: Fault, broker: Broker) -> None:
        self._say(fault, f"broker {broker.node} for {fault.seconds} s")
        await self._world.cluster.kill([broker], fault.seconds)

    async def _brokers_away(self, fault: Fault) -> None:
        self._say(fault, f"for {fault.seconds} s")
        await self._world.cluster.kill(self._world.cluster.brokers, fault.seconds)

    def _wire(self, how: Callable[[Wire], None]) -> Callable[[Fault], Awaitable[None]]:
        async def done(fault: Fault) -> None:
            replica = self._world.fleet.chosen(fault.pick)
            self._say(fault, f"between bridge {replica.number} and all brokers for {fault.seconds} s")
            wires = self._world.cluster.wires[replica.number]
            for wire in wires:
                how(wire)
            await asyncio.sleep(fault.seconds)
            for wire in wires:
                wire.mend()

        return done

    def _mood(self, mood: Mood) -> Callable[[Fault], Awaitable[None]]:
        async def done(fault: Fault) -> None:
            self._say(fault, f"providers for {fault.seconds} s")
            with self._world.providers.mood(mood):
                await asyncio.sleep(fault.seconds)

        return done

    async def _burst(self, fault: Fault) -> None:
        world, count = self._world, round(fault.seconds * self._world.burst_per_second)
        self._say(fault, f"of {count} callbacks")
        chance = random.Random(fault.pick)
        accepted = await burst(count, world.providers.simulators, world.callback_urls, world.ledger, chance)
        world.say(f"burst: {accepted} of {count} accepted")

    async def _poison(self, fault: Fault) -> None:
        self._say(fault, f"{POISONED} sent events")
        self._world.sender.poison(POISONED, random.Random(fault.pick))
