"""One run of the chaos suite: starts everything, sends and injects faults, waits and verifies."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from bridge.sandbox.demo.delivery_consumer import RunNames
from bridge.sandbox.demo.sent_producer import PROVIDERS
from bridge.sandbox.simulator.options import PARTNER_ID, TOKEN
from tests.chaos.access import LONG_LIFETIME_SECONDS, SHORT_LIFETIME_SECONDS, Access
from tests.chaos.clocks import Clock
from tests.chaos.cluster import Cluster
from tests.chaos.context import RunContext
from tests.chaos.injector import Injector
from tests.chaos.ledger import Ledger, Lifetime
from tests.chaos.operations import LONGER_DEADLINE
from tests.chaos.plan import FaultKind, Plan
from tests.chaos.providers import Providers
from tests.chaos.reader import Reader
from tests.chaos.replicas import Fleet, Replica
from tests.chaos.sender import Sender
from tests.chaos.summary import ChaosResult
from tests.chaos.versions import Version, list_versions
from tests.chaos.wires import LoadBalancer
from tests.support.service.process import Service
from tests.support.waiting import wait_until

BRIDGES = 3
ROLES = ("intake,receive", "track,poll", "track,poll")
"""Each bridge's roles while roles are split."""

SENT_PARTITIONS, JOURNAL_PARTITIONS, DELIVERY_PARTITIONS = 4, 9, 6
SECRET = "callback-secret-of-the-chaos-suite"
PROGRESS_INTERVAL_SECONDS = 5.0
GRACE_PERIOD_SECONDS = 90.0
"""A message without a final event this long after the bridge should have given up counts as lost."""

MAX_FAULT_DELAY_SECONDS = 15.0

QUIET_PERIOD_SECONDS = 2.0
"""How long to wait for unexpected events after the last message got its final status."""

CALLBACKS_PER_MESSAGE = 3
"""An estimate."""

BURST_FACTOR = 10
"""How many times faster than usual callbacks arrive in a burst."""


class RunOptions(NamedTuple):
    """How a run goes."""

    plan: Plan
    seed: int
    seconds: float
    """How long messages are sent."""
    rate: float
    """Messages a second."""
    poll_ages: str = "5s,10s,20s,40s"
    give_up_after_seconds: float = 120.0
    speed: float = 1.0
    """The providers' times are divided by it."""
    max_fault_delay_seconds: float = MAX_FAULT_DELAY_SECONDS
    """How long after the last message a delayed fault may still start."""
    other: Path | None = None
    """The checkout of another version, for rolling updates."""


async def run(options: RunOptions, folder: Path, write_line: Callable[[str], None]) -> ChaosResult:
    """Run the suite. Everything that was started is stopped at the end.

    Args:
        options: How it goes.
        folder: For the bridges' folders and logs.
        write_line: Called with each line about the progress.
    """
    start = time.monotonic()
    names = RunNames.make_unique("chaos")
    give_up_ms = round(options.give_up_after_seconds * 1000)
    lifetime = Lifetime(give_up_ms, round(give_up_ms * LONGER_DEADLINE + GRACE_PERIOD_SECONDS * 1000))
    ledger = Ledger(f"/sms-bridge/{names.group}", lifetime)

    def log(text: str) -> None:
        write_line(f"{time.monotonic() - start:7.1f} s  {text}")

    async with AsyncExitStack() as stack:
        log("starting three brokers")
        lifetime_seconds = SHORT_LIFETIME_SECONDS if options.plan.has(FaultKind.TOKENS) else LONG_LIFETIME_SECONDS
        access = await stack.enter_async_context(Access(names, folder, lifetime_seconds))
        versions = list_versions(options.other, access)
        cluster = await stack.enter_async_context(Cluster(BRIDGES, access))
        await access.allow(cluster.servers, access.rights)
        await cluster.create_topic(names.sent, SENT_PARTITIONS)
        fleet = Fleet(())
        balancer = await stack.enter_async_context(LoadBalancer(lambda: fleet.addresses))
        urls = {name: f"http://127.0.0.1:{balancer.port}/dlr/{name}/{SECRET}" for name in PROVIDERS}
        providers = await stack.enter_async_context(
            Providers(
                urls,
                options.seed,
                options.speed,
                on_acknowledged=ledger.add_acknowledged,
                rejected=ledger.rejected,
            )
        )
        polling_urls = {name: proxy.url for name, proxy in providers.proxies.items()}
        fleet.replicas = tuple(
            _make_replica(
                number,
                folder,
                _make_settings(options, names, cluster.servers_for(number), polling_urls),
                versions[0],
            )
            for number in range(BRIDGES)
        )
        stack.push_async_callback(fleet.kill_all)
        if options.seed % 2:  # intake and receiver come before there is any tracker
            for replica in fleet.replicas:
                replica.switch_roles()
        log("starting two bridges")
        for replica in fleet.replicas[:2]:
            await replica.start()
            if not await replica.wait_until_ready():
                raise RuntimeError(f"bridge {replica.number} isn't ready:\n{replica.service.tail()}")
        sender = Sender(cluster.servers, names.sent, ledger, options.seed)
        burst_rate = BURST_FACTOR * CALLBACKS_PER_MESSAGE * options.rate
        context = RunContext(
            cluster, fleet, providers, sender, ledger, urls, names, access, versions, give_up_ms, burst_rate, log
        )
        injector = Injector(context)
        partitions = {name: await cluster.count_partitions(name) for name in names.topics}
        reader = Reader(cluster.servers, names, partitions, ledger)
        background = [fleet.keep_running(), fleet.keep_measuring(), reader.run(), _report_progress(context, injector)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in background]
            await _send_and_inject(options, context, injector)
            await _recover(options, context, reader)
            for task in tasks[:2]:
                task.cancel()
            await fleet.stop_all()
            await reader.wait_until_end()
            for task in tasks:
                task.cancel()
        return _make_result(options, context, injector, time.monotonic() - start)


