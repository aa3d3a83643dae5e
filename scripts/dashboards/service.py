"""The dashboard *Service*: the bridge's health, for the team on call."""

from scripts.dashboards.panels import (
    CHOSEN,
    Dashboard,
    Panel,
    Row,
    default_to_zero,
    make_quantiles,
    select_series,
    sum_rate,
)

READY = Row(
    "Health",
    (
        Panel(
            "Ready",
            "Instances in which each part is ready. An instance is ready if all its parts are.",
            "short",
            {"{{part}}": f"sum by (part) ({select_series('part_ready')})"},
            ("SmsBridgeInstanceNotReady", "SmsBridgeInstanceDown"),
            width=6,
            number=True,
        ),
        Panel(
            "Partitions with an owner",
            "Owned partitions of the journal. Entries in partitions without an owner wait.",
            "short",
            {"partitions": f"sum({select_series('partitions_assigned')})"},
            ("SmsBridgePartitionsUnowned",),
            width=6,
            number=True,
        ),
        Panel(
            "Versions",
            "Instances by version. Two versions mean an upgrade in progress or an abandoned one.",
            "short",
            {"{{version}}": f"sum by (version) ({select_series('build_info')})"},
            ("SmsBridgeAbsent",),
            width=6,
            number=True,
        ),
        Panel(
            "Certificates expire in",
            "The time until a certificate expires that an instance has loaded, by the setting of its file.",
            "s",
            {"{{setting}}": f"min by (setting) ({select_series('certificate_expiry_timestamp_seconds')}) - time()"},
            ("SmsBridgeCertificateExpiring",),
            width=6,
            number=True,
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
            "Rises with the load up to 1,000, which increases the throughput.",
            "short",
            make_quantiles("transaction_entries"),
        ),
        Panel(
            "Parts without Kafka",
            "Processes whose part has had no answer of Kafka for 30 seconds.",
            "short",
            {"{{part}}": f"sum by (part) (1 - {select_series('kafka_connected')})"},
            ("SmsBridgeKafkaLost",),
        ),
        Panel(
            "Silent partitions",
            "Journal partitions whose broker has given no answer for 30 seconds. Their lag is not known.",
            "short",
            {"partitions": f"sum({select_series('partitions_silent')})"},
            ("SmsBridgeKafkaLost",),
        ),
        Panel(
            "Worker restarts",
            "Restarts of partition workers, by cause.",
            "ops",
            {"{{cause}}": default_to_zero(sum_rate("workers_restarted", "cause"))},
            ("SmsBridgeWorkersRestarting",),
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
            "Partitions whose state topic was read completely, by cause.",
            "ops",
            {"{{cause}}": default_to_zero(sum_rate("caches_rebuilt", "cause"))},
            ("SmsBridgeCachesRebuilt",),
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
            {"{{provider}} {{outcome}}": sum_rate("callbacks_received", "provider, outcome")},
            ("SmsBridgeCallbacksUnavailable", "SmsBridgeCallbacksRejected", "SmsBridgeCallbacksMissing"),
        ),
        Panel(
            "Callback duration",
            "Includes the acknowledgement by all in-sync replicas.",
            "s",
            make_quantiles("callback_duration", "provider"),
            ("SmsBridgeCallbacksUnavailable",),
        ),
        Panel(
            "Callbacks in flight",
            "Callbacks that are being processed, by instance. Usable for scaling receivers.",
            "short",
            {"{{instance}}": f"sum by (instance) ({select_series('callbacks_in_flight')})"},
        ),
        Panel(
            "Records per append",
            "How many records of callbacks, sent events and polls are appended to one partition together.",
            "short",
            make_quantiles("append_records"),
        ),
        Panel(
            "Skipped sent events",
            "By reason: already known, filtered out, tombstone.",
            "mps",
            {"{{reason}}": default_to_zero(sum_rate("sent_skipped", "reason"))},
        ),
        Panel(
            "Dead letters",
            "By reason. Each is in the dead letter topic with its original bytes.",
            "mps",
            {"{{reason}}": default_to_zero(sum_rate("dead_letters_written", "reason"))},
            ("SmsBridgeDeadLetters", "SmsBridgeUnforeseenInput"),
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
            {"{{provider}} {{outcome}}": sum_rate("polls_completed", "provider, outcome")},
            ("SmsBridgeCircuitOpen",),
        ),
        Panel(
            "Poll duration",
            "The response time of the provider's API.",
            "s",
            make_quantiles("poll_duration", "provider"),
        ),
        Panel(
            "Poll lateness",
            "From when a poll is due until it is made. It grows if RATE_PER_SECOND is too low for the open messages.",
            "s",
            make_quantiles("poll_lateness", "provider"),
        ),
        Panel(
            "Polls due",
            "Polls that are due and not made yet.",
            "short",
            {"{{provider}}": f"sum by (provider) ({select_series('polls_due')})"},
        ),
        Panel(
            "Circuit open",
            "1 while polling of an account is paused, because its provider fails or limits the rate.",
            "short",
            {"{{provider}} {{account}}": f"max by (provider, account) ({select_series('circuit_open')})"},
            ("SmsBridgeCircuitOpen",),
        ),
        Panel(
            "Credentials refused",
            "1 while a provider refuses an account's credentials.",
            "short",
            {"{{provider}} {{account}}": f"max by (provider, account) ({select_series('credentials_refused')})"},
            ("SmsBridgeCredentialsRefused",),
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
            "Resident, by instance.",
            "bytes",
            {"{{instance}}": select_process_series("resident_memory_bytes")},
            width=6,
        ),
        Panel(
            "CPU",
            "Used cores, by instance. The event loop can use one core; compression and RocksDB use more.",
            "short",
            {
                "{{instance}}": f"rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval])"
                f" and on (namespace, job, instance) {select_series('build_info')}"
            },
            width=6,
        ),
        Panel(
            "Event loop delay",
            "How late the event loop ran a timer. More than some tens of milliseconds mean too little CPU.",
            "s",
            {"{{instance}}": f"max by (instance) ({select_series('event_loop_delay_seconds')})"},
            width=6,
        ),
        Panel(
            "Open files",
            "Open sockets and RocksDB files, by instance.",
            "short",
            {"{{instance}}": select_process_series("open_fds")},
            width=6,
        ),
    ),
)

SERVICE = Dashboard(
    "sms-bridge-service",
    "SMS bridge: Service",
    "How the bridge itself does. Panels link to the runbooks of the alerts that look at the same.",
    (READY, JOURNAL, WAYS_IN, POLLS, PROCESSES),
)
