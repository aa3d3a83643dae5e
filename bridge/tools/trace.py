"""`sms-bridge trace`: what happened to a message, an attempt, or a recipient's messages. `timeline.py` shows it."""

import time
from contextlib import nullcontext
from typing import NamedTuple

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bridge.core.entries import Sent, attempt_key
from bridge.core.errors import Misconfigured
from bridge.kafka.clients import Kafka
from bridge.privacy import Privacy, digits_of
from bridge.settings.accounts import Accounts, build_accounts
from bridge.settings.model import PREFIX, Settings
from bridge.tools import timeline
from bridge.tools.output import Exit, notices, write_json
from bridge.tools.scan import Progress as Reading
from bridge.tools.scan import scanner
from bridge.tools.search import Gathered, Letter, Search, keys_of, mentions
from bridge.tools.story import tell
from bridge.tools.timeline import Found, Told
from bridge.tracker.timetable import Timetable


class Question(NamedTuple):
    """What is asked."""

    name: str
    """A message id, or `PROVIDER:[ACCOUNT:]ID`; empty when a recipient is asked for."""
    recipient: str
    since: int | None
    thorough: bool
    """Look for attempts without any event too, where others have some."""


async def trace(settings: Settings, question: Question, *, as_json: bool) -> Exit:
    """Find and show.

    Raises:
        Misconfigured: Recipients aren't kept, or the topics can't be read.
    """
    bar = Progress(
        TextColumn("reading the journal"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} entries"),
        TimeElapsedColumn(),
        console=notices(),
        transient=True,
    )
    shown = notices().is_terminal and not as_json
    with bar if shown else nullcontext():
        task = bar.add_task("", total=None, visible=False)
        found = await find(settings, question, lambda n, of: bar.update(task, completed=n, total=of, visible=True))
    write_json(timeline.document(found)) if as_json else timeline.show(found)
    return Exit.FINE if found.told or found.sents or found.letters else Exit.WRONG


async def find(settings: Settings, question: Question, progress: Reading | None = None) -> Found:
    """Look into the topics; nobody else needs to run.

    Raises:
        Misconfigured: Recipients aren't kept, or the topics can't be read.
    """
    accounts = build_accounts(settings)
    known_for = settings.follow.max_follow + settings.follow.remember_for
    since = question.since if question.since is not None else _now() - known_for
    started = time.monotonic()
    async with scanner(Kafka(settings.kafka)) as scan:
        search = Search(scan, settings, since, progress)
        found = await _found(search, question, settings, accounts)
        return found._replace(read=scan.read, seconds=time.monotonic() - started, since=since)


async def _found(search: Search, question: Question, settings: Settings, accounts: Accounts) -> Found:
    timetable = timetable_of(settings, accounts)
    if question.recipient:
        return await _to_recipient(search, question.recipient, settings, timetable)
    keys = keys_of(question.name, accounts)
    gathered = await search.attempts(keys)
    gathered = [one for one in gathered if one.past.heard or one.past.published]
    searched = False
    if not gathered:
        # What looks like an attempt is hardly ever a message: all of the journal is read for it only when asked to.
        gathered, searched = await _of_message(search, question, may_search=not keys)
    letters: list[Letter] = []
    if not gathered:
        ids = [question.name, *(key.split(":", 2)[2] for key in keys)]
        letters = [letter for letter in await search.letters() if mentions(letter.value, ids)]
    return Found(question.name, tuple(_told(one, timetable) for one in gathered), letters=tuple(letters), all=searched)


async def _of_message(search: Search, question: Question, *, may_search: bool) -> tuple[list[Gathered], bool]:
    """A message's attempts, and whether all of the journal was read for them."""
    events = await search.events([question.name])
    keys = {attempt_key(*(e.event[name] for name in ("provider", "account", "provider_message_id"))) for e in events}
    searched = question.thorough or (may_search and not events)
    if searched:
        keys |= {key_of(sent) for sent in await search.attempts_of(question.name)}
    gathered = await search.attempts(sorted(keys), events)
    return sorted(gathered, key=lambda one: min((h.journaled_at for h in one.past.heard), default=0)), searched


async def _to_recipient(search: Search, number: str, settings: Settings, timetable: Timetable) -> Found:
    if settings.privacy.recipient == "drop":
        raise Misconfigured(f"{PREFIX}PRIVACY__RECIPIENT is drop: phone numbers aren't kept, so none can be looked up")
    if not digits_of(number):
        raise Misconfigured(f"--recipient {number!r} has no digits")
    privacy = Privacy(settings.privacy)
    kept = privacy.recipient(number)

    def is_one(recipient: str) -> bool:
        # What was written before hashing was chosen is still a number.
        return recipient == kept or digits_of(recipient) == digits_of(number)

    sents = await search.attempts_to(is_one)
    gathered = await search.attempts(key_of(sent) for sent in sents[-timeline.MOST_ATTEMPTS :])
    told = [_told(one, timetable) for one in gathered]
    return Found(number, (), sents=tuple(told), all=True, left_out=max(0, len(sents) - timeline.MOST_ATTEMPTS))


def key_of(sent: Sent) -> str:
    """The key of a sent event's attempt."""
    return attempt_key(sent.provider, sent.account, sent.provider_message_id)


def timetable_of(settings: Settings, accounts: Accounts) -> Timetable:
    """When the service asks about what, as it is set up."""
    ages = {account.full_name: account.poll_ages for account in accounts.values()}
    return Timetable(settings.follow.policy(), ages)


def _told(gathered: Gathered, timetable: Timetable) -> Told:
    story = tell(gathered.key, gathered.past, timetable.policy)
    return Told(gathered, story, timeline.now_of(gathered, story, timetable, _now()))


def _now() -> int:
    return time.time_ns() // 1_000_000
