"""The demo: starts Kafka, both simulated providers and the bridge, sends messages, and verifies the result.

This file has the order of the steps. `sent_producer.py` sends, `bridge_process.py` runs the bridge, `verification.py`
verifies, `live_view.py` and `plain_view.py` show, `kept_run.py` says what to try afterwards.
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
from rich.console import Console

from bridge.sandbox.demo.bridge_process import (
    Addresses,
    BridgeProcess,
    PollTiming,
    make_callback_path,
    make_environment,
    make_poll_timing,
)
from bridge.sandbox.demo.delivery_consumer import RunNames, manage_topics, open_publisher, read_events
from bridge.sandbox.demo.kept_run import KeptRun, keep_run, wait_for_signal
from bridge.sandbox.demo.live_view import LiveView
from bridge.sandbox.demo.plain_view import JsonView, PlainView, summarize
from bridge.sandbox.demo.run_stats import RunStats
from bridge.sandbox.demo.sent_producer import PROVIDERS, Message, make_messages, make_unusable_event, send_messages
from bridge.sandbox.demo.verification import VerificationResult, verify
from bridge.sandbox.kafka.broker import sandbox
from bridge.sandbox.kafka.installation import SandboxError, get_release
from bridge.sandbox.ports import HOST, claim_free_ports
from bridge.sandbox.simulator.fault_profiles import PROFILES
from bridge.sandbox.simulator.options import SimulatorOptions
from bridge.sandbox.simulator.server import Simulator

GRACE_PERIOD_SECONDS = 60.0
"""A message without a final event this long after its deadline counts as lost: deadlines wait for polls that fail."""

QUIET_PERIOD_SECONDS = 1.0
"""How long to wait for unexpected events after the last message got its final status."""

METRICS_INTERVAL_SECONDS = 0.5
"""How often the bridge's metrics are read."""


class DemoOptions(NamedTuple):
    """How a demo runs."""

    messages: int = 300
    rate: float = 30.0
    """Messages a second."""
    seed: int = 1
    speed: float = 3.0
    """The providers' times are divided by it."""
    profile: str = "rough"


class View(Protocol):
    """Shows a run to the user."""

    interval_seconds: float
    """How often `show_progress` is called."""

    def show_phase(self, text: str) -> None:
        """A phase of the run begins."""
        ...

    def show_progress(self, stats: RunStats) -> None:
        """Show the state of the run."""
        ...

    def show_result(self, result: VerificationResult, summary: Mapping[str, Any]) -> None:
        """Show the result."""
        ...

    def show_kept(self, kept: KeptRun) -> None:
        """Show what can be tried with a run that goes on."""
        ...

    def close(self) -> None:
        """Release the terminal."""
        ...


def run_demo(options: DemoOptions, *, headless: bool, as_json: bool = False, keep: bool = False) -> int:
    """Run the demo. Return the exit code: 0 if every message got exactly the expected events.

    Args:
        options: How it runs.
        headless: Print plain lines, also on a terminal.
        as_json: Print JSON documents instead.
        keep: Let everything run after the result, until Ctrl-C.
    """
    # aiokafka logs every attempt to connect, which would disturb the view; serious problems are raised as errors.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    plain = headless or not sys.stdout.isatty() or Console().is_dumb_terminal
    view: View = JsonView() if as_json else PlainView() if plain else LiveView()
    # A shell starts a background job with SIGINT ignored; Ctrl-C must end the demo there too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = asyncio.run(perform(options, view, keep=keep))
    except (SandboxError, KafkaError) as error:
        sys.stderr.write(f"sms-bridge demo: {error}\n")
        return 1
    return 0 if result.ok else 1


