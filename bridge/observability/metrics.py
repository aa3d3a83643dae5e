"""Every metric of the service, as one table. Labels are closed sets, never ids. Parts are handed an instance."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.utils import INF

from bridge import __version__

PREFIX = "sms_bridge"
_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, INF)
_SLOW = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, INF)
_COUNT = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, INF)
_DELIVERY = (1, 2, 5, 10, 30, 60, 120, 300, 900, 1800, 3600, 14400, 43200, 86400, 172800, INF)


class Metrics:
    """What the on-call engineer sees. Durations in seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        def counter(name: str, text: str, labels: Iterable[str] = ()) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, labels: Iterable[str] = ()) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, labels: Iterable[str], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=registry)

        self.sent_accepted = counter("sent_accepted", "Sent events put into the journal", ["provider"])
        self.sent_skipped = counter("sent_skipped", "Sent events that are none of ours, or known already", ["reason"])
        self.callbacks_received = counter(
            "callbacks_received", "Callbacks by what became of them", ["provider", "outcome"]
        )
        self.polls_completed = counter("polls_completed", "Polls by what came back", ["provider", "outcome"])
        self.reports_folded = counter(
            "reports_folded", "Reports by what they changed", ["provider", "source", "outcome"]
        )
        self.deliveries_published = counter(
            "deliveries_published", "Events of sms.delivery", ["provider", "status", "source"]
        )
        self.corrections_published = counter("corrections_published", "Events that overrule a final one", ["provider"])
        self.failures_published = counter(
            "failures_published", "Final events of what wasn't delivered, by why", ["provider", "reason"]
        )
        self.dead_letters_written = counter("dead_letters_written", "Dead letters", ["reason"])
        self.transactions_completed = counter("transactions_completed", "Kafka transactions", ["outcome"])
        self.workers_restarted = counter("workers_restarted", "Partition workers begun again", ["cause"])
        self.caches_rebuilt = counter("caches_rebuilt", "Caches of a partition built anew", ["cause"])

        self.delivery_latency = histogram(
            "delivery_latency", "From sent to final, in seconds", ["provider", "status"], _DELIVERY
        )
        self.callback_duration = histogram(
            "callback_duration", "A callback, from request to answer, in seconds", ["provider"], _QUICK
        )
        self.poll_duration = histogram("poll_duration", "A poll, in seconds", ["provider"], _QUICK)
        self.poll_lateness = histogram("poll_lateness", "From due to asked, in seconds", ["provider"], _SLOW)
        self.publish_delay = histogram(
            "publish_delay", "From a report's arrival to its event's commit, in seconds", [], _QUICK
        )
        self.transaction_duration = histogram("transaction_duration", "Begin to commit, in seconds", [], _QUICK)
        self.transaction_entries = histogram(
            "transaction_entries", "Journal entries that a transaction folded", [], _COUNT
        )
        self.append_records = histogram("append_records", "Records that went to Kafka together", [], _COUNT)
        self.restore_duration = histogram("restore_duration", "Bringing a cache up to date, in seconds", [], _SLOW)

        self.callbacks_in_flight = gauge("callbacks_in_flight", "Callbacks that are being answered")
        self.attempts_followed = gauge("attempts_followed", "Attempts without a final status", ["provider"])
        self.attempts_pending = gauge(
            "attempts_pending", "Attempts that wait for their end, of those whose end is nearest", ["provider", "age"]
        )
        self.parked_reports = gauge("parked_reports", "Attempts that were reported before they were sent")
        self.oldest_followed_age = gauge(
            "oldest_followed_age_seconds", "Age of the attempt whose end is nearest", ["provider"]
        )
        self.polls_due = gauge("polls_due", "Polls that should have been asked", ["provider"])
        self.circuit_open = gauge("circuit_open", "1 while an account isn't asked", ["provider", "account"])
        self.credentials_refused = gauge(
            "credentials_refused", "1 while a provider refuses an account's credentials", ["provider", "account"]
        )
        self.journal_lag_entries = gauge("journal_lag_entries", "Entries not yet folded", ["partition"])
        self.journal_lag_seconds = gauge(
            "journal_lag_seconds", "Age of the last folded entry while behind", ["partition"]
        )
        self.partitions_assigned = gauge("partitions_assigned", "Journal partitions of this process")
        self.restore_entries_remaining = gauge("restore_entries_remaining", "States still to be read into the cache")
        self.provider_clock_skew = gauge(
            "provider_clock_skew_seconds", "Provider's time minus ours, of the last callback", ["provider"]
        )
        self.part_ready = gauge("part_ready", "1 while a part that readiness depends on is ready", ["part"])
        self.event_loop_delay = gauge("event_loop_delay_seconds", "How late the event loop ran a timer")
        gauge("build_info", "1, labelled with the version", ["version"]).labels(__version__).set(1)
