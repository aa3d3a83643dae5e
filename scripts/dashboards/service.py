"""The dashboard *Service*: the bridge's health, for the team on call."""

from scripts.dashboards.panels import (
    ACCOUNT,
    CHOSEN,
    FOURTH,
    FULL,
    HALF,
    PROVIDER,
    SIXTH,
    Dashboard,
    Limits,
    Panel,
    Row,
    View,
    default_to_zero,
    make_quantiles,
    select_series,
    sum_increase,
    sum_rate,
)

NONE_AT_ALL = Limits(None, 1)
"""For what should be 0."""

DAY = 86400
READY = {1: ("ready", "green"), 0: ("not ready", "red")}
CIRCUIT = {0: ("closed", "green"), 1: ("open", "red")}
CREDENTIALS = {0: ("accepted", "green"), 1: ("refused", "red")}

INSTANCES_READY = f"sum(min by (namespace, job, pod) ({select_series('part_ready')}))"
INSTANCES = f"count(up{{{CHOSEN}}} and on (namespace, job) {select_series('build_info')})"
"""All that Prometheus scrapes, also those that don't answer."""

PARTITIONS_OWNED = f"sum({select_series('partitions_assigned')})"
PARTITIONS = f"sum(max by (namespace, job) ({select_series('journal_partitions')}))"

NOW = Row(
    "Now",
    (
        Panel(
            "Oldest lag",
            "The age of the entries that are being folded, in the partition with the highest lag.",
            "s",
            {"lag": f"max({select_series('journal_lag_seconds')})"},
            ("SmsBridgeJournalLag", "SmsBridgeJournalLagGrowing"),
            SIXTH,
            View.NUMBER,
            Limits(10, 60),
        ),
        Panel(
            "Not ready",
            "Instances of which a part is not ready, or that do not answer Prometheus.",
            "short",
            {"instances": f"{INSTANCES} - {INSTANCES_READY}"},
            ("SmsBridgeInstanceNotReady",),
            SIXTH,
            View.NUMBER,
            NONE_AT_ALL,
        ),
        Panel(
            "Without owner",
            "Partitions of the journal that no tracker owns. Their entries wait.",
            "short",
            {"partitions": f"{PARTITIONS} - {PARTITIONS_OWNED}"},
            ("SmsBridgePartitionsUnowned",),
            SIXTH,
            View.NUMBER,
            NONE_AT_ALL,
        ),
        Panel(
            "Open circuits",
            "Accounts that are not polled for now, because their provider fails or limits the rate.",
            "short",
            {"accounts": f"sum(max by (namespace, job, provider, account) ({select_series('circuit_open', ACCOUNT)}))"},
            ("SmsBridgeCircuitOpen",),
            SIXTH,
            View.NUMBER,
            Limits(1, None),
        ),
        Panel(
            "Refused credentials",
            "Accounts whose provider refuses their credentials.",
            "short",
            {
                "accounts": "sum(max by (namespace, job, provider, account) "
                f"({select_series('credentials_refused', ACCOUNT)}))"
            },
            ("SmsBridgeCredentialsRefused",),
            SIXTH,
            View.NUMBER,
            NONE_AT_ALL,
        ),
        Panel(
            "Dead letters",
            "Dead letters of the last hour.",
            "short",
            {"last hour": default_to_zero(f"sum(increase({select_series('dead_letters_written_total')}[1h]))")},
            ("SmsBridgeDeadLetters",),
            SIXTH,
            View.NUMBER,
            Limits(1, 100),
        ),
    ),
)

