"""Reads a provider's times, and counts those that are in a form that it can't read."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from bridge.core.entries import MAX_AHEAD_MS
from bridge.core.time_formats import parse_time
from bridge.providers.parsing import to_text


class ProviderTimes:
    """Reads the times of an account's reports.

    Args:
        timezone: The zone of times that come without one.
        formats: The provider's own forms of times, as `strptime` takes them.
    """

    def __init__(self, timezone: tzinfo, formats: Sequence[str] = ()) -> None:
        self._timezone, self._formats = timezone, formats
        self.unread = 0
        """How many times couldn't be read."""
        self.last_unread = ""

    def parse(self, value: Any, observed_at: int) -> int | None:
        """Parse a time to milliseconds since the epoch; None if it is missing or can't be read.

        Args:
            value: The time, as number or text.
            observed_at: When it was received. A number since the epoch can't be more than a day later.
        """
        text = to_text(value)
        if text is None:
            return None
        milliseconds = parse_time(text, observed_at + MAX_AHEAD_MS, self._timezone, self._formats)
        if milliseconds and milliseconds > 0:
            return milliseconds
        self.unread, self.last_unread = self.unread + 1, text
        return None
