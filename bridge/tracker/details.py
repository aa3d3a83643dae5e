"""Reads what providers tell about a message beside its status: its network, and its price. Pure."""

import re
from functools import lru_cache

OTHER = "other"
"""The network of what can't be a network's name."""

UNREPORTED = "unreported"
"""The network of messages whose network isn't known."""

_SEPARATORS = re.compile(r"[\s./-]+")
_NETWORK = re.compile(r"[0-9A-Za-z_]{1,24}")
_PRICE = re.compile(r"(?:[A-Za-z$€£]{1,3} ?)?-?(\d{1,9}(?:[.,]\d{1,9})?)(?: ?[A-Za-z$€£]{1,3})?")


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
