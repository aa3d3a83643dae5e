"""The life of a process: in which order its parts start and stop, and what ends it."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

from bridge import __version__
from bridge.accounts import Accounts, build_accounts
from bridge.admin.admin import Admin
from bridge.admin.pending_ages import PendingAges
from bridge.admin.remedies import find_runbooks
from bridge.admin.status_api import StatusApi
from bridge.admin.status_snapshot import PartSnapshots, StatusCollector
from bridge.admin.token_guard import TokenGuard
from bridge.admin.topic_routes import make_topic_routes
from bridge.app.builder import PartBuilder
from bridge.app.listeners import ListenerBuilder
from bridge.app.roles import Role
from bridge.concurrency import stop_with_timeout
from bridge.http_server.listener import Listener
from bridge.intake.intake import Intake
from bridge.journal.offsets import open_journal
from bridge.kafka.clients import KafkaClients
from bridge.kafka.contact import Contact
from bridge.kafka.schema_registry import fetch_frame
from bridge.kafka.topics import prepare_topics, watch_topics
from bridge.observability.event_loop import EventLoopMonitor
from bridge.observability.logs import RecentNotices, ignore_lost_connections
from bridge.observability.metrics import Metrics
from bridge.observability.readiness import STARTED, Readiness
from bridge.observability.tracing import configure_tracing
from bridge.poller.client import ProviderClient
from bridge.poller.poller import Poller
from bridge.receiver.receiver import Receiver
from bridge.settings.model import Settings
from bridge.tracker.id_hints import IdHints
from bridge.tracker.standby import Standby
from bridge.tracker.tracker import Tracker

DRAIN_TIMEOUT = 8.0
"""Seconds for what was accepted to reach Kafka when the process is told to end."""

OUTSIDE_GROUP = "Kafka doesn't answer, it is outside its consumer group, or the group is being rebalanced"

log = structlog.get_logger(__name__)


class App:
    """One process of the service.

    Args:
        settings: How it is set up.
        roles: What it does.
        notices: The log's last warnings and errors, for the status page.
    """

    def __init__(self, settings: Settings, roles: frozenset[Role], notices: RecentNotices) -> None:
        self._settings, self._roles, self._notices = settings, roles, notices
        self._accounts: Accounts = build_accounts(settings)
        self._kafka = KafkaClients(settings.kafka)
        self._metrics = Metrics(_make_registry())
        self._tracing = configure_tracing(os.environ, __version__)
        self._listeners = ListenerBuilder(settings, self._metrics.process, self._kafka.certificates)
        self._readiness = Readiness(self._metrics.process.part_ready)
        self._event_loop = EventLoopMonitor(self._metrics.process.event_loop_delay)
        self._started = False
        self._tasks: list[asyncio.Task[None]] = []
        self._readiness.add(STARTED, lambda: self._started, "it is still starting")

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain.

        Raises:
            ConfigurationError: It can't start as it is set up.
            Exception: A part failed for good.
        """
        asyncio.get_running_loop().set_exception_handler(ignore_lost_connections)
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        waiting = asyncio.create_task(ended.wait())
        async with AsyncExitStack() as stack:
            starting = asyncio.create_task(self._start(stack))
            await asyncio.wait([waiting, starting], return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.wait([starting])
                return
            starting.result()
            self._started = True
            _collect_garbage_rarely()
            log.info("started", version=__version__, roles=[role.value for role in sorted(self._roles)])
            done, _ = await asyncio.wait([waiting, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            log.info("stopping")
        waiting.cancel()
        for task in done - {waiting}:
            task.result()
        log.info("stopped")

    async def _start(self, stack: AsyncExitStack) -> None:
        """Build the parts, then start them. They stop in the opposite order: what takes things in stops first."""
        settings, roles = self._settings, self._roles
        stack.push_async_callback(asyncio.to_thread, self._tracing.close)
        limits = await prepare_topics(self._kafka, settings.topics, create=settings.kafka.create_topics)
        await open_journal(self._kafka, settings.kafka.tracker_group, settings.topics, limits.journal_partitions)
        builder = PartBuilder(
            settings,
            self._accounts,
            roles,
            kafka=self._kafka,
            limits=limits,
            metrics=self._metrics,
            tracing=self._tracing,
        )
        poller = builder.build_poller(await stack.enter_async_context(ProviderClient()))
        admin = await self._open_admin_client(stack)
        tracker, standby = await self._build_tracker(stack, builder, poller, admin)
        intake = builder.build_intake(admin) if Role.INTAKE in roles else None
        receiver = builder.build_receiver() if Role.RECEIVE in roles else None

        await self._start_admin(stack, builder, _collect_snapshots(builder, poller, intake, receiver))
        # Before anything joins a group: a port that is taken must not cost the other processes a rebalance.
        public = self._listeners.build_public_listener(receiver.handle) if receiver else None
        if public:
            stack.callback(public.close)
        await stack.enter_async_context(self._task(self._event_loop.run()))
        await stack.enter_async_context(self._task(watch_topics(self._kafka, settings.topics, limits)))
        await builder.producer.start()
        stack.push_async_callback(builder.producer.stop, DRAIN_TIMEOUT)
        contacts = builder.build_contacts(tracker, intake, receiver)
        for contact in contacts.values():
            await stack.enter_async_context(self._task(contact.watch()))
        await self._start_parts(
            stack, builder, contacts, tracker=tracker, poller=poller, intake=intake, receiver=receiver, public=public
        )
        if standby:
            await stack.enter_async_context(self._task(standby.run()))

    async def _build_tracker(
        self, stack: AsyncExitStack, builder: PartBuilder, poller: Poller, admin: Any
    ) -> tuple[Tracker | None, Standby | None]:
        if Role.TRACK not in self._roles:
            return None, None
        frame = await fetch_frame(self._settings.topics, self._settings.registry)
        store = builder.build_store()
        stack.callback(store.close)
        stack.push_async_callback(builder.source_reader.close)
        return builder.build_tracker(store, poller, admin, frame), builder.build_standby(store, admin)

    async def _start_parts(
        self,
        stack: AsyncExitStack,
        builder: PartBuilder,
        contacts: Mapping[str, Contact],
        *,
        tracker: Tracker | None,
        poller: Poller,
        intake: Intake | None,
        receiver: Receiver | None,
        public: Listener | None,
    ) -> None:
        """Start what does the process's work, and make readiness depend on it."""
        if tracker:
            self._depend_on("tracker", contacts, lambda: tracker.joined, f"{OUTSIDE_GROUP}; nothing is published")
            await stack.enter_async_context(self._task(tracker.run()))
            await stack.enter_async_context(self._task(poller.run()))
            id_forms = {one.full_name: one.name_variable("ID_FORM") for one in self._accounts.values()}
            await stack.enter_async_context(self._task(IdHints(builder.owned, id_forms).run()))
        if intake:
            self._depend_on("intake", contacts, lambda: intake.joined, f"{OUTSIDE_GROUP}; sent events wait")
            await stack.enter_async_context(self._task(intake.run()))
        if receiver and public:
            why = "Kafka accepts nothing; callbacks are answered with 503"
            self._depend_on("receiver", contacts, lambda: receiver.ready, why)
            await stack.enter_async_context(public)
        if watcher := self._listeners.build_certificate_watcher():
            await stack.enter_async_context(self._task(watcher.run()))

    def _depend_on(self, part: str, contacts: Mapping[str, Contact], check: Callable[[], bool], why: str) -> None:
        self._readiness.add(part, check, why, is_connected=lambda: contacts[part].connected)

    async def _start_admin(self, stack: AsyncExitStack, builder: PartBuilder, parts: PartSnapshots) -> None:
        """Listen on the admin port: probes, metrics and the status page, before anything else works."""
        events = builder.build_events()
        providers = (account.provider for account in self._accounts.values())
        ages = PendingAges(builder.owned, providers, self._metrics.partitions.attempts_pending)
        collector = StatusCollector(
            self._roles,
            self._accounts,
            readiness=self._readiness,
            owned=builder.owned,
            parts=parts,
            ages=ages,
            event_loop=self._event_loop,
            notices=self._notices,
        )
        status = StatusApi(collector, events, find_runbooks(self._settings.admin.runbook_base))
        routes = {**status.routes, **make_topic_routes(self._settings, builder.privacy)}
        owned = builder.owned if Role.TRACK in self._roles else None
        guard = TokenGuard(self._settings.admin.token, self._metrics.process.admin_tokens_refused)
        admin = Admin(self._metrics.registry, self._readiness, owned, routes, guard)
        await stack.enter_async_context(self._listeners.build_admin_listener(admin.handle))
        stack.push_async_callback(events.close)  # before the listener, which waits for its answers' ends
        await stack.enter_async_context(self._task(collector.rates.run()))
        await stack.enter_async_context(self._task(ages.run()))

    async def _open_admin_client(self, stack: AsyncExitStack) -> Any:
        admin = await self._kafka.admin()
        stack.push_async_callback(lambda: stop_with_timeout(admin.close(), "admin client"))
        return admin

    @asynccontextmanager
    async def _task(self, work: Coroutine[None, None, None]) -> AsyncIterator[None]:
        """Run something beside the rest; when it ends by itself, the process ends."""
        task = asyncio.create_task(work)
        self._tasks.append(task)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


def _collect_snapshots(
    builder: PartBuilder, poller: Poller, intake: Intake | None, receiver: Receiver | None
) -> PartSnapshots:
    parts = PartSnapshots(
        deliveries_published=builder.batch_metrics.snapshot,
        dead_letters_written=builder.dead_letters.snapshot,
        polling=poller.snapshot,
    )
    if intake:
        parts = parts._replace(sent_accepted=intake.snapshot)
    if receiver:
        parts = parts._replace(callbacks_received=receiver.snapshot)
    return parts


def _collect_garbage_rarely() -> None:
    """Look for cycles less often: a batch makes thousands of tuples, and looking took a sixth of its time."""
    gc.collect()
    gc.freeze()  # what a start leaves behind stays for good
    gc.set_threshold(50_000, 20, 50)


def _make_registry() -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
