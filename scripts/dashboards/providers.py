"""The dashboard *Providers*: what each provider delivers, how fast and at what price, by day, for a business owner."""

from scripts.dashboards.panels import (
    ACCOUNT,
    FULL,
    HALF,
    PROVIDER,
    Dashboard,
    Limits,
    Panel,
    Row,
    View,
    select_series,
    sum_daily,
    sum_in_range,
)
from scripts.dashboards.shares import TEN_NETWORKS

BY_ACCOUNT = "provider, account"
DELIVERED, NOT_DELIVERED, UNKNOWN = (
    f'{ACCOUNT}, outcome="{word}"' for word in ("delivered", "not_delivered", "unknown")
)
LATENCY = f'{ACCOUNT}, status="delivered"'
PRICES = "Only messages with whose final status the provider reports a price count, in the provider's currency. "
PART = "Some providers report the price of a part of a long message instead of the whole."


def make_daily_quantile(quantile: float) -> str:
    """Return a query for a percentile of the time to deliver on each day, by provider."""
    buckets = f"increase({select_series('delivery_latency_bucket', LATENCY)}[1d] offset -1d)"
    return f"histogram_quantile({quantile:g}, sum by (le, provider) ({buckets}))"


def make_quantile_in_range(quantile: float) -> str:
    """Return a query for a percentile of the time to deliver in the time looked at, by account."""
    buckets = f"increase({select_series('delivery_latency_bucket', LATENCY)}[$__range])"
    return f"histogram_quantile({quantile:g}, sum by (le, {BY_ACCOUNT}) ({buckets}))"


def divide_daily(of: str, where: str, by: str, other: str) -> str:
    """Return a query for one counter's daily increase as a share of another's, by provider."""
    return f"{sum_daily(of, 'provider', where)} / ({sum_daily(by, 'provider', other)} > 0)"


def divide_in_range(of: str, where: str, by: str, other: str) -> str:
    """Return a query for one counter's increase in the time looked at as a share of another's, by account."""
    return f"{sum_in_range(of, BY_ACCOUNT, where)} / ({sum_in_range(by, BY_ACCOUNT, other)} > 0)"


IN_TOTAL = Row(
    "In the time chosen above",
    (
        Panel(
            "Providers and their accounts",
            "What was sent in the time chosen above, and what became of it. Delivered, without result: shares of the "
            f"messages that ended. Cost: {PRICES}{PART}",
            "short",
            {
                "Sent": sum_in_range("attempts_started", BY_ACCOUNT, ACCOUNT),
                "Delivered": divide_in_range("attempts_ended", DELIVERED, "attempts_ended", ACCOUNT),
                "Without result": divide_in_range("attempts_ended", UNKNOWN, "attempts_ended", ACCOUNT),
                "Half arrive within": make_quantile_in_range(0.5),
                "95 % arrive within": make_quantile_in_range(0.95),
                "Cost": sum_in_range("price_charged", BY_ACCOUNT, ACCOUNT),
                "Average price": divide_in_range("price_charged", ACCOUNT, "attempts_priced", ACCOUNT),
                "With a price": divide_in_range("attempts_priced", ACCOUNT, "attempts_ended", ACCOUNT),
            },
            width=FULL,
            view=View.TABLE,
            units={
                "Delivered": "percentunit",
                "Without result": "percentunit",
                "Half arrive within": "s",
                "95 % arrive within": "s",
                "Average price": "none",
                "With a price": "percentunit",
            },
        ),
    ),
)

RESULTS = Row(
    "Results by day",
    (
        Panel(
            "Delivered",
            "The share of delivered messages among those that ended on that day, by provider. A message that ends on a "
            "later day than it was sent counts there.",
            "percentunit",
            {"{{provider}}": divide_daily("attempts_ended", DELIVERED, "attempts_ended", ACCOUNT)},
            ("SmsBridgeDeliveryRateDropped",),
            HALF,
            View.DAYS,
            Limits(0.8, 0.5, falling=True),
        ),
        Panel(
            "Sent",
            "Messages that were sent on that day, by provider.",
            "short",
            {"{{provider}}": sum_daily("attempts_started", "provider", ACCOUNT)},
            width=HALF,
            view=View.DAY_BARS,
        ),
        Panel(
            "Not delivered, by reason",
            "Messages that ended without being delivered, by provider and reason. no_report and no_final_report: "
            "nobody said what became of them.",
            "short",
            {"{{provider}} {{reason}}": sum_daily("failures_published", "provider, reason", ACCOUNT)},
            ("SmsBridgeDeliveryRateDropped",),
            HALF,
            View.DAY_BARS,
        ),
        Panel(
            "Not delivered, by network",
            TEN_NETWORKS,
            "short",
            {
                "{{provider}} {{network}}": "topk(10, "
                + sum_daily("network_attempts_ended", "provider, network", f'{PROVIDER}, outcome="not_delivered"')
                + ")"
            },
            ("SmsBridgeDeliveryRateDropped",),
            HALF,
            View.DAY_BARS,
        ),
        Panel(
            "Without result",
            "The share of messages that ended on that day without anybody saying whether they were delivered.",
            "percentunit",
            {"{{provider}}": divide_daily("attempts_ended", UNKNOWN, "attempts_ended", ACCOUNT)},
            ("SmsBridgeUnknownByDeadline",),
            FULL,
            View.DAYS,
            Limits(0.01, 0.05),
        ),
    ),
)

SPEED = Row(
    "Time to deliver by day",
    (
        Panel(
            "Half of the delivered messages arrive within",
            "The median of the time from sending to delivery, by provider. It is estimated from steps: 1 s, 2 s, 5 s "
            "and so on.",
            "s",
            {"{{provider}}": make_daily_quantile(0.5)},
            width=HALF,
            view=View.DAYS,
        ),
        Panel(
            "95 % of the delivered messages arrive within",
            "The 95th percentile of the time from sending to delivery, by provider. Phones that are switched off make "
            "it long.",
            "s",
            {"{{provider}}": make_daily_quantile(0.95)},
            width=HALF,
            view=View.DAYS,
        ),
    ),
)

COST = Row(
    "Cost by day, where providers report prices",
    (
        Panel(
            "Cost",
            f"The sum of prices, by provider. {PRICES}{PART}",
            "short",
            {"{{provider}}": sum_daily("price_charged", "provider", ACCOUNT)},
            width=HALF,
            view=View.DAY_BARS,
        ),
        Panel(
            "Average price of a message",
            f"The sum of prices divided by the number of messages with a price. {PRICES}{PART}",
            "none",
            {"{{provider}}": divide_daily("price_charged", ACCOUNT, "attempts_priced", ACCOUNT)},
            width=HALF,
            view=View.DAYS,
        ),
    ),
)

PROVIDERS = Dashboard(
    "sms-bridge-providers",
    "SMS bridge: Providers",
    "What each provider delivers, how fast and at what price, by day, for those who buy and compare. It shows as many "
    "days as Prometheus keeps.",
    (IN_TOTAL, RESULTS, SPEED, COST),
    begin="now-14d",
    refresh="15m",
)
