"""Finds what the topics hold about a message, an attempt or a recipient, for `trace` and for the status page."""

import time
from typing import NamedTuple

from bridge.accounts import Accounts, build_accounts
from bridge.clock import now_ms
from bridge.core.entries import AttemptKey
from bridge.core.errors import ConfigurationError
from bridge.core.schedule import Schedule
from bridge.dead_letters import DeadLetter
from bridge.history.refold import WAITING, Timeline, describe_state, refold
from bridge.history.search import AttemptHistory, HistorySearch, mentions, parse_attempt_keys
from bridge.history.topic_scanner import Progress, open_scanner
from bridge.kafka.clients import KafkaClients
from bridge.privacy import Privacy, extract_digits
from bridge.settings.model import PREFIX, Settings

MAX_ATTEMPTS = 100
"""Of a recipient: the latest ones are shown."""


class TraceQuery(NamedTuple):
    """What is asked."""

    name: str
    """A message id, or `PROVIDER:[ACCOUNT:]ID`; empty when a recipient is asked for."""
    recipient: str
    since: int | None
    thorough: bool
    """Look for attempts without any event too, where others have some."""


class AttemptTrace(NamedTuple):
    """One attempt, ready to be shown."""

    gathered: AttemptHistory
    story: Timeline
    now: str


class TraceResult(NamedTuple):
    """An answer."""

    asked: str
    told: tuple[AttemptTrace, ...]
    sents: tuple[AttemptTrace, ...] = ()
    """A recipient's attempts."""
    letters: tuple[DeadLetter, ...] = ()
    """Dead letters about something that became no attempt."""
    all: bool = False
    """Whether all of the journal was read, so that no attempt is missing."""
    left_out: int = 0
    since: int = 0
    read: int = 0
    seconds: float = 0.0


async def find_traces(settings: Settings, question: TraceQuery, progress: Progress | None = None) -> TraceResult:
    """Look into the topics; nobody else needs to run.

    Raises:
        ConfigurationError: Recipients aren't kept, or the topics can't be read.
    """
    accounts = build_accounts(settings)
    known_for = settings.follow.max_follow + settings.follow.remember_for
    since = question.since if question.since is not None else now_ms() - known_for
    started = time.monotonic()
    async with open_scanner(KafkaClients(settings.kafka)) as scan:
        search = HistorySearch(scan, settings, since, progress)
        found = await _found(search, question, settings, accounts)
        return found._replace(read=scan.read, seconds=time.monotonic() - started, since=since)


async def _found(search: HistorySearch, question: TraceQuery, settings: Settings, accounts: Accounts) -> TraceResult:
    timetable = build_schedule(settings, accounts)
    if question.recipient:
        return await _to_recipient(search, question.recipient, settings, timetable)
    keys = parse_attempt_keys(question.name, accounts)
    gathered = await search.attempts(keys)
    gathered = [one for one in gathered if one.past.heard or one.past.published]
    searched = False
    if not gathered:
        # What looks like an attempt is hardly ever a message: all of the journal is read for it only when asked to.
        gathered, searched = await _of_message(search, question, may_search=not keys)
    letters: list[DeadLetter] = []
    if not gathered:
        ids = [question.name, *(AttemptKey.parse(key).provider_message_id for key in keys)]
        letters = [letter for letter in await search.letters() if mentions(letter.value, ids)]
    return TraceResult(
        question.name, tuple(_told(one, timetable) for one in gathered), letters=tuple(letters), all=searched
    )


async def _of_message(
    search: HistorySearch, question: TraceQuery, *, may_search: bool
) -> tuple[list[AttemptHistory], bool]:
    """A message's attempts, and whether all of the journal was read for them."""
    events = await search.events([question.name])
    keys = {event.key for event in events}
    searched = question.thorough or (may_search and not events)
    if searched:
        keys |= {sent.key for sent in await search.attempts_of(question.name)}
    gathered = await search.attempts(sorted(keys), events)
    return sorted(gathered, key=lambda one: min((h.journaled_at for h in one.past.heard), default=0)), searched


async def _to_recipient(search: HistorySearch, number: str, settings: Settings, timetable: Schedule) -> TraceResult:
    if settings.privacy.recipient == "drop":
        raise ConfigurationError(
            f"{PREFIX}PRIVACY__RECIPIENT is drop: phone numbers aren't kept, so none can be looked up"
        )
    if not extract_digits(number):
        raise ConfigurationError(f"--recipient {number!r} has no digits")
    privacy = Privacy(settings.privacy)
    kept = privacy.redact_recipient(number)

    def is_one(recipient: str) -> bool:
        # What was written before hashing was chosen is still a number.
        return recipient == kept or extract_digits(recipient) == extract_digits(number)

    sents = await search.attempts_to(is_one)
    gathered = await search.attempts(sent.key for sent in sents[-MAX_ATTEMPTS:])
    told = [_told(one, timetable) for one in gathered]
    return TraceResult(number, (), sents=tuple(told), all=True, left_out=max(0, len(sents) - MAX_ATTEMPTS))


def build_schedule(settings: Settings, accounts: Accounts) -> Schedule:
    """When the service asks about what, as it is set up."""
    ages = {account.full_name: account.poll_ages for account in accounts.values()}
    return Schedule(settings.follow.policy(), ages)


def _told(gathered: AttemptHistory, timetable: Schedule) -> AttemptTrace:
    story = refold(gathered.key, gathered.past, timetable.policy)
    return AttemptTrace(gathered, story, describe_attempt(gathered, story, timetable, now_ms()))


def describe_attempt(gathered: AttemptHistory, story: Timeline, timetable: Schedule, now: int) -> str:
    """What is true of an attempt now, in a sentence."""
    if any(step.outcome is None and step.why == WAITING for step in story.steps):
        return "the tracker hasn't folded all of it yet: is the service running?"
    return describe_state(gathered.key, gathered.state, timetable, now)
