"""The dashboard *Service*: how the bridge itself does. For whoever is on call."""

from scripts.dashboards.panels import CHOSEN, Dashboard, Panel, Row, or_none, quantiles, rate, series

READY = Row(
    "Health",
    (
        Panel(
            "Ready",
            "Instances in which a part is ready; the least of these counts.",
            "short",
            {"{{part}}": f"sum by (part) ({series('part_ready')})"},
            ("SmsBridgeInstanceNotReady", "SmsBridgeInstanceDown"),
            number=True,
        ),
        Panel(
            "Partitions with an owner",
            "Of the journal. Fewer than it has: what is in the others waits.",
            "short",
            {"partitions": f"sum({series('partitions_assigned')})"},
            ("SmsBridgePartitionsUnowned",),
            number=True,
        ),
        Panel(
            "Versions",
            "Instances by version; two at a time mean an upgrade under way, or one that was given up.",
            "short",
            {"{{version}}": f"sum by (version) ({series('build_info')})"},
            ("SmsBridgeAbsent",),
            number=True,
        ),
    ),
)

JOURNAL = Row(
    "From the journal to the events",
    (
        Panel(
            "Lag in seconds",
            "How old the entries are that are being folded, the worst partition. 0: nothing waits.",
            "s",
            {"worst": f"max({series('journal_lag_seconds')})"},
            ("SmsBridgeJournalLag", "SmsBridgeJournalLagGrowing"),
        ),
        Panel(
            "Lag in entries",
            "Entries that wait, over all partitions.",
            "short",
            {"entries": f"sum({series('journal_lag_entries')})"},
            ("SmsBridgeNoProgress",),
        ),
        Panel(
            "Report to event",
            "From a report's arrival to the commit of its event.",
            "s",
            quantiles("publish_delay"),
            ("SmsBridgeJournalLag",),
        ),
        Panel(
            "Transactions",
            "Kafka transactions by how they ended.",
            "ops",
            {"{{outcome}}": rate("transactions_completed", "outcome")},
            ("SmsBridgeTransactionsFailing",),
        ),
        Panel(
            "Transaction, begin to commit",
            "What Kafka takes for one transaction.",
            "s",
            quantiles("transaction_duration"),
            ("SmsBridgeTransactionsFailing",),
        ),
        Panel(
            "Entries a transaction",
            "More under load, up to 1,000: that is how the tracker keeps up.",
            "short",
            quantiles("transaction_entries"),
        ),
        Panel(
            "Workers begun again",
            "Partition workers by why they began again.",
            "ops",
            {"{{cause}}": or_none(rate("workers_restarted", "cause"))},
            ("SmsBridgeWorkersRestarting",),
        ),
        Panel(
            "States still to be restored",
            "Until a partition's cache stands where its state topic ends, it publishes nothing.",
            "short",
            {"states": f"sum({series('restore_entries_remaining')})"},
            ("SmsBridgeRestoreLong",),
        ),
        Panel(
            "Restore",
            "How long bringing a partition's cache up to date took.",
            "s",
            quantiles("restore_duration"),
            ("SmsBridgeRestoreLong",),
        ),
        Panel(
            "Caches built anew",
            "Partitions whose whole state topic had to be read, by why.",
            "ops",
            {"{{cause}}": or_none(rate("caches_rebuilt", "cause"))},
            ("SmsBridgeCachesRebuilt",),
        ),
    ),
)

WAYS_IN = Row(
    "Callbacks and sent events",
    (
        Panel(
            "Callbacks",
            "Callbacks by provider and what became of them. Unavailable: Kafka didn't take them in time.",
            "reqps",
            {"{{provider}} {{outcome}}": rate("callbacks_received", "provider, outcome")},
            ("SmsBridgeCallbacksUnavailable", "SmsBridgeCallbacksRejected", "SmsBridgeCallbacksMissing"),
        ),
        Panel(
            "Callback, request to answer",
            "With the acknowledgement of all in-sync replicas in it.",
            "s",
            quantiles("callback_duration", "provider"),
            ("SmsBridgeCallbacksUnavailable",),
        ),
        Panel(
            "Callbacks in flight",
            "Callbacks that are being answered, by instance. Receivers can be scaled by it.",
            "short",
            {"{{instance}}": f"sum by (instance) ({series('callbacks_in_flight')})"},
        ),
        Panel(
            "Records that go to Kafka together",
            "What callbacks, sent events and polls append to one partition at a time.",
            "short",
            quantiles("append_records"),
        ),
        Panel(
            "Sent events passed over",
            "By why: known already, filtered out, tombstones.",
            "mps",
            {"{{reason}}": or_none(rate("sent_skipped", "reason"))},
        ),
        Panel(
            "Dead letters",
            "By reason; each is in the dead letter topic with its original bytes.",
            "mps",
            {"{{reason}}": or_none(rate("dead_letters_written", "reason"))},
            ("SmsBridgeDeadLetters",),
            stacked=True,
        ),
    ),
)

POLLS = Row(
    "Polls",
    (
        Panel(
            "Polls",
            "By provider and what came back. Rate limited: the provider wants patience.",
            "reqps",
            {"{{provider}} {{outcome}}": rate("polls_completed", "provider, outcome")},
            ("SmsBridgeCircuitOpen",),
        ),
        Panel(
            "Poll, question to answer",
            "What the provider's API takes.",
            "s",
            quantiles("poll_duration", "provider"),
        ),
        Panel(
            "Poll lateness",
            "From due to asked. It grows when RATE_PER_SECOND is too small for what is open.",
            "s",
            quantiles("poll_lateness", "provider"),
        ),
        Panel(
            "Polls due",
            "Questions that should have been asked.",
            "short",
            {"{{provider}}": f"sum by (provider) ({series('polls_due')})"},
        ),
        Panel(
            "Circuit open",
            "1 while an account isn't asked: its provider fails, or wants patience.",
            "short",
            {"{{provider}} {{account}}": f"max by (provider, account) ({series('circuit_open')})"},
            ("SmsBridgeCircuitOpen",),
        ),
        Panel(
            "Credentials refused",
            "1 while a provider refuses an account's credentials.",
            "short",
            {"{{provider}} {{account}}": f"max by (provider, account) ({series('credentials_refused')})"},
            ("SmsBridgeCredentialsRefused",),
        ),
    ),
)


def process(metric: str) -> str:
    """Of the bridge's processes; the names are common to many, so they are told by the job."""
    return f"process_{metric}{{{CHOSEN}}} and on (namespace, job, instance) {series('build_info')}"


PROCESSES = Row(
    "Processes",
    (
        Panel("Memory", "Resident, by instance.", "bytes", {"{{instance}}": process("resident_memory_bytes")}, width=6),
        Panel(
            "CPU",
            "Cores in use, by instance. One is the most that the event loop can use; compression and RocksDB add some.",
            "short",
            {
                "{{instance}}": f"rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval])"
                f" and on (namespace, job, instance) {series('build_info')}"
            },
            width=6,
        ),
        Panel(
            "Event loop delay",
            "How late the event loop ran a timer. More than some tens of milliseconds: too little CPU.",
            "s",
            {"{{instance}}": f"max by (instance) ({series('event_loop_delay_seconds')})"},
            width=6,
        ),
        Panel(
            "Open files",
            "Sockets and RocksDB's files, by instance.",
            "short",
            {"{{instance}}": process("open_fds")},
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
