"""When to ask a provider about an attempt. Pure in age: nothing needs to remember what was asked before.

All times are milliseconds since the epoch, all ages and durations milliseconds.
"""

from collections.abc import Mapping
from typing import NamedTuple
from zlib import crc32

from bridge.core.attempt import Followed, Policy
from bridge.core.entries import full_account_of

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000

FALLBACK = (15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR, 36 * HOUR)
"""Callbacks do the work; polls find what they lost."""

ALWAYS = (
    10 * SECOND,
    30 * SECOND,
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 20, 40)),
    *(hours * HOUR for hours in (1, 2, 4, 8, 16, 24, 36)),
)
"""Polls do the work."""

JITTER = 0.1
"""Ages are stretched by up to this share, by a hash of the key, so that a burst of messages isn't a burst of polls."""


def last_poll_at(starts_at: int, ends_at: int) -> int:
    """When to ask for the last time: a tenth of the attempt's time, and at least 5 seconds, before its end."""
    return max(starts_at, ends_at - max((ends_at - starts_at) // 10, 5 * SECOND))


def next_poll_at(ages: tuple[int, ...], key: str, starts_at: int, ends_at: int, after: int) -> int | None:
    """The first poll later than `after`, or None when there is none before the end.

    An attempt that missed polls (an outage of ours) is due once, at once: whoever asks passes `after=starts_at - 1`
    and finds a time that has passed; the one after that lies ahead again.

    Args:
        ages: When to ask, counted from `starts_at`, ascending. Empty: never.
        key: The attempt's key, for the jitter.
        starts_at: From when ages count.
        ends_at: The attempt's end.
        after: The time before which nothing is wanted.
    """
    if not ages:
        return None
    stretch = 1 + JITTER * crc32(key.encode()) / 2**32
    last = last_poll_at(starts_at, ends_at)
    times = (starts_at + int(age * stretch) for age in ages)
    return min((time for time in (*times, last) if after < time < ends_at), default=None)


class Schedule(NamedTuple):
    """When an attempt's timer runs out and its polls are due, as settings say."""

    policy: Policy
    poll_ages: Mapping[str, tuple[int, ...]]
    """By `provider:account`; in milliseconds."""

    def next_poll(self, key: str, state: Followed, after: int) -> int:
        """The first poll after a time, or 0 when there is none."""
        ages = self.poll_ages.get(full_account_of(key), ())
        return next_poll_at(ages, key, state.starts_at, state.ends_at, after) or 0

    @property
    def fingerprint(self) -> int:
        """Another one means that the order of time in a cache is another."""
        return crc32(repr((self.policy, sorted(self.poll_ages.items()))).encode())
