"""Polls one account's due attempts, one by one or by the provider's list.

It keeps no state of attempts: the store says when to poll, and the fold decides what an answer changes.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import islice

import structlog

from bridge.accounts import PollSettings, ProviderAccount
from bridge.core.entries import Report
from bridge.core.errors import (
    AuthenticationFailedError,
    KafkaUnavailableError,
    PollFailedError,
    RateLimitedError,
    RequestRejectedError,
    StoreCorruptedError,
)
from bridge.observability.metrics import PollerMetrics
from bridge.poller.account_health import OUTCOMES, AccountHealth, ProviderError
from bridge.poller.client import ProviderClient
from bridge.poller.due_polls import DuePoll, select_due_polls
from bridge.poller.list_polling import MIN_LIST_YIELD, REST_SECONDS, list_reports
from bridge.poller.plan import IDLE, MIN_FOR_LIST, PollPlan, plan_polls
from bridge.poller.rate_limiter import RateLimiter
from bridge.poller.report_writer import ReportWriter
from bridge.poller.retries import Retries
from bridge.poller.snapshot import AccountPollSnapshot
from bridge.providers.dialect import Paged
from bridge.state.keys import StoredAttempt
from bridge.state.ownership import OwnedPartitions

LIST = ""
"""Stands for an attempt's key where the list was asked for."""

IDLE_INTERVAL = 0.2
"""Seconds between rounds while nothing is due."""

log = structlog.get_logger(__name__)