HEALTH = Row(
    "Health",
    (
        Panel(
            "Instances",
            "How many instances are ready, of how many that Prometheus scrapes or tries to.",
            "short",
            {"ready": INSTANCES_READY, "of": INSTANCES},
            ("SmsBridgeInstanceNotReady", "SmsBridgeInstanceDown"),
            FOURTH,
            View.NUMBER,
        ),
        Panel(
            "Partitions",
            "How many partitions of the journal have an owner, of how many there are.",
            "short",
            {"owned": PARTITIONS_OWNED, "of": PARTITIONS},
            ("SmsBridgePartitionsUnowned",),
            FOURTH,
            View.NUMBER,
        ),
        Panel(
            "Versions",
            "Instances by version. Two versions mean an upgrade in progress or an abandoned one.",
            "short",
            {"{{version}}": f"sum by (version) ({select_series('build_info')})"},
            ("SmsBridgeAbsent",),
            FOURTH,
            View.NUMBER,
        ),
        Panel(
            "Certificates expire in",
            "The time until a certificate expires that an instance has loaded, by the setting of its file. "
            "Empty without certificates.",
            "s",
            {"{{setting}}": f"min by (setting) ({select_series('certificate_expiry_timestamp_seconds')}) - time()"},
            ("SmsBridgeCertificateExpiring",),
            FOURTH,
            View.NUMBER,
            Limits(14 * DAY, 7 * DAY, falling=True),
        ),
        Panel(
            "Readiness",
            "Whether each part of each instance is ready. An instance is ready if all its parts are.",
            "short",
            {"{{pod}} {{part}}": f"min by (pod, part) ({select_series('part_ready')})"},
            ("SmsBridgeInstanceNotReady",),
            HALF,
            View.STATES,
            states=READY,
        ),
        Panel(
            "Polling circuits",
            "Whether an account is polled. Open: polling is paused, because its provider fails or limits the rate.",
            "short",
            {"{{provider}} {{account}}": f"max by (provider, account) ({select_series('circuit_open', ACCOUNT)})"},
            ("SmsBridgeCircuitOpen",),
            FOURTH,
            View.STATES,
            states=CIRCUIT,
        ),
        Panel(
            "Credentials",
            "Whether a provider accepts an account's credentials.",
            "short",
            {
                "{{provider}} {{account}}": "max by (provider, account) "
                f"({select_series('credentials_refused', ACCOUNT)})"
            },
            ("SmsBridgeCredentialsRefused",),
            FOURTH,
            View.STATES,
            states=CREDENTIALS,
        ),
        Panel(
            "Connections",
            "Open connections, by port, and how many a second made room for others.",
            "short",
            {
                "{{listener}}": f"sum by (listener) ({select_series('http_connections')})",
                "{{listener}}: made room, per second": sum_rate(
                    "http_connections_closed", "listener", 'reason=~"evicted|refused|no_descriptors"'
                ),
            },
            ("SmsBridgeConnectionsCrowded",),
            FULL,
        ),
    ),
)

JOURNAL = Row(
    "From the journal to the events",
    (
        Panel(
            "Lag in seconds",
            "The age of the entries that are being folded, in the partition with the highest lag. 0: no entry waits.",
            "s",
            {"worst": f"max({select_series('journal_lag_seconds')})"},
            ("SmsBridgeJournalLag", "SmsBridgeJournalLagGrowing"),
            limits=Limits(10, 60),
        ),
        Panel(
            "Lag in entries",
            "Waiting entries in all partitions.",
            "short",
            {"entries": f"sum({select_series('journal_lag_entries')})"},
            ("SmsBridgeNoProgress",),
        ),
        Panel(
            "Report to event",
            "From a report's arrival to the commit of its event.",
            "s",
            make_quantiles("publish_delay"),
            ("SmsBridgeJournalLag",),
        ),
        Panel(
            "Transactions",
            "Kafka transactions, by outcome.",
            "ops",
            {"{{outcome}}": sum_rate("transactions_completed", "outcome")},
            ("SmsBridgeTransactionsFailing",),
        ),
        Panel(
            "Transaction, begin to commit",
            "The duration of one Kafka transaction.",
            "s",
            make_quantiles("transaction_duration"),
            ("SmsBridgeTransactionsFailing",),
        ),
        Panel(
            "Entries per transaction",
            "Rises with the load up to 1,000, or 4,000 while a process with few partitions catches up.",
            "short",
            make_quantiles("transaction_entries"),
        ),
        Panel(
            "Parts without Kafka",
            "Processes whose part has had no answer of Kafka for 30 seconds.",
            "short",
            {"{{part}}": f"sum by (part) (1 - {select_series('kafka_connected')})"},
            ("SmsBridgeKafkaLost",),
            limits=NONE_AT_ALL,
        ),
        Panel(
            "Silent partitions",
            "Journal partitions whose broker has given no answer for 30 seconds. Their lag is not known.",
            "short",
            {"partitions": f"sum({select_series('partitions_silent')})"},
            ("SmsBridgeKafkaLost",),
            limits=NONE_AT_ALL,
        ),
        Panel(
            "Worker restarts",
            "How often workers of partitions restarted, by cause.",
            "short",
            {"{{cause}}": sum_increase("workers_restarted", "cause")},
            ("SmsBridgeWorkersRestarting",),
            view=View.BARS,
        ),
        Panel(
            "States to restore",
            "A partition publishes nothing until its cache has reached the end of its state topic.",
            "short",
            {"states": f"sum({select_series('restore_entries_remaining')})"},
            ("SmsBridgeRestoreLong",),
        ),
        Panel(
            "Restore",
            "The duration of a partition's restore.",
            "s",
            make_quantiles("restore_duration"),
            ("SmsBridgeRestoreLong",),
        ),
        Panel(
            "Rebuilt caches",
            "How many partitions' state topics were read completely, by cause.",
            "short",
            {"{{cause}}": sum_increase("caches_rebuilt", "cause")},
            ("SmsBridgeCachesRebuilt",),
            view=View.BARS,
        ),
    ),
)

