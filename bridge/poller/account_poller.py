"""One account's due attempts are asked about, one by one or many at a time; what is new goes into the journal.

Nothing is remembered here: when to ask is in the cache, and what an answer changes is decided by the fold.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

import structlog

from bridge.accounts import PollSettings, ProviderAccount
from bridge.core.attempt import Followed
from bridge.core.entries import Report
from bridge.core.errors import (
    AuthenticationFailedError,
    KafkaUnavailableError,
    PollFailedError,
    RateLimitedError,
    StoreCorruptedError,
)
from bridge.core.lifecycle import MOVES, Move
from bridge.journal.writer import JournalWriter
from bridge.observability.metrics import Metrics
from bridge.poller.client import ProviderClient
from bridge.poller.due_polls import DuePoll, select_due_polls
from bridge.poller.list_polling import REST, WORTHWHILE, YIELD, list_reports
from bridge.poller.pace import Pace, backoff
from bridge.privacy import Privacy
from bridge.providers.dialect import Paged
from bridge.state.keys import StoredAttempt
from bridge.tracker.worker import PartitionWorker

LOOK_EVERY = 0.2
"""Seconds between looks at what is due."""

MANY = 500
"""Questions that are looked for at a time where a list may answer them."""

MOST_FAILURES = 10_000
"""Attempts whose failed polls are remembered for their backoff."""

log = structlog.get_logger(__name__)


class Means(NamedTuple):
    """What asking takes."""

    workers: Callable[[], Collection[PartitionWorker]]
    """The partitions that this process owns now."""
    partitions: int
    """How many there are in all: a process's share of an account's rate is its share of these."""
    client: ProviderClient
    journal: JournalWriter
    privacy: Privacy
    metrics: Metrics
    clock: Callable[[], int]
    """Milliseconds since the epoch, without jumps."""


class AccountPoller:
    """Asks about one account's attempts."""

    def __init__(self, account: ProviderAccount, polls: PollSettings, means: Means) -> None:
        self._account, self._polls = account, polls
        self._workers, self._partitions, self._client, self._journal, self._privacy, self._metrics, self._clock = means
        metrics = self._metrics
        self._name = account.full_name
        self._chance = random.Random()  # noqa: S311 - it spreads load
        self._pace = Pace(polls.rate_per_second, self._chance)
        self._slots = asyncio.Semaphore(polls.concurrency)
        self._asking: set[str] = set()
        self._sweep_again_at = 0.0
        self._failures: Counter[str] = Counter()
        self._labels = (account.provider, account.name)
        self._duration = metrics.poll_duration.labels(account.provider)
        self._lateness = metrics.poll_lateness.labels(account.provider)
        metrics.circuit_open.labels(*self._labels).set(0)
        metrics.credentials_refused.labels(*self._labels).set(0)

    def owes(self, key: str, known: StoredAttempt) -> bool:
        """Whether a poll about an attempt is still to be asked, or under way."""
        return known.poll != 0 or key in self._asking

    async def run(self) -> None:
        """Ask about whatever is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    asked = await self._round(group)
                except StoreCorruptedError:
                    asked = False  # the tracker builds the cache anew
                if not asked:
                    await asyncio.sleep(LOOK_EVERY)

    async def _round(self, group: asyncio.TaskGroup) -> bool:
        """Ask what is due, and tell whether anything was."""
        is_open = self._pace.open(time.monotonic())
        self._metrics.circuit_open.labels(*self._labels).set(is_open)
        questions = [] if is_open else self._due()
        for question in islice(await self._sweep(questions), 2 * self._polls.concurrency):
            if not self._pace.open(time.monotonic()):
                await self._start(question, group)
        return bool(questions)

    def _due(self) -> Sequence[DuePoll]:
        """Some of what is due; while the circuit is half open, one question at a time."""
        probing = self._pace.probing
        if probing and self._asking:
            return ()
        limit = 1 if probing else max(2 * self._polls.concurrency, MANY if self._sweeps else 0)
        due = select_due_polls(self._workers(), self._name, self._clock(), limit, self._asking.__contains__)
        self._metrics.polls_due.labels(self._account.provider).set(due.seen)
        return due.chosen

    async def _turn(self) -> None:
        """Wait until the account's rate allows another question."""
        wait = self._pace.wait(time.monotonic(), self._share())
        if wait:
            await asyncio.sleep(wait)

    async def _start(self, question: DuePoll, group: asyncio.TaskGroup) -> None:
        await self._turn()
        await self._slots.acquire()
        taken = False
        try:
            taken = not self._pace.open(time.monotonic()) and self._takes(question)
        finally:
            if not taken:
                self._slots.release()
        if taken:
            group.create_task(self._ask(question))

    def _takes(self, question: DuePoll) -> bool:
        """Take a question, unless there is nothing to ask any more."""
        now = self._clock()
        if question.attempts.ask(question.key, question.due, now) is None:
            return False
        self._lateness.observe(max(0, now - question.due) / 1000)
        self._asking.add(question.key)
        return True

    @property
    def _sweeps(self) -> bool:
        """Whether this account's messages can be listed, and that has been worth it."""
        return isinstance(self._polls.dialect, Paged) and time.monotonic() >= self._sweep_again_at

    async def _sweep(self, questions: Sequence[DuePoll]) -> Collection[DuePoll]:
        """Ask about many at once, where that can be done; what is left has to be asked about one by one."""
        dialect, left = self._polls.dialect, {question.key: question for question in questions}
        if len(left) < WORTHWHILE or not (isinstance(dialect, Paged) and self._sweeps):
            return questions
        try:
            within = self._polls.timeout / 1000
            async for reports in list_reports(self._client, dialect, questions, timeout=within, turn=self._turn):
                self._pace.answered()
                keys = (f"{self._name}:{report.provider_message_id}" for report in reports)
                await self._learn([(left.pop(key), r) for key, r in zip(keys, reports, strict=True) if key in left])
        except (RateLimitedError, AuthenticationFailedError, PollFailedError) as error:
            self._setback(error)
        if len(questions) - len(left) < YIELD:
            self._sweep_again_at = time.monotonic() + REST
        return left.values()

    async def _learn(self, answered: Sequence[tuple[DuePoll, Report]]) -> None:
        """Take what a page says of these."""
        taken = [(question, report) for question, report in answered if self._takes(question)]
        try:
            await self._keep(taken)
        except (KafkaUnavailableError, StoreCorruptedError) as error:
            log.warning("the journal didn't take a page's answers", error=str(error))
            for question, _ in taken:
                self._ask_again(question)
        except asyncio.CancelledError:
            for question, _ in taken:
                self._ask_again(question, 0)
            raise
        finally:
            self._metrics.polls_completed.labels(self._account.provider, "report").inc(len(taken))
            self._asking.difference_update(question.key for question, _ in taken)

    def _share(self) -> float:
        return max(1, len(self._workers())) / self._partitions

    async def _ask(self, question: DuePoll) -> None:
        outcome = "failed"
        try:
            with self._duration.time():
                report = await self._client.look_up(
                    self._polls.dialect, question.key.split(":", 2)[2], self._polls.timeout / 1000
                )
            self._pace.answered()
            self._failures.pop(question.key, None)
            self._metrics.credentials_refused.labels(*self._labels).set(0)
            outcome = "no_report" if report is None else "report"
            if report:
                await self._keep([(question, report)])
        except (RateLimitedError, AuthenticationFailedError, PollFailedError) as error:
            outcome, delay = self._setback(error)
            self._ask_again(question, delay)
        except asyncio.CancelledError:
            self._ask_again(question, 0)  # this process ends; the next one asks
            raise
        except StoreCorruptedError:
            pass  # the tracker builds the cache anew, and the question is in it
        except KafkaUnavailableError as error:
            log.warning("the journal didn't take a poll's answer", error=str(error))
            self._ask_again(question)
        finally:
            self._slots.release()
            self._metrics.polls_completed.labels(self._account.provider, outcome).inc()
            self._asking.discard(question.key)  # now that its report is in the journal, or it is asked again

    async def _keep(self, answered: Sequence[tuple[DuePoll, Report]]) -> None:
        """Put what is new into the journal."""
        members = self._account.dialect.recipient_members
        news = [report for question, report in answered if self._is_news(question, report)]
        if news:
            kept = (report._replace(raw=self._privacy.words(report.raw, members)) for report in news)
            await self._journal.append([self._journal.record(report) for report in kept])

    def _setback(
        self, error: RateLimitedError | AuthenticationFailedError | PollFailedError
    ) -> tuple[str, float | None]:
        """Slow down as an answer demands that was none; its outcome, and the delay in seconds where it names one."""
        if isinstance(error, RateLimitedError):
            self._pace.limited(time.monotonic(), error.retry_after)
            return "rate_limited", error.retry_after or None
        provider, account = self._labels
        if isinstance(error, AuthenticationFailedError):
            log.warning("the provider refuses our credentials", provider=provider, account=account)
            self._metrics.credentials_refused.labels(*self._labels).set(1)
            self._pace.refused(time.monotonic())
            return "refused", None
        log.warning("a poll failed", provider=provider, account=account, error=str(error))
        self._pace.failed(time.monotonic())
        return "failed", None

    def _ask_again(self, question: DuePoll, delay: float | None = None) -> None:
        """Put a question off, by so many seconds or by what its own failures come to."""
        if delay is None:
            if len(self._failures) > MOST_FAILURES:
                self._failures.clear()  # most of them have long ended
            self._failures[question.key] += 1
            delay = backoff(self._failures[question.key] - 1, self._chance)
        now = self._clock()
        with suppress(StoreCorruptedError):
            question.attempts.ask_again(question.key, now + int(delay * 1000), now)

    def _is_news(self, question: DuePoll, report: Report) -> bool:
        """Whether a report would change anything; one that wouldn't isn't written."""
        known = question.attempts.get([question.key])[0]
        if report.verdict is None or known is None or not isinstance(known.state, Followed):
            return True
        return MOVES[known.state.status, report.verdict.status] in {Move.PUBLISH, Move.CORRECT}
