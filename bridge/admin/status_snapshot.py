"""One moment of a process, collected from its parts: all that the status page is made of."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bridge import __version__
from bridge.accounts import Accounts
from bridge.admin.pending_ages import PendingAges
from bridge.admin.rates import Counts, RateHistory, Sample
from bridge.observability.event_loop import EventLoopMonitor
from bridge.observability.logs import Notice, RecentNotices
from bridge.observability.readiness import PartStatus, Readiness
from bridge.poller.snapshot import AccountPollSnapshot
from bridge.state.ownership import OwnedPartitions, PartitionSnapshot


class AccountStatus(NamedTuple):
    """An account as it is set up."""

    provider: str
    name: str
    polled: bool
    called: bool
    """Whether callbacks are taken for it."""


class StatusSnapshot(NamedTuple):
    """All that a report is made of."""

    identity: Mapping[str, Any]
    """Version, roles, start and the like, as they are shown."""
    roles: frozenset[str]
    parts: Sequence[PartStatus]
    partitions: Sequence[PartitionSnapshot]
    partitions_in_all: int
    accounts: Sequence[AccountStatus]
    polling: Sequence[AccountPollSnapshot]
    samples: Sequence[Sample]
    ages: Mapping[str, Mapping[str, int]]
    loop_delay: float
    notices: Sequence[Notice]


class PartSnapshots(NamedTuple):
    """How the parts of this process tell what they did; one that doesn't run tells nothing."""

    sent_accepted: Callable[[], Mapping[str, int]] = dict
    """By provider."""
    callbacks_received: Callable[[], Counts] = dict
    """By provider and outcome."""
    deliveries_published: Callable[[], Counts] = dict
    """By provider and status."""
    dead_letters_written: Callable[[], Mapping[str, int]] = dict
    """By reason."""
    polling: Callable[[], Sequence[AccountPollSnapshot]] = tuple

    def read_counts(self) -> dict[str, Counts]:
        """All counts that rates are made of, by name."""
        polls = Counter[tuple[str, ...]]()
        for one in self.polling():
            polls.update({(one.provider, outcome): count for outcome, count in one.completed.items()})
        return {
            "sent_accepted": {(provider,): count for provider, count in self.sent_accepted().items()},
            "callbacks_received": self.callbacks_received(),
            "polls_completed": polls,
            "deliveries_published": self.deliveries_published(),
            "dead_letters_written": {(reason,): count for reason, count in self.dead_letters_written().items()},
        }


class StatusCollector:
    """Collects snapshots.

    Args:
        roles: What the process does.
        accounts: The accounts that are set up.
        readiness: What readiness depends on.
        owned: The partitions of this process.
        parts: What the parts tell.
        ages: The ages of open messages.
        event_loop: How late the event loop is.
        notices: The last warnings and errors.
    """

    def __init__(
        self,
        roles: Iterable[str],
        accounts: Accounts,
        *,
        readiness: Readiness,
        owned: OwnedPartitions,
        parts: PartSnapshots,
        ages: PendingAges,
        event_loop: EventLoopMonitor,
        notices: RecentNotices,
    ) -> None:
        self._roles = frozenset(roles)
        self._accounts = [
            AccountStatus(account.provider, account.name, bool(account.poll_ages), account.access is not None)
            for account in accounts.values()
        ]
        self._readiness, self._owned, self._parts, self._ages = readiness, owned, parts, ages
        self._event_loop, self._notices = event_loop, notices
        self._started, self._started_at = time.monotonic(), datetime.now(UTC)
        self.rates = RateHistory(self._observe)

    def _observe(self) -> Mapping[str, Counts]:
        self._readiness.statuses()  # so that it knows since when, whether anybody looks or not
        return self._parts.read_counts()

    async def collect(self) -> StatusSnapshot:
        """Look at everything now."""
        ages = await self._ages.count()
        return StatusSnapshot(
            identity={
                "version": __version__,
                "roles": sorted(self._roles),
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "started_at": self._started_at.isoformat(timespec="seconds"),
                "uptime_seconds": round(time.monotonic() - self._started),
            },
            roles=self._roles,
            parts=self._readiness.statuses(),
            partitions=self._owned.snapshot(),
            partitions_in_all=self._owned.total,
            accounts=self._accounts,
            polling=self._parts.polling(),
            samples=self.rates.samples(),
            ages=ages,
            loop_delay=self._event_loop.delay_seconds,
            notices=self._notices.latest(),
        )
