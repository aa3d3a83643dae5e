"""Faults of everything around the bridges: brokers, network, providers, callbacks and sent events."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from bridge.sandbox.kafka.broker import Broker
from tests.chaos.bursts import send_burst, send_strangers
from tests.chaos.context import FaultInjector, FaultSkippedError, RunContext
from tests.chaos.ledger import PollOutage
from tests.chaos.plan import Fault, FaultKind
from tests.chaos.providers import ProxyMode
from tests.chaos.wires import Wire
from tests.support.waiting import wait_until

WIRE_DELAY_SECONDS = 0.15

ABORTED_COUNT = 200
SMALL_EVENTS_BYTES, LARGE_EVENTS_BYTES = 4_000, 1_048_588
"""What the topic of events takes: several events, but few at a time; Kafka's default."""

TRACKER_SHARE = 0.5
"""The share of killed coordinators that are the tracker's group's; the others are the intake's."""

REFUSED_PAUSE_SECONDS, FAILED_PAUSE_SECONDS = 60.0, 30.0
"""For how long bridges stop polling after refused credentials, and at most after other failures."""

READ_TIMEOUT_SECONDS = 15.0
"""How long to wait until all sent events were read. A sent event must not come later than reports are kept for it."""

MIN_SENT_PARTITIONS, SENT_PARTITIONS_RANGE = 2, 5
"""The least number of partitions of a topic that is created again, and how many numbers there are."""

POISON_COUNT = 30
"""How many invalid sent events are published at once."""


async def _kill_any_broker(context: RunContext, fault: Fault) -> None:
    brokers = context.cluster.brokers
    await _kill_broker(context, fault, brokers[int(fault.selector * len(brokers))])


async def _kill_coordinator(context: RunContext, fault: Fault) -> None:
    group = f"{context.group}.{'tracker' if fault.selector < TRACKER_SHARE else 'intake'}"
    await _kill_broker(context, fault, await context.cluster.find_coordinator(group))


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
    await context.sender.publish_poison(POISON_COUNT, random.Random(fault.selector))


async def _abort_sender(context: RunContext, fault: Fault) -> None:
    context.log_fault(fault, f"{ABORTED_COUNT} sent events")
    try:
        await asyncio.to_thread(context.sender.publish_aborted, ABORTED_COUNT, random.Random(fault.selector))
    except KafkaException as error:
        raise FaultSkippedError(f"the sender has no transaction: {error.args[0].name()}") from None


async def _send_strangers(context: RunContext, fault: Fault) -> None:
    count = round(fault.duration_seconds * context.burst_per_second / 2)
    context.log_fault(fault, f"{count} callbacks")
    rng = random.Random(fault.selector)
    accepted = await send_strangers(count, context.callback_urls["dexatel"], context.ledger, rng)
    context.log(f"strangers: {accepted} of {count} accepted")


async def _grow_sent(context: RunContext, fault: Fault) -> None:
    try:
        count = await context.cluster.add_partition(context.names.sent)
    except (KafkaError, KafkaException, OSError, TimeoutError) as error:
        raise FaultSkippedError(f"the topic can't be changed: {type(error).__name__}") from None
    context.log_fault(fault, f"to {count} partitions")


async def _limit_events(context: RunContext, fault: Fault) -> None:
    limit = round(SMALL_EVENTS_BYTES * (1 + 4 * fault.selector))
    context.log_fault(fault, f"of {limit} bytes for {fault.duration_seconds} s")
    await context.cluster.set_config(context.names.delivery, "max.message.bytes", str(limit))
    await asyncio.sleep(fault.duration_seconds)
    await context.cluster.set_config(context.names.delivery, "max.message.bytes", str(LARGE_EVENTS_BYTES))


async def _recreate_sent(context: RunContext, fault: Fault) -> None:
    """Delete the topic of sent events only after all of them were read: then none are lost with it."""
    names, letters = context.names, context.ledger.letters

    async def is_read() -> bool:
        return not context.ledger.unread and not letters.missing_poison

    async with context.sender.pause():
        try:
            await wait_until(is_read, READ_TIMEOUT_SECONDS, lambda: "some sent events aren't read")
        except AssertionError:
            raise FaultSkippedError(f"{len(context.ledger.unread)} sent events aren't read in time") from None
        count = MIN_SENT_PARTITIONS + int(fault.selector * SENT_PARTITIONS_RANGE)
        context.log_fault(fault, f"deleted for {fault.duration_seconds} s, then with {count} partitions")
        await context.cluster.recreate_topic(names.sent, count, fault.duration_seconds)


async def _take_right(context: RunContext, fault: Fault) -> None:
    access, servers = context.access, context.cluster.servers
    right = access.select(fault.selector)
    context.log_fault(fault, f"{right.operation} {right.resource} {right.name} for {fault.duration_seconds} s")
    await access.forbid(servers, [right])
    await asyncio.sleep(fault.duration_seconds)
    await access.allow(servers, [right])


async def _refuse_tokens(context: RunContext, fault: Fault) -> None:
    context.log_fault(fault, f"are refused for {fault.duration_seconds} s")
    with context.access.refuse_tokens():
        await asyncio.sleep(fault.duration_seconds)


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


async def _cut_single_wire(context: RunContext, fault: Fault) -> None:
    replica = context.fleet.select(fault.selector)
    wires = context.cluster.wires[replica.number]
    number = int(fault.selector * 10 % 1 * len(wires))
    context.log_fault(fault, f"between bridge {replica.number} and broker {number + 1} for {fault.duration_seconds} s")
    wires[number].cut()
    await asyncio.sleep(fault.duration_seconds)
    wires[number].restore()


def _disturb_polls(mode: ProxyMode) -> FaultInjector:
    async def inject(context: RunContext, fault: Fault) -> None:
        context.log_fault(fault, f"providers for {fault.duration_seconds} s")
        now, pause = time.time(), REFUSED_PAUSE_SECONDS if mode is ProxyMode.REFUSING else FAILED_PAUSE_SECONDS
        end = now + fault.duration_seconds + pause
        context.ledger.poll_outages.append(PollOutage(round(now * 1000), round(end * 1000)))
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
    FaultKind.WIRE_SINGLE: _cut_single_wire,
    FaultKind.MEMBERSHIP_LOST: _disturb_wires(lambda wire: setattr(wire, "drops_membership", True)),
    FaultKind.LIMITED: _disturb_polls(ProxyMode.LIMITED),
    FaultKind.FAILING: _disturb_polls(ProxyMode.FAILING),
    FaultKind.OUTAGE: _disturb_polls(ProxyMode.FAILING),
    FaultKind.HANGING: _disturb_polls(ProxyMode.HANGING),
    FaultKind.RESETTING: _disturb_polls(ProxyMode.RESETTING),
    FaultKind.BABBLING: _disturb_polls(ProxyMode.BABBLING),
    FaultKind.REFUSING: _disturb_polls(ProxyMode.REFUSING),
    FaultKind.BURST: _send_burst,
    FaultKind.POISON: _publish_poison,
    FaultKind.ABORTED: _abort_sender,
    FaultKind.STRANGERS: _send_strangers,
    FaultKind.REJECTING: _disturb_polls(ProxyMode.REJECTING),
    FaultKind.SENT_GROWN: _grow_sent,
    FaultKind.TOPIC_LIMITS: _limit_events,
    FaultKind.SENT_TOPIC: _recreate_sent,
    FaultKind.RIGHTS: _take_right,
    FaultKind.TOKENS: _refuse_tokens,
}
