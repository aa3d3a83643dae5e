"""When an attempt's timer runs out and when it is asked about: `core/schedule.py` with the settings filled in."""

from collections.abc import Mapping
from typing import NamedTuple
from zlib import crc32

from bridge.core.attempt import Followed, Policy
from bridge.core.entries import account_of
from bridge.core.schedule import next_poll_at


class Timetable(NamedTuple):
    """When an attempt's timer runs out and its polls are due, as settings say."""

    policy: Policy
    poll_ages: Mapping[str, tuple[int, ...]]
    """By `provider:account`; in milliseconds."""

    def next_poll(self, key: str, state: Followed, after: int) -> int:
        """The first poll after a time, or 0 when there is none."""
        ages = self.poll_ages.get(account_of(key), ())
        return next_poll_at(ages, key, state.starts_at, state.ends_at, after) or 0

    @property
    def fingerprint(self) -> int:
        """Another one means that the order of time in a cache is another."""
        return crc32(repr((self.policy, sorted(self.poll_ages.items()))).encode())