async def _send_and_inject(options: RunOptions, context: RunContext, injector: Injector) -> None:
    max_start_seconds = options.seconds + options.max_fault_delay_seconds
    await asyncio.gather(
        context.sender.send(options.rate, options.seconds, context.providers.simulators),
        injector.run(options.plan.bridges, max_start_seconds),
        injector.run(options.plan.surroundings, max_start_seconds),
    )
    context.ledger.sending = False
    context.log(f"no more faults; {context.ledger.open} messages are open")


async def _recover(options: RunOptions, context: RunContext, reader: Reader) -> None:
    """Wait until the bridges are ready and every message has its expected final status."""
    for replica in context.fleet.running:
        if not await replica.wait_until_ready():
            context.fleet.problems.append(f"bridge {replica.number} isn't ready a minute after the last fault")

    async def is_complete() -> bool:
        return not context.ledger.open and not context.ledger.letters.missing_strangers

    timeout = LONGER_DEADLINE * options.give_up_after_seconds + GRACE_PERIOD_SECONDS
    with suppress(AssertionError):  # the verification reports the messages that are still missing
        await wait_until(is_complete, timeout, lambda: "some messages are open")
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            for simulator in context.providers.simulators.values():
                await simulator.wait_until_drained()
    await asyncio.sleep(QUIET_PERIOD_SECONDS)
    await reader.wait_until_end()


async def _report_progress(context: RunContext, injector: Injector) -> None:
    while True:
        await asyncio.sleep(PROGRESS_INTERVAL_SECONDS)
        ledger = context.ledger
        context.log(
            f"sent {len(ledger.expected):,}, ended {len(ledger.ended):,}, open {ledger.open:,}, events"
            f" {len(ledger.events):,}; {injector.injected.total()} faults; bridges"
            f" {[replica.number for replica in context.fleet.running]}"
        )


def _make_result(options: RunOptions, context: RunContext, injector: Injector, seconds: float) -> ChaosResult:
    ledger, fleet = context.ledger, context.fleet
    return ChaosResult(
        seed=options.seed,
        minutes=round(options.seconds / 60, 2),
        faults=injector.injected,
        verification=ledger.verify_events(),
        dead_letters=ledger.letters.verify(ledger.ended),
        mistakes=tuple(ledger.mistakes),
        late_reports=len(ledger.late),
        accepted=len(ledger.accepted),
        unjournaled=ledger.count_unjournaled(),
        journal_entries=ledger.journal_entries,
        counters=context.providers.counters,
        max_resident_bytes={replica.number: replica.max_resident_bytes for replica in fleet.replicas},
        longest_gap_seconds=ledger.longest_gap_seconds,
        exits=fleet.exits,
        fleet_problems=tuple(fleet.problems),
        forbidden_log_lines=tuple(fleet.find_forbidden_log_lines()),
        seconds=seconds,
    )


def _make_replica(number: int, folder: Path, settings: Mapping[str, str], version: Version) -> Replica:
    own_folder = folder / f"bridge-{number}"
    clock = Clock(own_folder / "clock")
    settings = {**settings, "STATE__DIRECTORY": str(own_folder / "state")}
    whole = Service(settings, own_folder / "whole")
    part = Service(settings, own_folder / "part", ROLES[number])
    whole.state = part.state = own_folder / "state"
    return Replica(number, whole, part, clock, version)


def _make_settings(options: RunOptions, names: RunNames, servers: str, urls: Mapping[str, str]) -> dict[str, str]:
    """Return a bridge's settings."""
    account = {
        "POLL": options.poll_ages,
        "GIVE_UP_AFTER": f"{options.give_up_after_seconds:g}s",
        "POLL_TIMEOUT": "2s",
        "RATE_PER_SECOND": "300",
        "CALLBACK_SECRETS": SECRET,
    }
    groups = {
        "KAFKA": {"BOOTSTRAP_SERVERS": servers, "GROUP_ID": names.group},
        "TOPICS": {
            **names.topic_settings,
            "JOURNAL_PARTITIONS": str(JOURNAL_PARTITIONS),
            "DELIVERY_PARTITIONS": str(DELIVERY_PARTITIONS),
        },
        "FOLLOW": {"PARK_FOR": f"{options.give_up_after_seconds / 2:g}s", "REMEMBER_FOR": "1s"},
        "LOG": {"FORMAT": "json"},
        "DEXATEL": {**account, "BASE_URL": urls["dexatel"], "TOKEN": TOKEN, "POLL_PATH": "/dlr/{id}"},
        "SPEEDOCOM": {**account, "BASE_URL": urls["speedocom"], "API_KEY": TOKEN, "PARTNER_ID": PARTNER_ID},
    }
    return {f"{group}__{name}": value for group, members in groups.items() for name, value in members.items()}
