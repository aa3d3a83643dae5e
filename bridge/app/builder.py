"""Builds the parts of a process and hands each what it needs. Nothing is started here."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from bridge.accounts import Accounts, compute_lifetimes
from bridge.admin.event_stream import EventStream
from bridge.app.roles import Role
from bridge.clock import SteadyClock, now_ms
from bridge.core.schedule import Schedule
from bridge.dead_letters import DeadLetters
from bridge.intake.field_mapping import list_known_paths, list_recipient_members
from bridge.intake.intake import Intake, SentSource
from bridge.intake.sent_parser import make_sent_parser
from bridge.journal.writer import JournalWriter
from bridge.kafka.batching_producer import BatchingProducer
from bridge.kafka.clients import KafkaClients
from bridge.kafka.contact import Contact, ContactRules, make_contacts
from bridge.kafka.topic_limits import TopicLimits
from bridge.observability.metrics import Metrics
from bridge.observability.tracing import Tracing
from bridge.poller.account_poller import AccountPoller
from bridge.poller.client import ProviderClient
from bridge.poller.poller import Poller
from bridge.poller.report_writer import ReportWriter
from bridge.privacy import Privacy
from bridge.receiver.callback_records import CallbackRecorder
from bridge.receiver.clock_skew import ProviderClocks
from bridge.receiver.receiver import Receiver
from bridge.settings.model import Settings
from bridge.state.ownership import OwnedPartitions
from bridge.state.store import Store
from bridge.tracker.batch_metrics import BatchMetrics
from bridge.tracker.dead_letter_records import DeadLetterRecords
from bridge.tracker.delivery_records import DeliveryRecords, TopicTarget
from bridge.tracker.publisher import Publisher
from bridge.tracker.recovery import Recovery
from bridge.tracker.source_reader import SourceReader
from bridge.tracker.standby import Standby
from bridge.tracker.timers import TimerRules
from bridge.tracker.tracker import Tracker
from bridge.tracker.transaction import TransactionTarget
from bridge.tracker.worker import PartitionWorker


class PartBuilder:
    """Builds the parts of one process.

    Args:
        settings: How the process is set up.
        accounts: The accounts that the settings name.
        roles: What the process does.
        kafka: Makes clients.
        limits: What the topics have and take.
        metrics: The process's metrics.
        tracing: Makes spans.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        roles: Iterable[Role],
        *,
        kafka: KafkaClients,
        limits: TopicLimits,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        self._settings, self._accounts, self._roles = settings, accounts, frozenset(roles)
        self._kafka, self._limits, self._metrics, self._tracing = kafka, limits, metrics, tracing
        known_paths = list_known_paths(settings.sent).union(*(one.dialect.known_paths for one in accounts.values()))
        self.privacy = Privacy(settings.privacy, list_recipient_members(settings.sent), known_paths)
        self._clock = SteadyClock()
        self.owned = OwnedPartitions(limits.journal_partitions, metrics.partitions)
        self.dead_letters = DeadLetters(
            settings.topics.dead_letter,
            limits.dead_letter_partitions,
            limits.dead_letter_max_bytes,
            self.privacy,
            metrics.process.dead_letters_written,
        )
        self.producer = BatchingProducer(kafka, metrics.process.append_records.observe)
        self._journal = JournalWriter(
            self.producer, settings.topics.journal, limits.journal_partitions, limits.max_message_bytes
        )
        self.source_reader = SourceReader(kafka)
        self.batch_metrics = BatchMetrics(
            metrics.tracker, metrics.attempts, metrics.intake.sent_skipped, self.dead_letters
        )

    def build_events(self) -> EventStream:
        """The live events of the status page."""
        return EventStream(self._kafka, self._settings.topics.delivery, self._limits.delivery_partitions)

    def build_store(self) -> Store:
        """The cache of attempts.

        Raises:
            ConfigurationError: Its folder can't be used.
        """
        is_polled = Role.POLL in self._roles
        ages = {account.full_name: account.poll_ages for account in self._accounts.values() if is_polled}
        return Store(self._settings.state.directory, Schedule(self._settings.follow.to_policy(), ages))

    def build_poller(self, client: ProviderClient) -> Poller:
        """The pollers of all accounts that are polled; none without the role."""
        pollers = {
            account.full_name: AccountPoller(
                account,
                account.polls,
                owned=self.owned,
                client=client,
                writer=ReportWriter(self._journal, self.privacy, account.dialect.known_paths),
                metrics=self._metrics.poller,
                clock=self._clock,
            )
            for account in self._accounts.values()
            if account.polls and Role.POLL in self._roles
        }
        return Poller(pollers, self._clock)

    def build_tracker(self, store: Store, poller: Poller, admin: Any, frame: bytes) -> Tracker:
        """The tracker.

        Args:
            store: The cache of attempts.
            poller: Is asked whether a poll must come before a deadline.
            admin: Looks up committed offsets.
            frame: What stands before the value of every event.
        """
        topics, group = self._settings.topics, self._settings.kafka.tracker_group
        publisher = Publisher(
            TransactionTarget(topics.journal, topics.state, group),
            deliveries=self._build_delivery_records(frame),
            dead_letters=DeadLetterRecords(self.source_reader, self.dead_letters),
            batch_metrics=self.batch_metrics,
            metrics=self._metrics.tracker,
            tracing=self._tracing,
        )
        start_worker = partial(
            PartitionWorker,
            recovery=Recovery(
                self._kafka,
                admin,
                group,
                topics=topics,
                limits=self._limits,
                lifetimes=compute_lifetimes(self._accounts, self._settings.sent, self._settings.follow.max_follow),
                metrics=self._metrics.store,
            ),
            publisher=publisher,
            timer_rules=TimerRules(self._clock, poller.has_pending_poll, self._settings.follow.park_max),
            policy=self._settings.follow.to_policy(),
            metrics=self._metrics.tracker,
        )
        return Tracker(self._kafka, group, topics.journal, store=store, owned=self.owned, start_worker=start_worker)

    def build_standby(self, store: Store, admin: Any) -> Standby | None:
        """What keeps other processes' caches; None if settings say so.

        Args:
            store: The cache of attempts.
            admin: Looks up committed offsets.
        """
        if self._settings.state.standby == "none":
            return None
        return Standby(
            self._kafka,
            admin,
            self._settings.kafka.tracker_group,
            topics=self._settings.topics,
            limits=self._limits,
            store=store,
            owned=self.owned,
            metrics=self._metrics.store,
        )

    def _build_delivery_records(self, frame: bytes) -> DeliveryRecords:
        topics, limits = self._settings.topics, self._limits
        delivery = TopicTarget(topics.delivery, limits.delivery_partitions)
        latest = TopicTarget(topics.latest, limits.latest_partitions) if topics.latest else None
        return DeliveryRecords(delivery, latest, self._settings.event_source, limits.max_event_age_ms, frame)

    def build_intake(self, admin: Any) -> Intake:
        """The intake.

        Args:
            admin: Looks up committed offsets.
        """
        settings = self._settings
        return Intake(
            self._kafka,
            admin,
            SentSource(settings.kafka.intake_group, settings.topics.sent, self._choose_start),
            make_sent_parser(settings, self._accounts, self.privacy),
            journal=self._journal,
            dead_letters=self.dead_letters,
            metrics=self._metrics.intake,
            tracing=self._tracing,
        )

    def _choose_start(self) -> str | int:
        start = self._settings.sent.start
        if start != "horizon":
            return start
        return now_ms() - max(account.give_up_after_ms for account in self._accounts.values())

    def build_receiver(self) -> Receiver:
        """The receiver."""
        clocks = ProviderClocks(self._metrics.receiver)
        return Receiver(
            self._accounts,
            self._settings.http,
            journal=self._journal,
            recorder=CallbackRecorder(self._journal, self.dead_letters, self.privacy, clocks),
            metrics=self._metrics.receiver,
            tracing=self._tracing,
        )

    def build_contacts(
        self, tracker: Tracker | None, intake: Intake | None, receiver: Receiver | None
    ) -> dict[str, Contact]:
        """How each part hears from Kafka; the receiver and the poller do by the producer."""
        rules: dict[str, ContactRules] = {}
        if tracker:
            rules["tracker"] = ContactRules(tracker.ask_kafka)
        if intake:
            rules["intake"] = ContactRules(intake.ask_kafka)
        if receiver:
            rules["receiver"] = ContactRules(
                self.producer.ask_kafka, lambda: self.producer.stuck, receiver.count_refused
            )
        return make_contacts(rules, self._metrics.process.kafka_connected)
