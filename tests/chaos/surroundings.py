"""How all that a bridge depends on is made to fail: brokers, the wires to them, providers, and those who send."""

import asyncio
import random
from collections.abc import Callable, Mapping

from bridge.sandbox.kafka.broker import Broker
from tests.chaos.bursts import burst
from tests.chaos.plan import Fault, Kind
from tests.chaos.providers import Mood
from tests.chaos.wires import Wire
from tests.chaos.world import Way, World

LAG = 0.15
"""Seconds that a slow wire takes for whatever comes through."""

POISONED = 21
"""Sent events of one dose."""


async def _broker_killed(world: World, fault: Fault) -> None:
    brokers = world.cluster.brokers
    await _kill_broker(world, fault, brokers[int(fault.pick * len(brokers))])


async def _coordinator_killed(world: World, fault: Fault) -> None:
    await _kill_broker(world, fault, await world.cluster.coordinator(f"{world.group}.tracker"))


async def _brokers_away(world: World, fault: Fault) -> None:
    world.tell(fault, f"for {fault.seconds} s")
    await world.cluster.kill(world.cluster.brokers, fault.seconds)


async def _kill_broker(world: World, fault: Fault, broker: Broker) -> None:
    world.tell(fault, f"broker {broker.node} for {fault.seconds} s")
    await world.cluster.kill([broker], fault.seconds)


async def _burst(world: World, fault: Fault) -> None:
    count = round(fault.seconds * world.burst_per_second)
    world.tell(fault, f"of {count} callbacks")
    chance = random.Random(fault.pick)
    accepted = await burst(count, world.providers.simulators, world.callback_urls, world.ledger, chance)
    world.say(f"burst: {accepted} of {count} accepted")


async def _poison(world: World, fault: Fault) -> None:
    world.tell(fault, f"{POISONED} sent events")
    world.sender.poison(POISONED, random.Random(fault.pick))


def _wire(how: Callable[[Wire], None]) -> Way:
    async def done(world: World, fault: Fault) -> None:
        replica = world.fleet.chosen(fault.pick)
        world.tell(fault, f"between bridge {replica.number} and all brokers for {fault.seconds} s")
        wires = world.cluster.wires[replica.number]
        for wire in wires:
            how(wire)
        await asyncio.sleep(fault.seconds)
        for wire in wires:
            wire.mend()

    return done


def _mood(mood: Mood) -> Way:
    async def done(world: World, fault: Fault) -> None:
        world.tell(fault, f"providers for {fault.seconds} s")
        with world.providers.mood(mood):
            await asyncio.sleep(fault.seconds)

    return done


SURROUNDINGS: Mapping[Kind, Way] = {
    Kind.BROKER_KILLED: _broker_killed,
    Kind.COORDINATOR_KILLED: _coordinator_killed,
    Kind.BROKERS_AWAY: _brokers_away,
    Kind.WIRE_CUT: _wire(Wire.cut),
    Kind.WIRE_FROZEN: _wire(Wire.freeze),
    Kind.WIRE_HALF_OPEN: _wire(Wire.open_half),
    Kind.WIRE_SLOW: _wire(lambda wire: setattr(wire, "lag", LAG)),
    Kind.LIMITED: _mood(Mood.LIMITED),
    Kind.FAILING: _mood(Mood.FAILING),
    Kind.OUTAGE: _mood(Mood.FAILING),
    Kind.HANGING: _mood(Mood.HANGING),
    Kind.RESETTING: _mood(Mood.RESETTING),
    Kind.BABBLING: _mood(Mood.BABBLING),
    Kind.REFUSING: _mood(Mood.REFUSING),
    Kind.BURST: _burst,
    Kind.POISON: _poison,
}
