"""Queries for shares of messages, and other queries that panels about messages have in common."""

from scripts.dashboards.panels import ACCOUNT, PROVIDER, Limits, select_series, sum_rate

FINAL = 'status=~"delivered|undelivered|expired|rejected|failed|unknown"'
"""The final outcomes."""

DELIVERED = 'status="delivered"'
BY_DEADLINE = 'source="deadline"'
ENDED_DELIVERED, NOT_DELIVERED = 'outcome="delivered"', 'outcome="not_delivered"'
UNMAPPED = f'{PROVIDER}, outcome="unmapped"'
SHARE = Limits(0.8, 0.5, falling=True)
"""Of delivered messages. Usual shares differ between providers, so the alerts compare with the day before instead."""

TEN_NETWORKS = (
    "The ten networks with the most messages that were not delivered, of all accounts. The provider names the network: "
    "by country and network code, or by an id of its own."
)
"""What panels show about networks."""

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


def rate_networks(where: str, over: str) -> str:
    """Return a query for the rate of ended messages by network; networks are not told apart by account."""
    return sum_rate("network_attempts_ended", "provider, network", ", ".join(filter(None, (PROVIDER, where))), over)
