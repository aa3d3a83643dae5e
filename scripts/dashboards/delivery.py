"""The dashboard *Delivery*: what became of the messages. For whoever sends them."""

from scripts.dashboards.panels import HALF, Dashboard, Panel, Row, or_none, quantiles, rate, series

FINAL = 'status=~"delivered|undelivered|expired|rejected|failed|unknown"'
"""What an attempt can end with."""

DELIVERED = 'status="delivered"'


def share(of: str, over: str) -> str:
    """The part of final events that are such, by provider."""
    return " / ".join(rate("deliveries_published", "provider", which, over) for which in (of, FINAL))


NOW = Row(
    "Now",
    (
        Panel(
            "Delivered",
            "Of all messages that ended within the hour, the share that was delivered, by provider.",
            "percentunit",
            {"{{provider}}": share(DELIVERED, "1h")},
            number=True,
        ),
        Panel(
            "Open",
            "Messages without a final status, by provider.",
            "short",
            {"{{provider}}": f"sum by (provider) ({series('attempts_followed')})"},
            number=True,
        ),
        Panel(
            "Oldest open",
            "Age of the open message whose end is nearest. One older than MAX_FOLLOW means that timers don't run out.",
            "s",
            {"{{provider}}": f"max by (provider) ({series('oldest_followed_age_seconds')})"},
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
            "Sent events taken in, by provider.",
            "mps",
            {"{{provider}}": rate("sent_accepted", "provider")},
            ("SmsBridgeDeliveriesStalled",),
        ),
        Panel(
            "Delivered",
            "Events that say delivered, by provider.",
            "mps",
            {"{{provider}}": rate("deliveries_published", "provider", DELIVERED)},
            ("SmsBridgeNothingDelivered",),
        ),
        Panel(
            "Not delivered",
            "Final events of what wasn't delivered, by provider and reason.",
            "mps",
            {"{{provider}} {{reason}}": or_none(rate("failures_published", "provider, reason"))},
            ("SmsBridgeDeliveryRateDropped",),
            stacked=True,
        ),
        Panel(
            "Delivery rate",
            "Delivered among all that ended, over half an hour, and the same a day before.",
            "percentunit",
            {
                "{{provider}}": share(DELIVERED, "30m"),
                "{{provider}} a day before": share(DELIVERED, "30m").replace("[30m]", "[30m] offset 1d"),
            },
            ("SmsBridgeDeliveryRateDropped",),
            width=HALF,
        ),
        Panel(
            "Unknown by deadline",
            "Among all that ended within half an hour, the share that nobody reported about until it was given up.",
            "percentunit",
            {"{{provider}}": or_none(share('source="deadline"', "30m"))},
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
            "From the sender's time to the final status, by the provider's clock where it gives one. "
            "Ends that only a poll found count where the provider said when they were.",
            "s",
            quantiles("delivery_latency", "provider"),
            width=HALF,
        ),
        Panel(
            "Open messages",
            "Messages without a final status over time, by provider.",
            "short",
            {"{{provider}}": f"sum by (provider) ({series('attempts_followed')})"},
            width=HALF,
            stacked=True,
        ),
        Panel(
            "Pending by age",
            "How long messages have waited for their final status: of each process, the 20,000 whose end is nearest.",
            "short",
            {"{{age}}": f"sum by (age) ({series('attempts_pending')})"},
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
            "Push against poll",
            "Published events by where they came from: a callback, a poll, or nobody until the deadline.",
            "mps",
            {"{{source}}": rate("deliveries_published", "source")},
            ("SmsBridgeCallbacksMissing",),
            stacked=True,
        ),
        Panel(
            "What reports changed",
            "Reports of all sources by what the rules made of them.",
            "mps",
            {"{{outcome}}": rate("reports_folded", "outcome")},
            stacked=True,
        ),
        Panel(
            "Corrections",
            "Events that overrule a final one, by provider.",
            "mps",
            {"{{provider}}": or_none(rate("corrections_published", "provider"))},
        ),
        Panel(
            "Unmapped codes",
            "Reports with a status that nobody mapped; the log has the provider's words.",
            "mps",
            {"{{provider}} {{source}}": or_none(rate("reports_folded", "provider, source", 'outcome="unmapped"'))},
            ("SmsBridgeUnmappedStatuses",),
        ),
        Panel(
            "Reported before sent",
            "Attempts that were reported and whose sent event hasn't come yet.",
            "short",
            {"parked": f"sum({series('parked_reports')})"},
        ),
        Panel(
            "Provider's clock",
            "The provider's time minus ours, of its last callback. Hours mean a time zone that TIMEZONE doesn't name.",
            "s",
            {"{{provider}}": f"max by (provider) ({series('provider_clock_skew_seconds')})"},
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
