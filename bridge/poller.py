"""Due attempts are asked about at their provider; what is new goes into the journal.

Only for the partitions that this process owns. Nothing is remembered here: when to ask is in the cache, and what an
answer changes is decided by the fold.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog

from bridge.agenda import Question, choose
from bridge.core.attempt import Followed
from bridge.core.entries import Report, account_of
from bridge.core.errors import Damaged, LookupFailed, RateLimited, Refused, Unavailable
from bridge.core.lifecycle import MOVES, Move
from bridge.journal import Journal
from bridge.lookup import Client
from bridge.metrics import Metrics
from bridge.pace import Pace, backoff
from bridge.privacy import Privacy
from bridge.settings.accounts import Accounts, Polls, ProviderAccount
from bridge.tracker.layout import Known
from bridge.tracker.partition import Worker

LOOK_EVERY = 0.2
"""Seconds between looks at what is due."""

WAIT_FOR_LAST = 15 * 60_000
"""Milliseconds that an attempt's end waits for a last poll that an outage of ours has delayed."""

MOST_FAILURES = 10_000
"""Attempts whose failed polls are remembered for their backoff."""

log = structlog.get_logger(__name__)


class Means(NamedTuple):
    """What asking takes."""

    workers: Callable[[], Collection[Worker]]
    """The partitions that this process owns now."""
    partitions: int
    """How many there are in all: a process's share of an account's rate is its share of these."""
    client: Client
    journal: Journal
    privacy: Privacy
    metrics: Metrics
    clock: Callable[[], int]
    """Milliseconds since the epoch, without jumps."""


class Poller:
    """Asks about the attempts of every account that is polled."""

    def __init__(self, accounts: Accounts, means: Means) -> None:
        self._started_at = means.clock()
        self._askers = {
            f"{account.provider}:{account.name}": Asker(account, account.polls, means)
            for account in accounts.values()
            if account.polls
        }

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            for asker in self._askers.values():
                group.create_task(asker.run())
            await asyncio.Event().wait()

    def owed(self, key: str, known: Known, now: int) -> bool:
        """Whether a poll is still to come before this attempt may end: one that an outage of ours has delayed."""
        asker = self._askers.get(account_of(key))
        if asker is None or not isinstance(known.state, Followed) or known.state.final_at is not None:
            return False
        patience = max(known.state.ends_at, self._started_at) + WAIT_FOR_LAST
        return now < patience and asker.owes(key, known)


class Asker:
    """Asks about one account's attempts."""

    def __init__(self, account: ProviderAccount, polls: Polls, means: Means) -> None:
        self._account, self._polls = account, polls
        self._workers, self._partitions, self._client, self._journal, self._privacy, self._metrics, self._clock = means
        metrics = self._metrics
        self._name = f"{account.provider}:{account.name}"
        self._chance = random.Random()  # noqa: S311 - it spreads load
        self._pace = Pace(polls.rate_per_second, self._chance)
        self._slots = asyncio.Semaphore(polls.concurrency)
        self._asking: set[str] = set()
        self._failures: Counter[str] = Counter()
        self._labels = (account.provider, account.name)
        self._duration = metrics.poll_duration.labels(account.provider)
        self._lateness = metrics.poll_lateness.labels(account.provider)
        metrics.circuit_open.labels(*self._labels).set(0)
        metrics.credentials_refused.labels(*self._labels).set(0)

    def owes(self, key: str, known: Known) -> bool:
        """Whether a poll about an attempt is still to be asked, or under way."""
        return known.poll != 0 or key in self._asking

    async def run(self) -> None:
        """Ask about whatever is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    asked = await self._round(group)
                except Damaged:
                    asked = False  # the tracker builds the cache anew
                if not asked:
                    await asyncio.sleep(LOOK_EVERY)

    async def _round(self, group: asyncio.TaskGroup) -> bool:
        """Ask what is due, and tell whether anything was."""
        is_open = self._pace.open(time.monotonic())
        self._metrics.circuit_open.labels(*self._labels).set(is_open)
        questions = [] if is_open else self._due()
        for question in questions:
            if not self._pace.open(time.monotonic()):
                await self._start(question, group)
        return bool(questions)

    def _due(self) -> Sequence[Question]:
        """Some of what is due; while the circuit is half open, one question at a time."""
        probing = self._pace.probing
        if probing and self._asking:
            return ()
        limit = 1 if probing else 2 * self._polls.concurrency
        due = choose(self._workers(), self._name, self._clock(), limit, self._asking.__contains__)
        self._metrics.polls_due.labels(self._account.provider).set(due.seen)
        return due.chosen

    async def _start(self, question: Question, group: asyncio.TaskGroup) -> None:
        wait = self._pace.wait(time.monotonic(), self._share())
        if wait:
            await asyncio.sleep(wait)
        await self._slots.acquire()
        now, taken = self._clock(), False
        try:
            is_open = self._pace.open(time.monotonic())
            taken = not is_open and question.attempts.ask(question.key, question.due, now) is not None
        finally:
            if not taken:
                self._slots.release()
        if not taken:
            return
        self._lateness.observe(max(0, now - question.due) / 1000)
        self._asking.add(question.key)
        group.create_task(self._ask(question))

    def _share(self) -> float:
        return max(1, len(self._workers())) / self._partitions

    async def _ask(self, question: Question) -> None:
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
            if report and self._is_news(question, report):
                kept = report._replace(raw=self._privacy.words(report.raw, self._account.dialect.recipient_members))
                await self._journal.append([self._journal.record(kept)])
        except RateLimited as error:
            outcome = "rate_limited"
            self._pace.limited(time.monotonic(), error.retry_after)
            self._ask_again(question, error.retry_after or None)
        except Refused:
            outcome = "refused"
            log.warning("the provider refuses our credentials", provider=self._labels[0], account=self._labels[1])
            self._metrics.credentials_refused.labels(*self._labels).set(1)
            self._pace.refused(time.monotonic())
            self._ask_again(question)
        except LookupFailed as error:
            log.warning("a poll failed", provider=self._labels[0], account=self._labels[1], error=str(error))
            self._pace.failed(time.monotonic())
            self._ask_again(question)
        except asyncio.CancelledError:
            self._ask_again(question, 0)  # this process ends; the next one asks
            raise
        except Damaged:
            pass  # the tracker builds the cache anew, and the question is in it
        except Unavailable as error:
            log.warning("the journal didn't take a poll's answer", error=str(error))
            self._ask_again(question)
        finally:
            self._slots.release()
            self._metrics.polls_completed.labels(self._account.provider, outcome).inc()
            self._asking.discard(question.key)  # now that its report is in the journal, or it is asked again

    def _ask_again(self, question: Question, delay: float | None = None) -> None:
        """Put a question off, by so many seconds or by what its own failures come to."""
        if delay is None:
            if len(self._failures) > MOST_FAILURES:
                self._failures.clear()  # most of them have long ended
            self._failures[question.key] += 1
            delay = backoff(self._failures[question.key] - 1, self._chance)
        now = self._clock()
        with suppress(Damaged):
            question.attempts.ask_again(question.key, now + int(delay * 1000), now)

    def _is_news(self, question: Question, report: Report) -> bool:
        """Whether a report would change anything; one that wouldn't isn't written."""
        known = question.attempts.get([question.key])[0]
        if report.verdict is None or known is None or not isinstance(known.state, Followed):
            return True
        return MOVES[known.state.status, report.verdict.status] in {Move.PUBLISH, Move.CORRECT}
