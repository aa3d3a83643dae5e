"""One run: who is started in which order, what goes on beside what, and when it is over."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from bridge.sandbox.simulator.server import PARTNER_ID, TOKEN
from tests.chaos.cluster import Cluster
from tests.chaos.injector import Injector
from tests.chaos.ledger import Ledger
from tests.chaos.plan import Plan
from tests.chaos.providers import PROVIDERS, Providers
from tests.chaos.reader import Names, Reader
from tests.chaos.replicas import Clock, Fleet, Replica
from tests.chaos.sender import Sender
from tests.chaos.summary import Outcome
from tests.chaos.wires import Balancer
from tests.chaos.world import World
from tests.support.service.process import Service
from tests.support.waiting import until

BRIDGES = 3
ROLES = ("intake,receive", "track,poll", "track,poll")
"""What each bridge does while roles are split."""

SENT_PARTITIONS, JOURNAL_PARTITIONS, DELIVERY_PARTITIONS = 4, 9, 6
SECRET = "callback-secret-of-the-chaos-suite"
TELL_EVERY = 5.0
GRACE = 90.0
"""Seconds beyond the time to give up, after which what hasn't ended counts as lost."""

LATE = 15.0

QUIET = 2.0
"""Seconds in which nothing more may come after all has ended."""

CALLBACKS_A_MESSAGE = 3
"""About; a burst is ten times that."""


class Options(NamedTuple):
    """How a run is made. Durations in seconds."""

    plan: Plan
    seed: int
    seconds: float
    rate: float
    """Messages a second."""
    polls: str = "5s,10s,20s,40s"
    give_up: float = 120.0
    speed: float = 1.0
    """What the providers' times are divided by."""
    late: float = LATE
    """After the last message was sent, for how long a fault may still begin that others have delayed."""


