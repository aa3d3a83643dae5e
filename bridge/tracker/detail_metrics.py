"""Counts what providers tell about a message beside its status: its network, and its price.

Both are counted once per attempt, with its first final event. What a later correction tells isn't counted. The set of
label values is limited, because a provider decides what a network is called.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

from bridge.core.delivery import Outcome
from bridge.observability.metrics import AttemptMetrics
from bridge.tracker.cohorts import OUTCOMES

MAX_NETWORKS = 100
"""Of a provider in this process: the first ones that it reports. Together they carry nearly all of its messages."""

OTHER = "other"
"""The label of further networks, and of what can't be a network's name."""

UNREPORTED = "unreported"
"""The label of messages whose network isn't known."""

_SEPARATORS = re.compile(r"[\s./-]+")
_NETWORK = re.compile(r"[0-9A-Za-z_]{1,24}")
_PRICE = re.compile(r"(?:[A-Za-z$€£]{1,3} ?)?-?(\d{1,9}(?:[.,]\d{1,9})?)(?: ?[A-Za-z$€£]{1,3})?")


class DetailMetrics:
    """Counts networks and prices.

    Args:
        metrics: The metrics of attempts.
    """

    def __init__(self, metrics: AttemptMetrics) -> None:
        self._metrics = metrics
        self._networks: defaultdict[str, set[str]] = defaultdict(set)

    def record(self, provider: str, account: str, outcome: Outcome, details: Sequence[Mapping[str, str]]) -> None:
        """Count what was told of attempts that have ended in this way."""
        for network, number in Counter([self._find_network(provider, one) for one in details]).items():
            self._metrics.network_attempts_ended.labels(provider, network, outcome).inc(number)
        prices = [price for one in details if (price := parse_price(one.get("price"))) is not None]
        if prices:
            self._metrics.attempts_priced.labels(provider, account).inc(len(prices))
            self._metrics.price_charged.labels(provider, account).inc(sum(prices))

    def _find_network(self, provider: str, details: Mapping[str, str]) -> str:
        known = self._networks[provider]
        network = normalize_network(details.get("mccmnc") or details.get("network_id"))
        if network not in known and network != UNREPORTED and len(known) >= MAX_NETWORKS:
            network = OTHER
        if network not in known:
            known.add(network)
            for outcome in OUTCOMES:  # all at once, because a share needs each, also a rare one
                self._metrics.network_attempts_ended.labels(provider, network, outcome)
        return network


@lru_cache(1024)
def normalize_network(text: str | None) -> str:
    """Return a network's label: without separators, so that `262-01` and `26201` are the same."""
    joined = _SEPARATORS.sub("", text or "")
    if not joined:
        return UNREPORTED
    return joined if _NETWORK.fullmatch(joined) else OTHER


@lru_cache(1024)
def parse_price(text: str | None) -> float | None:
    """Read a price, with or without a currency; None if there is none.

    A comma is a decimal point. Some providers report what they charge as a negative number: the sign is ignored.
    """
    found = _PRICE.fullmatch(text.strip()) if text else None
    return float(found[1].replace(",", ".")) if found else None
