"""Every metric of the service, a group per role. Labels are limited sets, never ids. Durations are in seconds."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.utils import INF

from bridge import __version__
from bridge.observability.histogram import BatchHistogram

PREFIX = "sms_bridge"
QUICK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, INF)
SLOW_BUCKETS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, INF)
COUNT_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000, INF)
DELIVERY_BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 900, 1800, 3600, 14400, 43200, 86400, 172800, INF)


class _Group:
    """Makes the metrics of one role in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def __iter__(self) -> Iterator[Counter | Gauge | Histogram]:
        return (metric for metric in vars(self).values() if isinstance(metric, Counter | Gauge | Histogram))

    def _counter(self, name: str, help_text: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(f"{PREFIX}_{name}", help_text, labels, registry=self._registry)

    def _gauge(self, name: str, help_text: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", help_text, labels, registry=self._registry)

    def _histogram(
        self, name: str, help_text: str, labels: Iterable[str], buckets: tuple[float, ...]
    ) -> BatchHistogram:
        return BatchHistogram(f"{PREFIX}_{name}", help_text, labels, buckets=buckets, registry=self._registry)


class IntakeMetrics(_Group):
    """What the intake does with records of `sms.sent`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.sent_accepted = self._counter("sent_accepted", "sms.sent records written to the journal", ["provider"])
        self.sent_skipped = self._counter("sent_skipped", "sms.sent records skipped, by reason", ["reason"])
        self.sent_members_ignored = self._counter(
            "sent_members_ignored",
            "Optional members of sms.sent that could not be used; sent_at: the record's timestamp was taken",
            ["member"],
        )


class ReceiverMetrics(_Group):
    """What the receiver does with callbacks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.callbacks_received = self._counter("callbacks_received", "Callbacks, by outcome", ["provider", "outcome"])
        self.callback_duration = self._histogram(
            "callback_duration", "Seconds from a callback's request to its answer", ["provider"], QUICK_BUCKETS
        )
        self.callbacks_in_flight = self._gauge("callbacks_in_flight", "Callbacks being answered")
        self.provider_clock_skew = self._gauge(
            "provider_clock_skew_seconds",
            "Provider's time minus our time, of the last callback, in seconds",
            ["provider"],
        )
        self.provider_times_unread = self._counter(
            "provider_times_unread", "Reports whose time is in a form that can't be read", ["provider"]
        )


class PollerMetrics(_Group):
    """What the poller learns from providers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.polls_completed = self._counter("polls_completed", "Polls, by outcome", ["provider", "outcome"])
        self.poll_duration = self._histogram("poll_duration", "Seconds that a poll takes", ["provider"], QUICK_BUCKETS)
        self.poll_lateness = self._histogram(
            "poll_lateness", "Seconds from when a poll is due until it is sent", ["provider"], SLOW_BUCKETS
        )
        self.polls_due = self._gauge("polls_due", "Polls that are due and not yet sent", ["provider"])
        self.circuit_open = self._gauge(
            "circuit_open", "1 while polling of an account is paused", ["provider", "account"]
        )
        self.credentials_refused = self._gauge(
            "credentials_refused", "1 while a provider refuses an account's credentials", ["provider", "account"]
        )


class StoreMetrics(_Group):
    """How the cache of attempts is brought up to date."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.caches_rebuilt = self._counter("caches_rebuilt", "Partition caches rebuilt from nothing", ["cause"])
        self.restore_duration = self._histogram(
            "restore_duration", "Seconds to bring a partition's cache up to date", [], SLOW_BUCKETS
        )
        self.standby_entries_remaining = self._gauge(
            "standby_entries_remaining",
            "States still to be read into the cache of a partition that another process owns",
            ["partition"],
        )
        self.restore_entries_remaining = self._gauge(
            "restore_entries_remaining", "States still to be read into the cache"
        )


class TrackerMetrics(_Group):
    """What the tracker folds and publishes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.reports_folded = self._counter(
            "reports_folded", "Reports folded, by what they changed", ["provider", "source", "outcome"]
        )
        self.deliveries_published = self._counter(
            "deliveries_published", "Events published to sms.delivery", ["provider", "account", "status", "source"]
        )
        self.corrections_published = self._counter(
            "corrections_published", "Events that correct a final event", ["provider", "account"]
        )
        self.failures_published = self._counter(
            "failures_published", "Final events of messages not delivered, by reason", ["provider", "account", "reason"]
        )
        self.transactions_completed = self._counter("transactions_completed", "Kafka transactions", ["outcome"])
        self.workers_restarted = self._counter("workers_restarted", "Partition workers restarted, by cause", ["cause"])
        self.delivery_latency = self._histogram(
            "delivery_latency",
            "Seconds from sent to final status",
            ["provider", "account", "status"],
            DELIVERY_BUCKETS,
        )
        self.publish_delay = self._histogram(
            "publish_delay", "Seconds from a report's arrival until its event is committed", [], QUICK_BUCKETS
        )
        self.transaction_duration = self._histogram(
            "transaction_duration", "Seconds from begin to commit of a transaction", [], QUICK_BUCKETS
        )
        self.transaction_entries = self._histogram(
            "transaction_entries", "Journal entries folded in a transaction", [], COUNT_BUCKETS
        )


class AttemptMetrics(_Group):
    """What becomes of attempts. Each counts once when it begins and once when it ends."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.attempts_started = self._counter(
            "attempts_started",
            "Attempts that the tracker began to follow, by how long ago they were sent then",
            ["provider", "account", "age"],
        )
        self.attempts_ended = self._counter(
            "attempts_ended",
            "Attempts whose status became final, by how long ago they were sent then; corrections are not counted",
            ["provider", "account", "age", "outcome"],
        )
        self.network_attempts_ended = self._counter(
            "network_attempts_ended",
            "Attempts whose status became final, by the network that the provider reported; "
            "networks beyond the first 100 of a provider are `other`",
            ["provider", "network", "outcome"],
        )
        self.attempts_priced = self._counter(
            "attempts_priced", "Attempts with whose final status the provider reported a price", ["provider", "account"]
        )
        self.price_charged = self._counter(
            "price_charged",
            "Sum of the prices that providers report with final statuses: in their currency, per message or part",
            ["provider", "account"],
        )


class PartitionMetrics(_Group):
    """What the partitions of this process hold, and how far they are."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.attempts_followed = self._gauge("attempts_followed", "Attempts without a final status", ["provider"])
        self.attempts_pending = self._gauge(
            "attempts_pending",
            "Attempts without a final status, by age; a sample of the nearest deadlines",
            ["provider", "age"],
        )
        self.parked_reports = self._gauge("parked_reports", "Attempts with reports but no sms.sent record yet")
        self.oldest_followed_age = self._gauge(
            "oldest_followed_age_seconds", "Age of the attempt whose deadline is nearest", ["provider"]
        )
        self.journal_lag_entries = self._gauge("journal_lag_entries", "Journal entries not yet folded", ["partition"])
        self.journal_lag_seconds = self._gauge(
            "journal_lag_seconds", "Age of the last folded entry while behind, in seconds", ["partition"]
        )
        self.partitions_silent = self._gauge(
            "partitions_silent", "Journal partitions of this process whose broker doesn't answer it"
        )
        self.partitions_assigned = self._gauge("partitions_assigned", "Journal partitions of this process")
        self.journal_partitions = self._gauge("journal_partitions", "Partitions that the journal has")


class ProcessMetrics(_Group):
    """What concerns the whole process, whatever its roles."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.dead_letters_written = self._counter("dead_letters_written", "Dead letters, by reason", ["reason"])
        self.append_records = self._histogram("append_records", "Records sent to Kafka in one batch", [], COUNT_BUCKETS)
        self.part_ready = self._gauge("part_ready", "1 while a part that readiness depends on is ready", ["part"])
        self.kafka_connected = self._gauge("kafka_connected", "1 while Kafka answers a part of the process", ["part"])
        self.http_connections = self._gauge("http_connections", "Open connections, by port", ["listener"])
        self.http_connections_closed = self._counter(
            "http_connections_closed", "Connections that were closed early, by reason", ["listener", "reason"]
        )
        self.admin_tokens_refused = self._counter("admin_tokens_refused", "Requests with a wrong admin token")
        self.event_loop_delay = self._gauge("event_loop_delay_seconds", "How late the event loop ran a timer")
        self.certificate_expiry = self._gauge(
            "certificate_expiry_timestamp_seconds",
            "When a loaded certificate expires, as a Unix timestamp, by the setting of its file",
            ["setting"],
        )
        self.build_info = self._gauge("build_info", "1, labelled with the version", ["version"])
        self.build_info.labels(__version__).set(1)


class Metrics:
    """What the on-call engineer sees: each part is handed the group of its role."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.intake = IntakeMetrics(registry)
        self.receiver = ReceiverMetrics(registry)
        self.poller = PollerMetrics(registry)
        self.store = StoreMetrics(registry)
        self.tracker = TrackerMetrics(registry)
        self.attempts = AttemptMetrics(registry)
        self.partitions = PartitionMetrics(registry)
        self.process = ProcessMetrics(registry)

    def __iter__(self) -> Iterator[Counter | Gauge | Histogram]:
        return (metric for group in vars(self).values() if isinstance(group, _Group) for metric in group)
