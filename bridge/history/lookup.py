"""Finds what the topics hold about a message, an attempt or a recipient, for `trace` and for the status page."""

import time
from typing import NamedTuple

from bridge.accounts import Accounts, build_accounts
from bridge.clock import now_ms
from bridge.core.entries import AttemptKey, Sent
from bridge.core.errors import ConfigurationError
from bridge.core.schedule import Schedule
from bridge.dead_letters import DeadLetter
from bridge.history.recipient_forms import make_recipient_matcher
from bridge.history.refold import WAITING, Timeline, describe_state, refold
from bridge.history.search import AttemptHistory, HistorySearch, parse_attempt_keys
from bridge.history.summary import summarize_attempt
from bridge.history.topic_scanner import Progress, open_scanner
from bridge.kafka.clients import KafkaClients
from bridge.phone_numbers import extract_digits
from bridge.privacy import Privacy
from bridge.settings.model import PREFIX, Settings

QUICK_LETTERS_TIMEOUT = 5.0
"""Seconds."""

MAX_ATTEMPTS = 100
"""Of a recipient: the latest ones are shown."""


class TraceQuery(NamedTuple):
    """What is looked up."""

    name: str
    """A message id, or `PROVIDER:[ACCOUNT:]ID`; empty when a recipient is asked for."""
    recipient: str
    since: int | None
    thorough: bool
    """Look for attempts without any event, too, where others have some."""
    quick: bool = False
    """Never read all of the journal: an attempt without any event is found by its own key only. And stop reading dead
    letters after `QUICK_LETTERS_TIMEOUT`: a flood of them mustn't hide the story."""


class AttemptTrace(NamedTuple):
    """One attempt, ready to be shown."""

    history: AttemptHistory
    timeline: Timeline
    now: str
    summary: str
    """What became of it, in a sentence."""
    refused: Sent | None = None
    """The sent event that was asked for, if it was refused because the attempt belongs to another message."""


class TraceResult(NamedTuple):
    """What was found."""

    asked: str
    traces: tuple[AttemptTrace, ...]
    sents: tuple[AttemptTrace, ...] = ()
    """A recipient's attempts."""
    letters: tuple[DeadLetter, ...] = ()
    """Dead letters about input that became no attempt."""
    all: bool = False
    """Whether all of the journal was read, so that no attempt is missing."""
    left_out: int = 0
    since: int = 0
    read: int = 0
    seconds: float = 0.0
    providers: tuple[str, ...] = ()
    """The configured providers, if the id may begin with another one's name."""
    letters_left: bool = False
    """Whether time ran out before all dead letters were looked through."""


async def find_traces(settings: Settings, query: TraceQuery, progress: Progress | None = None) -> TraceResult:
    """Look a query up in the topics; the service needn't run.

    Raises:
        ConfigurationError: Recipients aren't kept, or the topics can't be read.
    """
    accounts = build_accounts(settings)
    known_for = settings.follow.max_follow + settings.follow.remember_for
    since = query.since if query.since is not None else now_ms() - known_for
    started = time.monotonic()
    async with open_scanner(KafkaClients(settings.kafka)) as scan:
        letters_timeout = QUICK_LETTERS_TIMEOUT if query.quick else None
        search = HistorySearch(scan, settings, since, accounts, progress, letters_timeout=letters_timeout)
        found = await _find(search, query, settings, accounts)
        seconds = time.monotonic() - started
        return found._replace(read=scan.read, seconds=seconds, since=since, letters_left=search.letters_left)


async def _find(search: HistorySearch, query: TraceQuery, settings: Settings, accounts: Accounts) -> TraceResult:
    schedule = build_schedule(settings, accounts)
    if query.recipient:
        return await _find_recipient(search, query.recipient, settings, schedule)
    keys = parse_attempt_keys(query.name, accounts)
    gathered = await search.collect(keys)
    gathered = [one for one in gathered if one.records.entries or one.records.published]
    searched = False
    if not gathered:
        # A query that looks like an attempt is hardly ever a message id: the whole journal is read only on request.
        gathered, searched = await _find_message(search, query, may_search=not (keys or query.quick))
    letters: list[DeadLetter] = []
    if not gathered:
        ids = [query.name, *(AttemptKey.parse(key).provider_message_id for key in keys)]
        letters = await search.find_letters_with(ids)
    return TraceResult(
        query.name,
        tuple(make_trace(one, schedule, query.name) for one in gathered),
        letters=tuple(letters),
        all=searched,
        providers=() if keys or ":" not in query.name else tuple(dict.fromkeys(name for name, _ in accounts)),
    )


async def _find_message(
    search: HistorySearch, query: TraceQuery, *, may_search: bool
) -> tuple[list[AttemptHistory], bool]:
    """Find a message's attempts, and tell whether all of the journal was read for them."""
    events = await search.find_events([query.name])
    keys = {search.make_key(event) for event in events}
    searched = query.thorough or (may_search and not events)
    if searched:
        keys |= {sent.key for sent in await search.find_attempts_of(query.name)}
    gathered = await search.collect(sorted(keys), events)
    return sorted(gathered, key=lambda one: min((h.journaled_at for h in one.records.entries), default=0)), searched


async def _find_recipient(search: HistorySearch, number: str, settings: Settings, schedule: Schedule) -> TraceResult:
    if settings.privacy.recipient == "drop":
        raise ConfigurationError(
            f"{PREFIX}PRIVACY__RECIPIENT is drop: phone numbers aren't kept, so none can be looked up"
        )
    if not extract_digits(number):
        raise ConfigurationError(f"--recipient {number!r} has no digits")
    is_one = make_recipient_matcher(number, settings.admin.default_region, Privacy(settings.privacy))
    sents = await search.find_attempts_to(is_one)
    asked = {sent.key: sent.message_id for sent in sents[-MAX_ATTEMPTS:]}
    traces = [make_trace(one, schedule, asked[one.key]) for one in await search.collect(asked)]
    return TraceResult(number, (), sents=tuple(traces), all=True, left_out=max(0, len(sents) - MAX_ATTEMPTS))


def build_schedule(settings: Settings, accounts: Accounts) -> Schedule:
    """Build the schedule that the service has with these settings."""
    ages = {account.full_name: account.poll_ages for account in accounts.values()}
    return Schedule(settings.follow.to_policy(), ages)


def make_trace(gathered: AttemptHistory, schedule: Schedule, asked: str) -> AttemptTrace:
    """Make an attempt ready to be shown to somebody who asked for this message, or for the attempt."""
    timeline = refold(gathered.key, gathered.records, schedule.policy)
    now = describe_attempt(gathered, timeline, schedule, now_ms())
    summary, refused = summarize_attempt(timeline, gathered.state), timeline.find_refused(asked)
    if refused:
        belongs = f"the provider's id belongs to message {timeline.message_id}"
        summary = f"{asked} was refused: {belongs}. That one's story: {summary}"
    return AttemptTrace(gathered, timeline, now, summary, refused)


def describe_attempt(gathered: AttemptHistory, timeline: Timeline, schedule: Schedule, now: int) -> str:
    """Describe an attempt in a sentence."""
    if any(step.outcome is None and step.why == WAITING for step in timeline.steps):
        return "the tracker hasn't folded all of it yet: is the service running?"
    return describe_state(gathered.key, gathered.state, schedule, now)
