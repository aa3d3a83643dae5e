"""The demo: a real Kafka, both providers simulated, the bridge in a process of its own, and whether all came out right.

Here is only who is started in which order and what is waited for. What is judged: `verdict.py`; what is shown:
`screen.py` and `lines.py`; what is sent: `sender.py`; how the bridge is run: `service.py`.
"""

import asyncio
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, NamedTuple, Protocol

import orjson
from aiokafka.errors import KafkaError

from bridge.sandbox.demo.bridge_process import (
    Addresses,
    BridgeProcess,
    PollTiming,
    callback_path,
    make_environment,
    make_poll_timing,
)
from bridge.sandbox.demo.delivery_consumer import RunNames, open_publisher, read_events, run_topics
from bridge.sandbox.demo.live_view import LiveView
from bridge.sandbox.demo.plain_view import JsonView, PlainView, summarize
from bridge.sandbox.demo.run_stats import RunStats
from bridge.sandbox.demo.sent_producer import PROVIDERS, Message, make_messages, send_messages
from bridge.sandbox.demo.verification import VerificationResult, verify
from bridge.sandbox.kafka.broker import free_ports, sandbox
from bridge.sandbox.kafka.installation import KAFKA, SandboxError
from bridge.sandbox.kafka.server_properties import HOST
from bridge.sandbox.simulator.fault_profiles import PROFILES
from bridge.sandbox.simulator.server import Simulator

GRACE = 15.0
"""Seconds beyond the bridge's own time to give up, after which what hasn't ended counts as lost."""

QUIET = 1.0
"""Seconds in which nothing more may come after all has ended."""

LOOK_EVERY = 0.5
"""Seconds between two looks at the bridge's metrics."""


class DemoOptions(NamedTuple):
    """How a demo is run."""

    messages: int = 300
    rate: float = 30.0
    """Messages a second."""
    seed: int = 1
    speed: float = 3.0
    """What the providers' times are divided by."""
    profile: str = "rough"


class View(Protocol):
    """Whoever is told how it goes."""

    every: float
    """Seconds between two calls of `show`."""

    def phase(self, text: str) -> None:
        """Something begins that takes a while."""
        ...

    def show(self, tally: RunStats) -> None:
        """How far it is."""
        ...

    def result(self, comparison: VerificationResult, summary: Mapping[str, Any]) -> None:
        """How it ended."""
        ...

    def close(self) -> None:
        """No more comes."""
        ...


def run_demo(options: DemoOptions, *, headless: bool, as_json: bool = False) -> int:
    """Run it, and return the exit code: 0 when every message ended as it should, once."""
    # It reports every attempt to connect; what matters of it comes as an error, and the screen is ours.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    plain = headless or not sys.stdout.isatty()
    view: View = JsonView() if as_json else PlainView() if plain else LiveView()
    # A shell starts a background job with SIGINT ignored; Ctrl-C must end this one too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        comparison = asyncio.run(perform(options, view))
    except (SandboxError, KafkaError) as failure:
        sys.stderr.write(f"sms-bridge demo: {failure}\n")
        return 1
    return 0 if comparison.ok else 1


async def perform(options: DemoOptions, view: View) -> VerificationResult:
    """Start everything, let it run, compare; what was started is gone by the end, whatever happens."""
    names, tally, when = RunNames.own(), RunStats(options.messages), make_poll_timing(options.speed)
    async with AsyncExitStack() as stack:
        view.phase(f"Starting Apache Kafka {KAFKA}")
        servers = await stack.enter_async_context(sandbox())
        await stack.enter_async_context(run_topics(servers, names))
        view.phase("Starting the bridge and both providers")
        world = await _start(stack, options, names, servers, when)
        publish = await stack.enter_async_context(open_publisher(servers, names.sent))
        stack.callback(view.close)

        async def publish_sent(message: Message, event: bytes) -> None:
            await publish(message.message_id.encode(), event)

        def take(value: bytes) -> None:
            tally.take(orjson.loads(value), time.time())

        view.phase(f"Sending {options.messages} messages, {options.rate:g} a second")
        view.phase(f"The status page, while it runs: {world.service.page}")
        tally.start()
        chosen = make_messages(options.messages, options.seed)
        await _beside(
            _finished(
                send_messages(chosen, options.rate, world.providers, publish_sent, tally.promise), world, tally, when
            ),
            read_events(servers, names.delivery, take),
            _watch(world.service, tally),
            _show(view, tally),
        )
        tally.bridge = await world.service.counts() or tally.bridge
        comparison = verify(tally.promises, tally.events)
        view.result(comparison, summarize(tally, comparison, options._asdict()))
        return comparison


class _World(NamedTuple):
    providers: Mapping[str, Simulator]
    service: BridgeProcess


async def _start(
    stack: AsyncExitStack, options: DemoOptions, names: RunNames, servers: str, when: PollTiming
) -> _World:
    """Start the providers, then the bridge; they end in the opposite order."""
    folder = tempfile.TemporaryDirectory(prefix="sms-bridge-demo-", ignore_cleanup_errors=True)
    path = Path(stack.enter_context(folder))
    http, admin = free_ports(2)
    secret = token_urlsafe(24)
    providers = {
        name: await stack.enter_async_context(
            Simulator(
                name,
                f"http://{HOST}:{http}{callback_path(name, secret)}",
                profile=PROFILES[options.profile],
                seed=options.seed,
                speed=options.speed,
            )
        )
        for name in PROVIDERS
    }
    at = Addresses(servers, {name: provider.url for name, provider in providers.items()}, http, admin)
    service = BridgeProcess(make_environment(names, at, secret, when, path), admin, path)
    await stack.enter_async_context(service)
    await service.ready()
    return _World(providers, service)


async def _finished(sending: Coroutine[Any, Any, None], world: _World, tally: RunStats, when: PollTiming) -> None:
    """Send; return when every message has come to its right end and nothing follows, or the time for that is over."""
    await sending
    try:
        async with asyncio.timeout(when.give_up / 1000 + GRACE):
            for provider in world.providers.values():
                await provider.drained()
            await tally.settled()
    except TimeoutError:
        pass  # what is missing by now is what the comparison is there to find
    tally.stop()
    await asyncio.sleep(QUIET)


async def _watch(service: BridgeProcess, tally: RunStats) -> None:
    while True:
        tally.bridge = await service.counts() or tally.bridge
        await asyncio.sleep(LOOK_EVERY)


async def _show(view: View, tally: RunStats) -> None:
    while True:
        await asyncio.sleep(view.every)
        view.show(tally)


async def _beside(main: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
    """Run the others for as long as the first takes; the first failure of any is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(other) for other in others]
            await main
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failures:
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
