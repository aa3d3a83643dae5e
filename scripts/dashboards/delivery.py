"""The dashboard *Delivery*: the results of messages, for the teams that send them."""

from scripts.dashboards.panels import (
    HALF,
    Dashboard,
    Panel,
    Row,
    default_to_zero,
    make_quantiles,
    select_series,
    sum_rate,
)

FINAL = 'status=~"delivered|undelivered|expired|rejected|failed|unknown"'
"""The final outcomes."""

DELIVERED = 'status="delivered"'


def make_share(of: str, over: str) -> str:
    """Return a query for the share of final events with these labels, by provider."""
    return " / ".join(sum_rate("deliveries_published", "provider", which, over) for which in (of, FINAL))


NOW = Row(
    "Now",
    (
        Panel(
            "Delivered",
            "The share of delivered messages among those with a final status in the last hour, by provider.",
            "percentunit",
            {"{{provider}}": make_share(DELIVERED, "1h")},
            number=True,
        ),
        Panel(
            "Open",
            "Messages without a final status, by provider.",
            "short",
            {"{{provider}}": f"sum by (provider) ({select_series('attempts_followed')})"},
            number=True,
        ),
        Panel(
            "Oldest open",
            "Age of the open message with the earliest deadline. More than MAX_FOLLOW means late timers.",
            "s",
            {"{{provider}}": f"max by (provider) ({select_series('oldest_followed_age_seconds')})"},
            ("SmsBridgeOldestPending",),
            number=True,
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
            {"{{provider}}": sum_rate("sent_accepted", "provider")},
            ("SmsBridgeDeliveriesStalled",),
        ),
        Panel(
            "Delivered",
            "Published events with the status delivered, by provider.",
            "mps",
            {"{{provider}}": sum_rate("deliveries_published", "provider", DELIVERED)},
            ("SmsBridgeNothingDelivered",),
        ),
        Panel(
            "Not delivered",
            "Final events of messages that were not delivered, by provider and reason.",
            "mps",
            {"{{provider}} {{reason}}": default_to_zero(sum_rate("failures_published", "provider, reason"))},
            ("SmsBridgeDeliveryRateDropped",),
            stacked=True,
        ),
        Panel(
            "Delivery rate",
            "The share of delivered messages among final events, over half an hour, and the same one day before.",
            "percentunit",
            {
                "{{provider}}": make_share(DELIVERED, "30m"),
                "{{provider}} a day before": make_share(DELIVERED, "30m").replace("[30m]", "[30m] offset 1d"),
            },
            ("SmsBridgeDeliveryRateDropped",),
            width=HALF,
        ),
        Panel(
            "Unknown by deadline",
            "The share of final events in half an hour that have the status unknown because no final report came.",
            "percentunit",
            {"{{provider}}": default_to_zero(make_share('source="deadline"', "30m"))},
            ("SmsBridgeUnknownByDeadline",),
            width=HALF,
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
            make_quantiles("delivery_latency", "provider"),
            width=HALF,
        ),
        Panel(
            "Open messages",
            "Messages without a final status over time, by provider.",
            "short",
            {"{{provider}}": f"sum by (provider) ({select_series('attempts_followed')})"},
            width=HALF,
            stacked=True,
        ),
        Panel(
            "Pending by age",
            "How long messages have been open; for each process, the 20,000 messages with the earliest deadlines.",
            "short",
            {"{{age}}": f"sum by (age) ({select_series('attempts_pending')})"},
            ("SmsBridgeOldestPending",),
            width=HALF,
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
            {"{{source}}": sum_rate("deliveries_published", "source")},
            ("SmsBridgeCallbacksMissing",),
            stacked=True,
        ),
        Panel(
            "Reports by outcome",
            "Reports of all sources by what the tracker did with them.",
            "mps",
            {"{{outcome}}": sum_rate("reports_folded", "outcome")},
            stacked=True,
        ),
        Panel(
            "Corrections",
            "Events that correct a final status, by provider.",
            "mps",
            {"{{provider}}": default_to_zero(sum_rate("corrections_published", "provider"))},
        ),
        Panel(
            "Unmapped codes",
            "Reports with an unmapped provider status; the log has the provider's words.",
            "mps",
            {
                "{{provider}} {{source}}": default_to_zero(
                    sum_rate("reports_folded", "provider, source", 'outcome="unmapped"')
                )
            },
            ("SmsBridgeUnmappedStatuses",),
        ),
        Panel(
            "Reported before sent",
            "Parked attempts: reports that arrived before their sent event.",
            "short",
            {"parked": f"sum({select_series('parked_reports')})"},
        ),
        Panel(
            "Provider's clock",
            "The time in the last callback minus the time of receipt. Whole hours mean a wrong TIMEZONE setting.",
            "s",
            {"{{provider}}": f"max by (provider) ({select_series('provider_clock_skew_seconds')})"},
            signed=True,
        ),
    ),
)

DELIVERY = Dashboard(
    "sms-bridge-delivery",
    "SMS bridge: Delivery",
    "What became of the messages, by provider.",
    (NOW, WHAT_BECAME, HOW_LONG, HOW_KNOWN),
)
