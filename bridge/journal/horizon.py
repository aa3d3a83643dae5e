"""What a partition has forgotten; committed with its offset. Pure."""

from collections.abc import Collection
from typing import NamedTuple, Self

from bridge.core.entries import MAX_AHEAD_MS


class Horizon(NamedTuple):
    """What a partition has forgotten, so that a message whose attempt was forgotten isn't followed once more.

    Settings say for how long a message is followed. After they have changed, the times of a sent event no longer tell
    whether its attempt was forgotten before; then only when it was sent does.
    """

    forgotten_until: int = 0
    """The latest `sent_at` of forgotten attempts."""
    refused_until: int = 0
    """The same, of attempts that were followed under other settings; unknown messages sent until then are refused."""
    changed_at: int = 0
    """When the settings changed last; 0: never."""
    settings: str = ""
    """A fingerprint of the settings."""

    def forget(self, sent: Collection[int], now: int) -> Self:
        """Note that attempts were forgotten, and when they were sent: never later than now, whatever a sender said."""
        sent = [min(sent_at, now) for sent_at in sent]
        before = [sent_at for sent_at in sent if sent_at <= self.changed_at + MAX_AHEAD_MS]
        return self._replace(
            forgotten_until=max(self.forgotten_until, *sent, 0), refused_until=max(self.refused_until, *before, 0)
        )

    def apply_settings(self, settings: str, now: int) -> Self:
        """Note the settings that apply from now on."""
        if settings == self.settings:
            return self
        if not self.settings:
            return self._replace(settings=settings)
        refused = max(self.refused_until, self.forgotten_until)
        return self._replace(refused_until=refused, changed_at=now, settings=settings)


NOTHING_FORGOTTEN = Horizon()
