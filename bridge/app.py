"""The only place where parts are wired together: what runs for which role, in which order it starts and stops."""

import asyncio
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

from bridge import __version__
from bridge.accounts import Accounts, build_accounts
from bridge.admin.admin import Admin
from bridge.admin.event_stream import EventStream
from bridge.admin.status_api import StatusApi
from bridge.admin.trace_lookup import make_trace_lookup
from bridge.clock import SteadyClock
from bridge.concurrency import stop_with_timeout
from bridge.core.schedule import Schedule
from bridge.dead_letters import DeadLetters
from bridge.http_server import Listener
from bridge.intake.field_mapping import recipient_members
from bridge.intake.intake import Intake
from bridge.intake.sent_parser import SentParser
from bridge.journal.offsets import open_journal
from bridge.journal.writer import JournalWriter
from bridge.kafka.batching_producer import BatchingProducer
from bridge.kafka.clients import KafkaClients
from bridge.kafka.schema_registry import fetch_frame
from bridge.kafka.topics import TopicLimits, prepare_topics
from bridge.observability.logs import ignore_lost_connections
from bridge.observability.metrics import Metrics
from bridge.observability.tracing import configure_tracing
from bridge.poller.account_poller import Means
from bridge.poller.client import ProviderClient
from bridge.poller.poller import Poller
from bridge.privacy import Privacy
from bridge.receiver.receiver import Receiver
from bridge.settings.model import PREFIX, Settings
from bridge.state.store import Store
from bridge.tracker.delivery_records import DeliveryRecords, TopicTarget
from bridge.tracker.tracker import Tracker
from bridge.tracker.worker import Duties

DRAIN_WITHIN = 8.0
"""Seconds for what was accepted to reach Kafka when the process is told to end."""

OUTSIDE = "it is outside its consumer group, or the group is sharing out its partitions anew"

log = structlog.get_logger(__name__)


class Role(StrEnum):
    """What a process does. Polls need the state, so that they are asked where it is tracked."""

    INTAKE = "intake"
    RECEIVE = "receive"
    TRACK = "track"
    POLL = "poll"


