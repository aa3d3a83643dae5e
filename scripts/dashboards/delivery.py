"""The dashboard *Delivery*: the results of messages, for the teams that send them."""

from scripts.dashboards.cohorts import COHORTS, Cohort, make_delivered_share, make_rate
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

FINAL = 'status=~"delivered|undelivered|expired|rejected|failed|unknown"'
"""The final outcomes."""

DELIVERED = 'status="delivered"'
UNMAPPED = f'{PROVIDER}, outcome="unmapped"'
SHARE = Limits(0.8, 0.5, falling=True)
"""Of delivered messages. Usual shares differ between providers, so the alerts compare with the day before instead."""

DAY = 86400


def make_share(of: str, over: str) -> str:
    """Return a query for the share of final events with these labels, by provider."""
    return " / ".join(
        sum_rate("deliveries_published", "provider", f"{ACCOUNT}, {which}", over) for which in (of, FINAL)
    )


def shift(query: str, offset: str) -> str:
    """Return a query about an earlier time; it has one window, in brackets, in each term."""
    return query.replace("])", f"] offset {offset})")


def sum_gauge(metric: str, by: str = "provider") -> str:
    """Return a query for the sum of a gauge of the chosen providers, by a label."""
    return f"sum by ({by}) ({select_series(metric, PROVIDER)})"


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


NOW = Row(
    "Now",
    (
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
            "Open",
            "Messages without a final status, by provider.",
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
            "Accepted sent events, by provider.",
            "mps",
            {"{{provider}}": sum_rate("sent_accepted", "provider", PROVIDER)},
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
            "Final events of messages that were not delivered, by provider and reason.",
            "mps",
            {"{{provider}} {{reason}}": default_to_zero(sum_rate("failures_published", "provider, reason", ACCOUNT))},
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
            {"{{provider}}": default_to_zero(make_share('source="deadline"', "30m"))},
            ("SmsBridgeUnknownByDeadline",),
            HALF,
            limits=Limits(0.01, 0.05),
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
    "What became of the messages, by provider.",
    (NOW, BY_SENDING, WHAT_BECAME, HOW_LONG, HOW_KNOWN),
)