WAYS_IN = Row(
    "Callbacks and sent events",
    (
        Panel(
            "Callbacks",
            "Callbacks by provider and outcome. Unavailable: Kafka didn't acknowledge them in time.",
            "reqps",
            {"{{provider}} {{outcome}}": sum_rate("callbacks_received", "provider, outcome", PROVIDER)},
            ("SmsBridgeCallbacksUnavailable", "SmsBridgeCallbacksRejected", "SmsBridgeCallbacksMissing"),
        ),
        Panel(
            "Callback duration",
            "Includes the acknowledgement by all in-sync replicas.",
            "s",
            make_quantiles("callback_duration", "provider", PROVIDER),
            ("SmsBridgeCallbacksUnavailable",),
        ),
        Panel(
            "Callbacks in flight",
            "Callbacks that are being processed, by pod. Usable for scaling receivers.",
            "short",
            {"{{pod}}": f"sum by (pod) ({select_series('callbacks_in_flight')})"},
        ),
        Panel(
            "Records per append",
            "How many records of callbacks, sent events and polls are appended to one partition together.",
            "short",
            make_quantiles("append_records"),
        ),
        Panel(
            "Sent events",
            "Accepted by provider, and skipped by reason: already known, filtered out, tombstone.",
            "mps",
            {
                "{{provider}} accepted": sum_rate("sent_accepted", "provider", PROVIDER),
                "skipped: {{reason}}": default_to_zero(sum_rate("sent_skipped", "reason")),
            },
            ("SmsBridgeDeliveriesStalled",),
        ),
        Panel(
            "Dead letters",
            "How many, by reason. Each is in the dead letter topic with its original bytes.",
            "short",
            {"{{reason}}": sum_increase("dead_letters_written", "reason")},
            ("SmsBridgeDeadLetters", "SmsBridgeUnforeseenInput"),
            view=View.BARS,
            stacked=True,
        ),
    ),
)

POLLS = Row(
    "Polls",
    (
        Panel(
            "Polls",
            "By provider and outcome. Rate limited: the provider asked for fewer polls.",
            "reqps",
            {"{{provider}} {{outcome}}": sum_rate("polls_completed", "provider, outcome", PROVIDER)},
            ("SmsBridgeCircuitOpen",),
            width=FOURTH,
        ),
        Panel(
            "Poll duration",
            "The response time of the provider's API.",
            "s",
            make_quantiles("poll_duration", "provider", PROVIDER),
            width=FOURTH,
        ),
        Panel(
            "Poll lateness",
            "From when a poll is due until it is made. It grows if RATE_PER_SECOND is too low for the open messages.",
            "s",
            make_quantiles("poll_lateness", "provider", PROVIDER),
            width=FOURTH,
        ),
        Panel(
            "Polls due",
            "Polls that are due and not made yet.",
            "short",
            {"{{provider}}": f"sum by (provider) ({select_series('polls_due', PROVIDER)})"},
            width=FOURTH,
        ),
    ),
)


def select_process_series(metric: str) -> str:
    """Return a selector for the bridge's processes; other programs have the same metrics, so it selects by job."""
    return f"process_{metric}{{{CHOSEN}}} and on (namespace, job, instance) {select_series('build_info')}"


PROCESSES = Row(
    "Processes",
    (
        Panel(
            "Memory",
            "Resident, by pod.",
            "bytes",
            {"{{pod}}": select_process_series("resident_memory_bytes")},
            width=FOURTH,
        ),
        Panel(
            "CPU",
            "Used cores, by pod. The event loop can use one core; compression and RocksDB use more.",
            "short",
            {
                "{{pod}}": f"rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval])"
                f" and on (namespace, job, instance) {select_series('build_info')}"
            },
            width=FOURTH,
        ),
        Panel(
            "Event loop delay",
            "How late the event loop ran a timer. More than some tens of milliseconds mean too little CPU.",
            "s",
            {"{{pod}}": f"max by (pod) ({select_series('event_loop_delay_seconds')})"},
            width=FOURTH,
            limits=Limits(0.1, 1),
        ),
        Panel(
            "Open files",
            "Open sockets and RocksDB files, by pod.",
            "short",
            {"{{pod}}": select_process_series("open_fds")},
            width=FOURTH,
        ),
    ),
)

SERVICE = Dashboard(
    "sms-bridge-service",
    "SMS bridge: Service",
    "How the bridge itself does. Panels link to the runbooks of the alerts that look at the same.",
    (NOW, HEALTH, JOURNAL, WAYS_IN, POLLS, PROCESSES),
)