class App:
    """One process of the service."""

    def __init__(self, settings: Settings, roles: frozenset[Role]) -> None:
        self._settings, self._roles = settings, roles
        self._accounts: Accounts = build_accounts(settings)
        self._kafka = KafkaClients(settings.kafka)
        self._metrics = Metrics(_registry())
        self._privacy = Privacy(settings.privacy, recipient_members(settings.sent))
        self._tracing = configure_tracing(os.environ, __version__)
        self._started = False
        self._parts: dict[str, tuple[Callable[[], bool], str]] = {}
        self._details: dict[str, Callable[[], object]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._depends_on("started", lambda: self._started, "it still starts")

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
            _collect_rarely()
            log.info("started", version=__version__, roles=[role.value for role in sorted(self._roles)])
            done, _ = await asyncio.wait([waiting, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            log.info("stopping")
        waiting.cancel()
        for task in done - {waiting}:
            task.result()
        log.info("stopped")

    async def _start(self, stack: AsyncExitStack) -> None:
        """Start the parts. They stop in the opposite order, so that what takes things in stops first."""
        settings = self._settings
        stack.push_async_callback(asyncio.to_thread, self._tracing.close)
        partitions = await prepare_topics(self._kafka, settings)
        if Role.TRACK in self._roles:
            await open_journal(self._kafka, settings, partitions.journal)
            self._outlet = await _outlet(settings, partitions)
        letters = DeadLetters(
            settings.topics.dead_letter, partitions.dead_letter, partitions.dead_letter_bytes, self._privacy
        )
        page = await self._show(stack, partitions)
        await stack.enter_async_context(self._task(self._measure_delay()))
        appender = BatchingProducer(self._kafka, self._metrics.append_records.observe)
        await appender.start()
        stack.push_async_callback(appender.stop, DRAIN_WITHIN)
        journal = JournalWriter(appender, settings.topics.journal, partitions.journal)
        if Role.TRACK in self._roles:
            await self._track(stack, partitions, letters, journal, page)
        if Role.INTAKE in self._roles:
            await self._take_in(stack, letters, journal)
        if Role.RECEIVE in self._roles:
            await self._receive(stack, letters, journal)

    async def _show(self, stack: AsyncExitStack, partitions: TopicLimits) -> StatusApi:
        """Listen for whoever looks at this process."""
        settings, at = self._settings, self._settings.admin
        feed = EventStream(self._kafka, settings.topics.delivery, partitions.delivery)
        page = StatusApi(
            self._metrics,
            self._accounts,
            self._roles,
            self._parts,
            feed=feed,
            look=make_trace_lookup(settings),
            partitions=partitions.journal,
        )
        admin = Admin(self._metrics.registry, self._is_ready, self._told, page.routes, at.token)
        listener = Listener(admin.handle, at.host, at.port, setting=f"{PREFIX}ADMIN__PORT {at.port}")
        await stack.enter_async_context(listener)
        stack.push_async_callback(feed.close)  # before the listener, which waits for its answers' ends
        await stack.enter_async_context(self._task(page.samples.run()))
        await stack.enter_async_context(self._task(page.pending.run()))
        return page

    async def _track(
        self,
        stack: AsyncExitStack,
        partitions: TopicLimits,
        letters: DeadLetters,
        journal: JournalWriter,
        page: StatusApi,
    ) -> None:
        settings = self._settings
        admin = await self._admin(stack)
        clock, polled = SteadyClock(), Role.POLL in self._roles
        ages = {a.full_name: a.poll_ages for a in self._accounts.values() if polled}
        timetable = Schedule(settings.follow.policy(), ages)
        store = Store(settings.state.directory, timetable)
        stack.callback(store.close)
        client = await stack.enter_async_context(ProviderClient())
        poller = Poller(
            self._accounts if polled else {},
            Means(
                workers=lambda: tuple(tracker.workers.values()),
                partitions=partitions.journal,
                client=client,
                journal=journal,
                privacy=self._privacy,
                metrics=self._metrics,
                clock=clock,
            ),
        )
        duties = Duties(
            kafka=self._kafka,
            admin=admin,
            group=f"{settings.kafka.group_id}.tracker",
            topics=settings.topics,
            partitions=partitions,
            timetable=timetable,
            park_max=settings.follow.park_max,
            outlet=self._outlet,
            letters=letters,
            metrics=self._metrics,
            tracing=self._tracing,
            clock=clock,
            owed=poller.owed,
        )
        tracker = Tracker(duties, store)
        await stack.enter_async_context(self._task(tracker.run()))
        await stack.enter_async_context(self._task(poller.run()))
        page.workers = lambda: tuple(tracker.workers.values())
        self._depends_on("tracker", lambda: tracker.joined, f"{OUTSIDE}; nothing is published")
        self._details["restoring"] = lambda: sorted(w.number for w in tracker.workers.values() if not w.restored)

    async def _take_in(self, stack: AsyncExitStack, letters: DeadLetters, journal: JournalWriter) -> None:
        settings = self._settings
        reader = SentParser(settings.sent, self._accounts, self._privacy, settings.follow.max_follow)
        intake = Intake(
            self._kafka,
            admin=await self._admin(stack),
            group=f"{settings.kafka.group_id}.intake",
            topics=settings.topics.sent,
            reader=reader,
            journal=journal,
            letters=letters,
            start=self._intake_start,
            metrics=self._metrics,
            tracing=self._tracing,
        )
        await stack.enter_async_context(self._task(intake.run()))
        self._depends_on("intake", lambda: intake.ready, f"{OUTSIDE}; sent events wait")

    def _intake_start(self) -> str | int:
        start = self._settings.sent.start
        if start != "horizon":
            return start
        return int(time.time() * 1000) - max(account.give_up_after for account in self._accounts.values())

    async def _receive(self, stack: AsyncExitStack, letters: DeadLetters, journal: JournalWriter) -> None:
        http = self._settings.http
        receiver = Receiver(
            self._accounts,
            http,
            journal=journal,
            letters=letters,
            privacy=self._privacy,
            metrics=self._metrics,
            tracing=self._tracing,
        )
        self._depends_on("receiver", lambda: journal.ready, "Kafka takes nothing; callbacks are answered with 503")
        listener = Listener(
            receiver.handle,
            http.host,
            http.port,
            setting=f"{PREFIX}HTTP__PORT {http.port}",
            tls_cert=http.tls_cert,
            tls_key=http.tls_key,
        )
        await stack.enter_async_context(listener)

    async def _admin(self, stack: AsyncExitStack) -> AIOKafkaAdminClient:
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

    def _depends_on(self, part: str, check: Callable[[], bool], otherwise: str) -> None:
        """Make readiness depend on a part, and tell of it: what it means when it isn't ready."""
        self._parts[part] = (check, otherwise)
        self._metrics.part_ready.labels(part).set_function(check)

    def _is_ready(self) -> Mapping[str, bool]:
        return {name: check() for name, (check, _) in self._parts.items()}

    def _told(self) -> Mapping[str, object]:
        return {name: tell() for name, tell in self._details.items()}

    async def _measure_delay(self) -> None:
        while True:
            started = time.monotonic()
            await asyncio.sleep(1)
            self._metrics.event_loop_delay.set(max(0, time.monotonic() - started - 1))


def _collect_rarely() -> None:
    """Look for cycles less often: a batch makes thousands of tuples, and looking took a sixth of its time."""
    gc.collect()
    gc.freeze()  # what a start leaves behind stays for good
    gc.set_threshold(50_000, 20, 50)


async def _outlet(settings: Settings, partitions: TopicLimits) -> DeliveryRecords:
    topics = settings.topics
    latest = TopicTarget(topics.latest, partitions.latest) if topics.latest else None
    return DeliveryRecords(
        TopicTarget(topics.delivery, partitions.delivery), latest, settings.event_source, await fetch_frame(settings)
    )


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
