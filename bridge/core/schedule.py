"""When to poll an attempt. The schedule depends only on its age, so that no state of past polls is needed.

All times are milliseconds since the epoch, all ages and durations milliseconds.
"""

from collections.abc import Mapping
from typing import NamedTuple
from zlib import crc32

from bridge.core.attempt import Followed, Policy
from bridge.core.entries import extract_full_account

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000

FALLBACK = (15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR, 36 * HOUR)
"""Ages for polls that find what callbacks lost."""

ALWAYS = (
    10 * SECOND,
    30 * SECOND,
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 20, 40)),
    *(hours * HOUR for hours in (1, 2, 4, 8, 16, 24, 36)),
)
"""Ages for an account without callbacks."""

JITTER = 0.1
"""Ages are stretched by up to this share, by a hash of the key, so that a burst of messages isn't a burst of polls."""


def compute_last_poll(starts_at: int, ends_at: int) -> int:
    """Compute the time of the last poll: a tenth of the attempt's duration, but at least 5 seconds, before its end."""
    return max(starts_at, ends_at - max((ends_at - starts_at) // 10, 5 * SECOND))


def find_next_poll(ages: tuple[int, ...], key: str, starts_at: int, ends_at: int, after: int) -> int | None:
    """Find the first poll later than `after`, or None if there is none before the attempt's end.

    An attempt that missed polls, in an outage of the bridge, is polled once at once: with `after=starts_at - 1`, the
    result is a time in the past. The poll after that is in the future again.

    Args:
        ages: When to poll, counted from `starts_at`, ascending. Empty: never.
        key: The attempt's key, for the jitter.
        starts_at: The start of ages.
        ends_at: The attempt's end.
        after: The time that the poll must be later than.
    """
    if not ages:
        return None
    stretch = 1 + JITTER * crc32(key.encode()) / 2**32
    last = compute_last_poll(starts_at, ends_at)
    found = ends_at if last <= after else last
    for age in ages:
        time = starts_at + int(age * stretch)
        if time > after:  # the later ones needn't be computed
            found = min(found, time)
            break
    return found if found < ends_at else None


class Schedule(NamedTuple):
    """When attempts' timers expire and their polls are due, as settings say."""

    policy: Policy
    poll_ages: Mapping[str, tuple[int, ...]]
    """When to poll, by `provider:account`; in milliseconds."""

    def find_next_poll(self, key: str, state: Followed, after: int) -> int:
        """Find the first poll after a time, or 0 if there is none."""
        ages = self.poll_ages.get(extract_full_account(key), ())
        return find_next_poll(ages, key, state.starts_at, state.ends_at, after) or 0

    @property
    def fingerprint(self) -> int:
        """A cache with another fingerprint was ordered by another schedule, and its times are wrong."""
        return crc32(repr((self.policy, sorted(self.poll_ages.items()))).encode())