async def run(options: Options, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Run it; whatever was started is gone by the end.

    Args:
        options: How.
        folder: Where the bridges have their folders and logs.
        say: Is told how it goes.
    """
    began = time.monotonic()
    names, ledger = _names(), Ledger()

    def tell(text: str) -> None:
        say(f"{time.monotonic() - began:7.1f} s  {text}")

    async with AsyncExitStack() as stack:
        tell("starting three brokers")
        cluster = await stack.enter_async_context(Cluster(BRIDGES))
        await cluster.create(names.sent, SENT_PARTITIONS)
        fleet = Fleet(())
        balancer = await stack.enter_async_context(Balancer(lambda: fleet.addresses))
        urls = {name: f"http://127.0.0.1:{balancer.port}/dlr/{name}/{SECRET}" for name in PROVIDERS}
        providers = await stack.enter_async_context(Providers(urls, options.seed, options.speed, ledger.acknowledged))
        fronts = {name: front.url for name, front in providers.fronts.items()}
        fleet.replicas = tuple(
            _replica(number, folder, _settings(options, names, cluster.servers_of(number), fronts))
            for number in range(BRIDGES)
        )
        stack.push_async_callback(fleet.abandon)
        tell("starting two bridges")
        for replica in fleet.replicas[:2]:
            await replica.start()
            if not await replica.until_ready():
                raise RuntimeError(f"bridge {replica.number} isn't ready:\n{replica.service.tail()}")
        sender = Sender(cluster.servers, names.sent, ledger, options.seed)
        world = World(
            cluster,
            fleet,
            providers,
            sender,
            ledger,
            urls,
            names.group,
            10 * CALLBACKS_A_MESSAGE * options.rate,
            tell,
        )
        injector = Injector(world)
        partitions = {name: await cluster.partitions(name) for name in names[1:]}
        reader = Reader(cluster.servers, names, partitions, ledger)
        beside = [fleet.keep(), fleet.watch(), reader.run(), _progress(world, injector)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in beside]
            await _work(options, world, injector, reader)
            for task in tasks[:2]:
                task.cancel()
            await fleet.end()
            await reader.at_end()
            for task in tasks:
                task.cancel()
        return _outcome(options, world, injector, time.monotonic() - began)


async def _work(options: Options, world: World, injector: Injector, reader: Reader) -> None:
    """Send and make fail; then heal everything, and wait until all has ended."""
    await asyncio.gather(
        world.sender.send(options.rate, options.seconds, world.providers.simulators),
        injector.run(options.plan.bridges, options.seconds + options.late),
        injector.run(options.plan.surroundings, options.seconds + options.late),
    )
    world.ledger.sending = False
    world.say(f"no more faults; {world.ledger.open} messages wait for their end")
    for replica in world.fleet.running:
        if not await replica.until_ready():
            world.fleet.dead_letters.append(f"bridge {replica.number} isn't ready a minute after the last fault")

    async def ended() -> bool:
        return not world.ledger.open

    within = options.give_up + GRACE
    with suppress(AssertionError):  # what is missing by then is what the comparison is there to find
        await until(ended, within, lambda: "not all have ended")
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            for simulator in world.providers.simulators.values():
                await simulator.drained()
    await asyncio.sleep(QUIET)
    await reader.at_end()


async def _progress(world: World, injector: Injector) -> None:
    while True:
        await asyncio.sleep(TELL_EVERY)
        ledger = world.ledger
        world.say(
            f"sent {len(ledger.promises):,}, ended {len(ledger.ended):,}, open {ledger.open:,}, events"
            f" {len(ledger.events):,}; {injector.done.total()} faults; bridges"
            f" {[replica.number for replica in world.fleet.running]}"
        )


def _outcome(options: Options, world: World, injector: Injector, seconds: float) -> Outcome:
    ledger, fleet = world.ledger, world.fleet
    return Outcome(
        seed=options.seed,
        minutes=round(options.seconds / 60, 2),
        faults=injector.done,
        comparison=ledger.compare(),
        letters=ledger.letters(),
        accepted=len(ledger.accepted),
        unjournaled=ledger.unjournaled(),
        entries=ledger.entries,
        counters=world.providers.counters,
        resident={replica.number: replica.resident for replica in fleet.replicas},
        longest_gap=ledger.longest_gap,
        exits=fleet.exits,
        complaints=tuple(fleet.dead_letters),
        forbidden=tuple(fleet.forbidden()),
        seconds=seconds,
    )


def _names() -> Names:
    prefix = f"chaos-{uuid4().hex[:8]}"
    return Names(prefix, *(f"{prefix}.{name}" for name in Names._fields[1:]))


def _replica(number: int, folder: Path, settings: Mapping[str, str]) -> Replica:
    place = folder / f"bridge-{number}"
    clock = Clock(place / "clock")
    settings = {**settings, "STATE__DIRECTORY": str(place / "state")}
    whole = Service(settings, place / "whole", variables=clock.variables)
    part = Service(settings, place / "part", ROLES[number], variables=clock.variables)
    whole.state = part.state = place / "state"
    return Replica(number, whole, part, clock)


def _settings(options: Options, names: Names, servers: str, urls: Mapping[str, str]) -> dict[str, str]:
    """All that a bridge is told."""
    account = {
        "POLL": options.polls,
        "GIVE_UP_AFTER": f"{options.give_up:g}s",
        "POLL_TIMEOUT": "2s",
        "RATE_PER_SECOND": "300",
        "CALLBACK_SECRETS": SECRET,
    }
    groups = {
        "KAFKA": {"BOOTSTRAP_SERVERS": servers, "GROUP_ID": names.group},
        "TOPICS": {
            "SENT": names.sent,
            "DELIVERY": names.delivery,
            "JOURNAL": names.journal,
            "STATE": names.state,
            "DEAD_LETTER": names.dead_letter,
            "JOURNAL_PARTITIONS": str(JOURNAL_PARTITIONS),
            "DELIVERY_PARTITIONS": str(DELIVERY_PARTITIONS),
        },
        "LOG": {"FORMAT": "json"},
        "DEXATEL": {**account, "BASE_URL": urls["dexatel"], "TOKEN": TOKEN, "POLL_PATH": "/dlr/{id}"},
        "SPEEDOCOM": {**account, "BASE_URL": urls["speedocom"], "API_KEY": TOKEN, "PARTNER_ID": PARTNER_ID},
    }
    return {f"{group}__{name}": value for group, members in groups.items() for name, value in members.items()}