async def perform(options: DemoOptions, view: View, *, keep: bool = False) -> VerificationResult:
    """Start everything, send, verify, and wait for Ctrl-C if it is kept.

    Everything that was started is stopped at the end, also after an error.
    """
    names, stats, timing = RunNames.make_unique("demo"), RunStats(options.messages), make_poll_timing(options.speed)
    async with AsyncExitStack() as stack:
        view.show_phase(f"Starting Apache Kafka {get_release().version}")
        servers = await stack.enter_async_context(sandbox())
        await stack.enter_async_context(manage_topics(servers, names))
        view.show_phase("Starting the bridge and both providers")
        system = await _start(stack, options, names, servers, timing)
        publish = await stack.enter_async_context(open_publisher(servers, names.sent))
        stack.callback(view.close)

        async def publish_sent(message: Message, event: bytes) -> None:
            await publish(message.message_id.encode(), event)

        def add_event(value: bytes) -> None:
            stats.add_event(orjson.loads(value), time.time())

        view.show_phase(
            f"Sending a sent event without an id, and {options.messages} messages, {options.rate:g} a second"
        )
        view.show_phase(f"Status page during the run: {system.bridge.status_page_url}")
        stats.start_clock()
        await publish(*make_unusable_event())
        messages = make_messages(options.messages, options.seed)
        sending = send_messages(messages, options.rate, system.providers, publish_sent, stats.expect)
        await _run_alongside(
            _send_and_wait(sending, system, stats, timing),
            read_events(servers, names.delivery, add_event),
            _read_metrics(system.bridge, stats),
            _update_view(view, stats),
        )
        stats.bridge_counts = await system.bridge.fetch_counts() or stats.bridge_counts
        result = verify(stats.expected, stats.events, stats.dead_letters)
        view.show_result(result, summarize(stats, result, options._asdict()))
        if keep:
            bridge = system.bridge
            view.show_kept(keep_run(bridge.environment, stats.events, bridge.status_page_url, bridge.folder))
            await wait_for_signal()
        return result


class _System(NamedTuple):
    providers: Mapping[str, Simulator]
    bridge: BridgeProcess


async def _start(
    stack: AsyncExitStack, options: DemoOptions, names: RunNames, servers: str, timing: PollTiming
) -> _System:
    """Start the providers, then the bridge; they are stopped in the opposite order."""
    folder = tempfile.TemporaryDirectory(prefix="sms-bridge-demo-", ignore_cleanup_errors=True)
    path = Path(stack.enter_context(folder))
    http_port, admin_port = claim_free_ports(2)
    secret = token_urlsafe(24)
    providers = {
        name: await stack.enter_async_context(
            Simulator(
                name,
                SimulatorOptions(
                    callback_url=f"http://{HOST}:{http_port}{make_callback_path(name, secret)}",
                    profile=PROFILES[options.profile],
                    seed=options.seed,
                    speed=options.speed,
                ),
            )
        )
        for name in PROVIDERS
    }
    urls = {name: provider.url for name, provider in providers.items()}
    addresses = Addresses(servers, urls, http_port, admin_port)
    bridge = BridgeProcess(make_environment(names, addresses, secret, timing, path), admin_port, path)
    await stack.enter_async_context(bridge)
    await bridge.wait_until_ready()
    return _System(providers, bridge)


async def _send_and_wait(
    sending: Coroutine[Any, Any, None], system: _System, stats: RunStats, timing: PollTiming
) -> None:
    """Send, then wait until every message has its expected final status, or until the time for that is over."""
    await sending
    try:
        async with asyncio.timeout(timing.give_up_after_ms / 1000 + GRACE_PERIOD_SECONDS):
            for provider in system.providers.values():
                await provider.wait_until_drained()
            await stats.wait_until_complete()
    except TimeoutError:
        pass  # the verification reports the messages that are still missing
    stats.stop_clock()
    await asyncio.sleep(QUIET_PERIOD_SECONDS)


async def _read_metrics(bridge: BridgeProcess, stats: RunStats) -> None:
    while True:
        stats.bridge_counts = await bridge.fetch_counts() or stats.bridge_counts
        await asyncio.sleep(METRICS_INTERVAL_SECONDS)


async def _update_view(view: View, stats: RunStats) -> None:
    while True:
        await asyncio.sleep(view.interval_seconds)
        view.show_progress(stats)


async def _run_alongside(main: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
    """Run the others until the main coroutine ends. The first error of any of them is raised, without a group."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(other) for other in others]
            await main
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
