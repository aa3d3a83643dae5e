"""Faults of everything around the bridges: brokers, network, providers, callbacks and sent events."""

import asyncio
import random
from collections.abc import Callable, Mapping

from bridge.sandbox.kafka.broker import Broker
from tests.chaos.bursts import send_burst
from tests.chaos.context import FaultInjector, RunContext
from tests.chaos.plan import Fault, FaultKind
from tests.chaos.providers import ProxyMode
from tests.chaos.wires import Wire

WIRE_DELAY_SECONDS = 0.15

POISON_COUNT = 21
"""How many invalid sent events are published at once."""


async def _kill_any_broker(context: RunContext, fault: Fault) -> None:
    brokers = context.cluster.brokers
    await _kill_broker(context, fault, brokers[int(fault.selector * len(brokers))])


async def _kill_coordinator(context: RunContext, fault: Fault) -> None:
    await _kill_broker(context, fault, await context.cluster.find_coordinator(f"{context.group}.tracker"))


async def _kill_all_brokers(context: RunContext, fault: Fault) -> None:
    context.log_fault(fault, f"for {fault.duration_seconds} s")
    await context.cluster.kill_brokers(context.cluster.brokers, fault.duration_seconds)


async def _kill_broker(context: RunContext, fault: Fault, broker: Broker) -> None:
    context.log_fault(fault, f"broker {broker.node} for {fault.duration_seconds} s")
    await context.cluster.kill_brokers([broker], fault.duration_seconds)


async def _send_burst(context: RunContext, fault: Fault) -> None:
    count = round(fault.duration_seconds * context.burst_per_second)
    context.log_fault(fault, f"of {count} callbacks")
    rng = random.Random(fault.selector)
    accepted = await send_burst(count, context.providers.simulators, context.callback_urls, context.ledger, rng)
    context.log(f"burst: {accepted} of {count} accepted")


async def _publish_poison(context: RunContext, fault: Fault) -> None:
    context.log_fault(fault, f"{POISON_COUNT} sent events")
    context.sender.publish_poison(POISON_COUNT, random.Random(fault.selector))


def _disturb_wires(disturb: Callable[[Wire], None]) -> FaultInjector:
    async def inject(context: RunContext, fault: Fault) -> None:
        replica = context.fleet.select(fault.selector)
        context.log_fault(fault, f"between bridge {replica.number} and all brokers for {fault.duration_seconds} s")
        wires = context.cluster.wires[replica.number]
        for wire in wires:
            disturb(wire)
        await asyncio.sleep(fault.duration_seconds)
        for wire in wires:
            wire.restore()

    return inject


def _disturb_polls(mode: ProxyMode) -> FaultInjector:
    async def inject(context: RunContext, fault: Fault) -> None:
        context.log_fault(fault, f"providers for {fault.duration_seconds} s")
        with context.providers.use_mode(mode):
            await asyncio.sleep(fault.duration_seconds)

    return inject


SURROUNDING_FAULTS: Mapping[FaultKind, FaultInjector] = {
    FaultKind.BROKER_KILLED: _kill_any_broker,
    FaultKind.COORDINATOR_KILLED: _kill_coordinator,
    FaultKind.BROKERS_AWAY: _kill_all_brokers,
    FaultKind.WIRE_CUT: _disturb_wires(Wire.cut),
    FaultKind.WIRE_FROZEN: _disturb_wires(Wire.freeze),
    FaultKind.WIRE_HALF_OPEN: _disturb_wires(Wire.drop_responses),
    FaultKind.WIRE_SLOW: _disturb_wires(lambda wire: setattr(wire, "delay_seconds", WIRE_DELAY_SECONDS)),
    FaultKind.LIMITED: _disturb_polls(ProxyMode.LIMITED),
    FaultKind.FAILING: _disturb_polls(ProxyMode.FAILING),
    FaultKind.OUTAGE: _disturb_polls(ProxyMode.FAILING),
    FaultKind.HANGING: _disturb_polls(ProxyMode.HANGING),
    FaultKind.RESETTING: _disturb_polls(ProxyMode.RESETTING),
    FaultKind.BABBLING: _disturb_polls(ProxyMode.BABBLING),
    FaultKind.REFUSING: _disturb_polls(ProxyMode.REFUSING),
    FaultKind.BURST: _send_burst,
    FaultKind.POISON: _publish_poison,
}
