"""The dashboard *Delivery*: the results of messages, for the teams that send them."""

from scripts.dashboards.cohorts import COHORTS, Cohort, make_delivered_share, make_rate
from scripts.dashboards.operation import ALERTS, ALERTS_OVER_TIME, STATUS_PAGE
from scripts.dashboards.panels import (
    ACCOUNT,
    FOURTH,
    HALF,
    PROVIDER,
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
from scripts.dashboards.shares import (
    BY_DEADLINE,
    DAY,
    DELIVERED,
    ENDED_DELIVERED,
    NOT_DELIVERED,
    SHARE,
    TEN_NETWORKS,
    UNMAPPED,
    make_share,
    rate_networks,
    shift,
    sum_gauge,
)


def make_cohort_panel(cohort: Cohort) -> Panel:
    """Make the plot of what was sent, has ended and was delivered, of all chosen providers."""
    one = "namespace, job"
    total = {
        "sent": make_rate("attempts_started", cohort, by=one),
        "ended": make_rate("attempts_ended", cohort, by=one),
        "delivered": make_rate("attempts_ended", cohort, 'outcome="delivered"', one),
    }
    return Panel(
        f"Sent {cohort.name} ago, and what became of it",
        f"Messages by the time of sending: what was sent {cohort.name} before the time shown, how much of it had ended "
        "by then, and how much was delivered. A gap between the lines is what nobody has reported.",
        "mps",
        {name: f"sum({query})" for name, query in total.items()},
        ("SmsBridgeDeliveredOfSentDropped",),
        HALF,
        colors={"sent": "blue", "ended": "yellow", "delivered": "green"},
    )


OK = Row(
    "Are we OK?",
    (
        ALERTS,
        Panel(
            "Delivered of sent",
            "Of what was sent 10 minutes ago, the share that is delivered. It falls when reports do not come, too.",
            "percentunit",
            {"{{provider}}": make_delivered_share(COHORTS[0])},
            ("SmsBridgeDeliveredOfSentDropped",),
            FOURTH,
            View.NUMBER,
            SHARE,
        ),
        Panel(
            "Delivered of ended",
            "The share of delivered messages among those with a final status in the last hour. What never ends is not "
            "in it.",
            "percentunit",
            {"{{provider}}": make_share(DELIVERED, "1h")},
            ("SmsBridgeDeliveryRateDropped",),
            FOURTH,
            View.NUMBER,
            SHARE,
        ),
        Panel(
            "Compared with the day before",
            "Delivered of ended in the last hour, divided by the same over the day before. Below 70 % an alert fires.",
            "percentunit",
            {"{{provider}}": f"({make_share(DELIVERED, '1h')}) / ({shift(make_share(DELIVERED, '1d'), '1h')})"},
            ("SmsBridgeDeliveryRateDropped", "SmsBridgeNothingDelivered"),
            FOURTH,
            View.NUMBER,
            Limits(0.9, 0.7, falling=True),
        ),
        Panel(
            "Events are late by",
            "How long a report waits now before its event is published, in the slowest partition. No data "
            "while Kafka doesn't answer: then it isn't known.",
            "s",
            {"late by": f"max({select_series('journal_lag_seconds')})"},
            ("SmsBridgeJournalLag", "SmsBridgeDeliveriesStalled", "SmsBridgeNoProgress"),
            FOURTH,
            View.NUMBER,
            Limits(10, 60),
        ),
        Panel(
            "Open",
            "Messages without a final status, by provider, of all accounts.",
            "short",
            {"{{provider}}": sum_gauge("attempts_followed")},
            width=FOURTH,
            view=View.NUMBER,
        ),
        Panel(
            "Oldest open",
            "Age of the open message with the earliest deadline. More than MAX_FOLLOW means late timers.",
            "s",
            {"{{provider}}": f"max by (provider) ({select_series('oldest_followed_age_seconds', PROVIDER)})"},
            ("SmsBridgeOldestPending",),
            FOURTH,
            View.NUMBER,
            Limits(7 * DAY, 7.5 * DAY),
        ),
        Panel(
            "Unknown by deadline",
            "The share of final events in the last hour that have the status unknown because no final report came.",
            "percentunit",
            {"{{provider}}": default_to_zero(make_share(BY_DEADLINE, "1h"))},
            ("SmsBridgeUnknownByDeadline",),
            FOURTH,
            View.NUMBER,
            Limits(0.01, 0.05),
        ),
        ALERTS_OVER_TIME,
        STATUS_PAGE,
    ),
)

BY_SENDING = Row(
    "By the time of sending",
    (
        *(make_cohort_panel(cohort) for cohort in COHORTS),
        Panel(
            "Delivered of sent",
            "The share that was delivered of what was sent 10 minutes, an hour and 6 hours before, by provider.",
            "percentunit",
            {f"{{{{provider}}}} after {cohort.name}": make_delivered_share(cohort) for cohort in COHORTS},
            ("SmsBridgeDeliveredOfSentDropped",),
            HALF,
            limits=SHARE,
        ),
    ),
)

WHAT_BECAME = Row(
    "What became of messages",
    (
        Panel(
            "Sent",
            "Messages that the tracker began to follow, by provider. Sent events of the moment are on the dashboard "
            "Service.",
            "mps",
            {"{{provider}}": sum_rate("attempts_started", "provider", ACCOUNT)},
            ("SmsBridgeDeliveriesStalled",),
        ),
        Panel(
            "Delivered",
            "Published events with the status delivered, by provider.",
            "mps",
            {"{{provider}}": sum_rate("deliveries_published", "provider", f"{ACCOUNT}, {DELIVERED}")},
            ("SmsBridgeNothingDelivered",),
        ),
        Panel(
            "Not delivered",
            "Final events of messages that were not delivered, by provider.",
            "mps",
            {"{{provider}}": default_to_zero(sum_rate("failures_published", "provider", ACCOUNT))},
            ("SmsBridgeDeliveryRateDropped",),
            stacked=True,
        ),
        Panel(
            "Delivered of ended",
            "The share of delivered messages among final events, over half an hour, and the same one day before.",
            "percentunit",
            {
                "{{provider}}": make_share(DELIVERED, "30m"),
                "{{provider}} a day before": shift(make_share(DELIVERED, "30m"), "1d"),
            },
            ("SmsBridgeDeliveryRateDropped",),
            HALF,
            limits=SHARE,
        ),
        Panel(
            "Unknown by deadline",
            "The share of final events in half an hour that have the status unknown because no final report came.",
            "percentunit",
            {"{{provider}}": default_to_zero(make_share(BY_DEADLINE, "30m"))},
            ("SmsBridgeUnknownByDeadline",),
            HALF,
            limits=Limits(0.01, 0.05),
        ),
    ),
)

FAILURES = Row(
    "Why messages fail, and where",
    (
        Panel(
            "Not delivered, by reason",
            "Final events of messages that were not delivered, by provider and reason.",
            "mps",
            {"{{provider}} {{reason}}": default_to_zero(sum_rate("failures_published", "provider, reason", ACCOUNT))},
            ("SmsBridgeDeliveryRateDropped",),
            stacked=True,
        ),
        Panel(
            "Not delivered, by network",
            TEN_NETWORKS,
            "mps",
            {
                "{{provider}} {{network}}": default_to_zero(
                    f"topk(10, {rate_networks(NOT_DELIVERED, '$__rate_interval')})"
                )
            },
            ("SmsBridgeDeliveryRateDropped",),
            stacked=True,
        ),
        Panel(
            "Delivered of ended, by network",
            "The share of delivered messages over half an hour in the ten networks with the most messages. If one line "
            "falls alone, the network is the cause; if all do, the provider or the bridge.",
            "percentunit",
            {
                "{{provider}} {{network}}": f"({rate_networks(ENDED_DELIVERED, '30m')} / {rate_networks('', '30m')})"
                f" and topk(10, {rate_networks('', '30m')})"
            },
            ("SmsBridgeDeliveryRateDropped",),
            limits=SHARE,
        ),
    ),
)

HOW_LONG = Row(
    "How long it takes",
    (
        Panel(
            "Sent to final",
            "From the sender's time to the final status, by the provider's clock if it reports a time. "
            "Statuses found by a poll count only if the provider reported their time.",
            "s",
            make_quantiles("delivery_latency", "provider", ACCOUNT),
        ),
        Panel(
            "Open messages",
            "Messages without a final status over time, by provider.",
            "short",
            {"{{provider}}": sum_gauge("attempts_followed")},
            stacked=True,
        ),
        Panel(
            "Pending by age",
            "How long messages have been open; for each process, the 20,000 messages with the earliest deadlines.",
            "short",
            {"{{age}}": sum_gauge("attempts_pending", "age")},
            ("SmsBridgeOldestPending",),
            stacked=True,
        ),
    ),
)

HOW_KNOWN = Row(
    "How it became known",
    (
        Panel(
            "Events by source",
            "Published events by source: a callback, a poll or the deadline.",
            "mps",
            {"{{source}}": sum_rate("deliveries_published", "source", ACCOUNT)},
            ("SmsBridgeCallbacksMissing",),
            stacked=True,
        ),
        Panel(
            "Reports by outcome",
            "Reports of all sources by what the tracker did with them.",
            "mps",
            {"{{outcome}}": sum_rate("reports_folded", "outcome", PROVIDER)},
            stacked=True,
        ),
        Panel(
            "Provider's clock",
            "The time in the last callback minus the time of receipt. Whole hours mean a wrong TIMEZONE setting.",
            "s",
            {"{{provider}}": f"max by (provider) ({select_series('provider_clock_skew_seconds', PROVIDER)})"},
            signed=True,
        ),
        Panel(
            "Corrections",
            "How many events corrected a final status, by provider.",
            "short",
            {"{{provider}}": sum_increase("corrections_published", "provider", ACCOUNT)},
            view=View.BARS,
        ),
        Panel(
            "Unmapped codes",
            "How many reports had an unmapped provider status; the log has the provider's words.",
            "short",
            {"{{provider}} {{source}}": sum_increase("reports_folded", "provider, source", UNMAPPED)},
            ("SmsBridgeUnmappedStatuses",),
            view=View.BARS,
        ),
        Panel(
            "Reported before sent",
            "Parked attempts: reports that arrived before their sent event.",
            "short",
            {"parked": f"sum({select_series('parked_reports')})"},
        ),
    ),
)

DELIVERY = Dashboard(
    "sms-bridge-delivery",
    "SMS bridge: Delivery",
    "What became of the messages, by provider and account, for the teams that send them and for the team on call.",
    (OK, BY_SENDING, WHAT_BECAME, FAILURES, HOW_LONG, HOW_KNOWN),
)