class AccountPoller:
    """Polls one account.

    Args:
        account: The account.
        settings: How it is polled.
        owned: The partitions of this process: they hold the due polls, and their number gives its share of the rate.
        client: Sends requests to the provider.
        writer: Appends reports to the journal.
        metrics: Counts polls.
        clock: Returns milliseconds since the epoch, without jumps.
    """

    def __init__(
        self,
        account: ProviderAccount,
        settings: PollSettings,
        *,
        owned: OwnedPartitions,
        client: ProviderClient,
        writer: ReportWriter,
        metrics: PollerMetrics,
        clock: Callable[[], int],
    ) -> None:
        self._account, self._settings, self._owned = account, settings, owned
        self._client, self._writer, self._metrics, self._clock = client, writer, metrics, clock
        rng = random.Random()  # noqa: S311 - it spreads load
        self._labels = {"provider": account.provider, "account": account.name}
        self._rate_limiter = RateLimiter(settings.rate_per_second)
        self._health, self._retries = AccountHealth(account, metrics, rng), Retries(clock, rng)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._in_flight: set[str] = set()
        self._list_again_at = 0.0
        self._completed: Counter[str] = Counter()
        self._due = 0
        self._timeout = settings.timeout_ms / 1000
        self._duration = metrics.poll_duration.labels(account.provider)
        self._lateness = metrics.poll_lateness.labels(account.provider)

    def has_pending_poll(self, key: str, known: StoredAttempt) -> bool:
        """Whether a poll of an attempt is still to be sent, or under way."""
        return known.poll != 0 or key in self._in_flight

    def snapshot(self) -> AccountPollSnapshot:
        """How polling goes now."""
        return AccountPollSnapshot(
            provider=self._account.provider,
            account=self._account.name,
            paused_seconds=self._health.paused_seconds,
            failures=self._health.failures,
            credentials_refused=self._health.credentials_refused,
            due=self._due,
            completed=dict(self._completed),
        )

    async def run(self) -> None:
        """Poll what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    was_busy = await self._run_round(group)
                except StoreCorruptedError:
                    was_busy = False  # the tracker rebuilds the store
                if not was_busy:
                    await asyncio.sleep(IDLE_INTERVAL)

    async def _run_round(self, group: asyncio.TaskGroup) -> bool:
        """Plan, select and send polls; return whether any was due."""
        plan = self._plan()
        polls = self._select(plan) if plan is not IDLE else ()
        left = await self._poll_by_list(polls) if plan.use_list and len(polls) >= MIN_FOR_LIST else polls
        for poll in islice(left, plan.send):
            if not self._health.is_open:
                await self._start(poll, group)
        return bool(polls)

    def _plan(self) -> PollPlan:
        can_list = isinstance(self._settings.dialect, Paged)
        return plan_polls(
            is_open=self._health.is_open,
            is_half_open=self._health.is_half_open,
            in_flight=len(self._in_flight),
            concurrency=self._settings.concurrency,
            list_is_worthwhile=can_list and time.monotonic() >= self._list_again_at,
        )

    def _select(self, plan: PollPlan) -> Sequence[DuePoll]:
        stores, skip = self._owned.caught_up_stores(), self._in_flight.__contains__
        selection = select_due_polls(stores, self._account.full_name, self._clock(), plan.select, skip)
        self._due = selection.counted
        self._metrics.polls_due.labels(self._account.provider).set(selection.counted)
        if plan.is_probe:  # another message each time: it may be this one that the provider can't answer
            return self._retries.sort_by_failures(selection.polls)
        return selection.polls

    async def _start(self, poll: DuePoll, group: asyncio.TaskGroup) -> None:
        """Send a poll as soon as the rate and the concurrency allow it."""
        await self._await_slot()
        await self._slots.acquire()
        taken = False
        try:
            taken = not self._health.is_open and self._take(poll)
        finally:
            if not taken:
                self._slots.release()
        if taken:
            group.create_task(self._poll(poll))

    async def _await_slot(self) -> None:
        """Wait until the account's rate allows another request."""
        wait = self._rate_limiter.reserve(time.monotonic(), self._owned.share)
        if wait:
            await asyncio.sleep(wait)

    def _take(self, poll: DuePoll) -> bool:
        """Mark a poll as sent, unless there is nothing to ask any more."""
        now = self._clock()
        if poll.store.take_poll(poll.key, poll.due, now) is None:
            return False
        self._lateness.observe(max(0, now - poll.due) / 1000)
        self._in_flight.add(poll.key)
        return True

    # --- one by one ---------------------------------------------------------------------------------------------------

    async def _poll(self, poll: DuePoll) -> None:
        outcome = "failed"
        try:
            with self._duration.time():
                report = await self._client.look_up(self._settings.dialect, poll.provider_message_id, self._timeout)
            self._health.record_success()
            self._retries.forget(poll)
            outcome = "no_report" if report is None else "report"
            if report:
                await self._writer.write([(poll, report)])
        except (RateLimitedError, AuthenticationFailedError, PollFailedError) as error:
            outcome = OUTCOMES[type(error)]
            self._handle_error(poll, error)
        except asyncio.CancelledError:
            self._retries.postpone(poll, 0)  # this process ends; the next one polls
            raise
        except StoreCorruptedError:
            pass  # the tracker rebuilds the store, and the poll is in it
        except KafkaUnavailableError as error:
            log.warning("journal didn't accept a poll's answer", error=str(error))
            self._retries.postpone(poll)
        finally:
            self._slots.release()
            self._count(outcome, 1)
            self._in_flight.discard(poll.key)  # now that its report is in the journal, or it is polled again

    # --- by the provider's list ---------------------------------------------------------------------------------------

    async def _poll_by_list(self, polls: Sequence[DuePoll]) -> Collection[DuePoll]:
        """Poll the provider's list, and return the polls that it didn't answer."""
        dialect, left = self._settings.dialect, {poll.key: poll for poll in polls}
        if not isinstance(dialect, Paged):
            return polls
        try:
            async for reports in list_reports(self._client, dialect, polls, self._timeout, self._await_slot):
                self._health.record_success()
                await self._write_page([(left.pop(report.key), report) for report in reports if report.key in left])
        except RequestRejectedError as error:
            log.warning("provider rejects its list", **self._labels, error=str(error))
        except (RateLimitedError, AuthenticationFailedError, PollFailedError) as error:
            self._health.record_error(error, LIST)
        if len(polls) - len(left) < MIN_LIST_YIELD:
            self._list_again_at = time.monotonic() + REST_SECONDS
        return left.values()

    async def _write_page(self, answered: Sequence[tuple[DuePoll, Report]]) -> None:
        """Append a page's reports to the journal."""
        taken = [(poll, report) for poll, report in answered if self._take(poll)]
        try:
            await self._writer.write(taken)
        except (KafkaUnavailableError, StoreCorruptedError, PollFailedError) as error:
            log.warning("journal didn't accept a page's answers", error=str(error))
            for poll, _ in taken:
                self._retries.postpone(poll)
        except asyncio.CancelledError:
            for poll, _ in taken:
                self._retries.postpone(poll, 0)
            raise
        finally:
            self._count("report", len(taken))
            self._in_flight.difference_update(poll.key for poll, _ in taken)

    # --- errors and counting ------------------------------------------------------------------------------------------

    def _handle_error(self, poll: DuePoll, error: ProviderError) -> None:
        """Pause the account where the error concerns it, else log it; poll the message later, or never again."""
        concerns_account = self._health.record_error(error, poll.key)
        if isinstance(error, RequestRejectedError):
            ends = error.permanent and not concerns_account  # else the account may be set up wrongly
            if not self._retries.has_failed(poll):
                text = "provider will never know a message; its polling ends" if ends else "provider rejects a poll"
                log.warning(text, **self._labels, provider_message_id=poll.provider_message_id, error=str(error))
            if ends:
                self._retries.end(poll)
                return
        if concerns_account:
            self._retries.postpone(poll, getattr(error, "retry_after_seconds", None) or None)
        else:
            self._retries.postpone_rejected(poll)

    def _count(self, outcome: str, number: int) -> None:
        self._completed[outcome] += number
        self._metrics.polls_completed.labels(self._account.provider, outcome).inc(number)
