"""Due attempts are asked about at their provider: who asks about which, and what is still owed an answer.

Only for the partitions that this process owns.
"""

import asyncio

from bridge.accounts import Accounts
from bridge.core.attempt import Followed
from bridge.core.entries import account_of
from bridge.poller.account_poller import AccountPoller, Means
from bridge.state.keys import StoredAttempt

WAIT_FOR_LAST = 15 * 60_000
"""Milliseconds that an attempt's end waits for a last poll that an outage of ours has delayed."""


class Poller:
    """Asks about the attempts of every account that is polled."""

    def __init__(self, accounts: Accounts, means: Means) -> None:
        self._started_at = means.clock()
        self._askers = {
            account.full_name: AccountPoller(account, account.polls, means)
            for account in accounts.values()
            if account.polls
        }

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            for asker in self._askers.values():
                group.create_task(asker.run())
            await asyncio.Event().wait()

    def owed(self, key: str, known: StoredAttempt, now: int) -> bool:
        """Whether a poll is still to come before this attempt may end: one that an outage of ours has delayed."""
        asker = self._askers.get(account_of(key))
        if asker is None or not isinstance(known.state, Followed) or known.state.final_at is not None:
            return False
        patience = max(known.state.ends_at, self._started_at) + WAIT_FOR_LAST
        return now < patience and asker.owes(key, known)
