"""Finding what the topics hold about a message, an attempt or a recipient; reading as little of them as will do.

The journal and the state topic are keyed by attempt, `sms.delivery` by message: a key leads to one partition of each. A
message without any event yet, and a recipient, are in no key: for them all of the journal since a time is read.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
from aiokafka import TopicPartition

from bridge.accounts import DEFAULT, Accounts
from bridge.core.attempt import State
from bridge.core.entries import AttemptKey, Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.dead_letters import DeadLetter
from bridge.history.refold import AttemptRecords, JournaledEntry, PublishedEvent
from bridge.history.topic_scanner import OffsetSpan, Progress, TopicScanner
from bridge.journal.serde import decode_entry
from bridge.kafka.partitioner import partition_for
from bridge.kafka.wire_format import strip_frame
from bridge.settings.model import Settings
from bridge.state.serde import decode_state

MARGIN = 10 * 60_000
"""Milliseconds by which clocks may differ where one machine's times bound what is read of another's."""


GIVEN_UP = frozenset({DeadLetterReason.UNMATCHED, DeadLetterReason.PARKED_OVERFLOW})
"""Why parked reports leave."""


class AttemptHistory(NamedTuple):
    """All that was found about one attempt."""

    key: str
    partition: int
    """Of journal and state."""
    past: AttemptRecords
    state: State
    letters: tuple[DeadLetter, ...]


def parse_attempt_keys(text: str, accounts: Accounts) -> list[str]:
    """The attempts that `PROVIDER:[ACCOUNT:]ID` may mean; none when it begins with no provider that is set up."""
    provider, _, rest = text.partition(":")
    names = [name for known, name in accounts if known == provider]
    if not rest or not names:
        return []
    named, _, short = rest.partition(":")
    found = [str(AttemptKey(provider, named, short))] if short and named in names else []
    order = sorted(names, key=lambda name: name != DEFAULT)
    return [*found, *(str(AttemptKey(provider, name, rest)) for name in order)]


class HistorySearch:
    """Looks into one installation's topics, from a time on.

    Args:
        scanner: Reads them.
        settings: What they are called.
        since: In milliseconds since the epoch.
        progress: Told of long readings.
    """

    def __init__(self, scanner: TopicScanner, settings: Settings, since: int, progress: Progress | None = None) -> None:
        self._scanner, self._topics, self._since, self._progress = scanner, settings.topics, since, progress
        self._group = f"{settings.kafka.group_id}.tracker"
        self._letters: list[DeadLetter] | None = None

    async def events(self, message_ids: Iterable[str]) -> list[PublishedEvent]:
        """The events of these messages."""
        topic, keys = self._topics.delivery, {message_id.encode() for message_id in message_ids}
        partitions = await self._scanner.partitions(topic)
        found: list[PublishedEvent] = []

        def take(record: Any) -> None:
            if record.key in keys:
                found.append(PublishedEvent(record.partition, record.offset, orjson.loads(strip_frame(record.value))))

        numbers = {partition_for(key, partitions) for key in keys}
        await self._scanner.scan(await self._scanner.spans(topic, self._since, numbers), take)
        return found

    async def attempts_of(self, message_id: str) -> list[Sent]:
        """A message's attempts, with or without events: all of the journal is read."""
        needle = orjson.dumps({"message_id": message_id})[1:-1]
        return await self._sents(lambda value: needle in value, lambda sent: sent.message_id == message_id)

    async def attempts_to(self, is_recipient: Callable[[str], bool]) -> list[Sent]:
        """The attempts to a recipient: all of the journal is read."""
        return await self._sents(
            lambda value: b'"type":"sent"' in value, lambda sent: bool(sent.recipient and is_recipient(sent.recipient))
        )

    async def _sents(self, may_be: Callable[[bytes], bool], is_one: Callable[[Sent], bool]) -> list[Sent]:
        found: dict[str, Sent] = {}

        def take(record: Any) -> None:
            # Most records are told apart by their bytes alone, which takes a tenth of reading them.
            entry = _entry(record) if record.value and may_be(record.value) else None
            if isinstance(entry, Sent) and is_one(entry):
                found.setdefault(record.key.decode(), entry)

        spans = await self._scanner.spans(self._topics.journal, self._since)
        await self._scanner.scan(spans, take, self._progress)
        return sorted(found.values(), key=lambda sent: sent.sent_at)

    async def attempts(
        self, keys: Iterable[str], events: Iterable[PublishedEvent] | None = None
    ) -> list[AttemptHistory]:
        """All about these attempts, of which nothing may be known; the partitions that may know are read once.

        Args:
            keys: The attempts.
            events: Their messages' events, where they are known already.
        """
        topic = self._topics.journal
        partitions = await self._scanner.partitions(topic)
        numbers = {key: partition_for(key.encode(), partitions) for key in keys}
        if not numbers:
            return []
        heard: dict[str, list[JournaledEntry]] = {key: [] for key in numbers}
        raws = {key.encode(): key for key in numbers}

        def take(record: Any) -> None:
            if (key := raws.get(record.key)) is not None and (entry := _entry(record)):
                heard[key].append(JournaledEntry(record.offset, record.timestamp, entry))

        spans = await self._scanner.spans(topic, self._since, set(numbers.values()))
        await self._scanner.scan(spans, take)
        if events is None:
            sents = (one.entry for all_heard in heard.values() for one in all_heard)
            events = await self.events({sent.message_id for sent in sents if isinstance(sent, Sent)})
        states = await self._states(raws, numbers, heard)
        folded = await self._scanner.committed(self._group, spans)
        by_key: dict[str, list[PublishedEvent]] = {}
        for event in events:
            by_key.setdefault(event.key, []).append(event)
        found = []
        for key, number in numbers.items():
            letters = await self._letters_of(key, number, heard[key])
            unmatched = {at for letter in letters if (at := _unmatched_at(letter, topic, number)) is not None}
            past = AttemptRecords(heard[key], by_key.get(key, []), unmatched, folded[TopicPartition(topic, number)])
            found.append(AttemptHistory(key, number, past, states.get(key), letters))
        return found

    async def _states(
        self, raws: Mapping[bytes, str], numbers: Mapping[str, int], heard: Mapping[str, list[JournaledEntry]]
    ) -> dict[str, State]:
        """What the tracker has come to. It changed after an attempt's first entry, so older states aren't read."""
        first = min((one.journaled_at for entries in heard.values() for one in entries), default=self._since)
        last: dict[str, bytes | None] = {}

        def take(record: Any) -> None:
            if (key := raws.get(record.key)) is not None:
                last[key] = record.value

        spans = await self._scanner.spans(self._topics.state, first - MARGIN, set(numbers.values()))
        await self._scanner.scan(spans, take)
        return {key: decode_state(value) for key, value in last.items() if value}

    async def _letters_of(self, key: str, number: int, heard: Iterable[JournaledEntry]) -> tuple[DeadLetter, ...]:
        sents = [one.entry for one in heard if isinstance(one.entry, Sent)]
        places = {(self._topics.journal, number, one.offset) for one in heard}
        places |= {sent.origin for sent in sents if sent.origin}
        ids = {sent.message_id for sent in sents}
        return tuple(letter for letter in await self.letters() if is_about(letter, key, places, ids))

    async def letters(self) -> list[DeadLetter]:
        """All dead letters since the time; read once."""
        if self._letters is None:
            found: list[DeadLetter] = []

            def take(record: Any) -> None:
                found.append(DeadLetter.parse(record))

            spans: dict[Any, OffsetSpan] = await self._scanner.spans(self._topics.dead_letter, self._since)
            await self._scanner.scan(spans, take)
            self._letters = found
        return self._letters


def is_about(
    letter: DeadLetter, key: str, places: Collection[tuple[str, int, int]], message_ids: Iterable[str] = ()
) -> bool:
    """Whether a dead letter is about an attempt: it names the place of one of its entries, or holds one of its ids."""
    if letter.source in places:
        return True
    provider, account, short = AttemptKey.parse(key)
    named = letter.provider or provider, letter.account or account
    return named == (provider, account) and mentions(letter.value, [short, *message_ids])


def mentions(value: bytes, ids: Iterable[str]) -> bool:
    """Whether some bytes hold one of these ids, as it is or as a URL writes it, and not as a part of a longer one."""
    spellings = {spelling for one in ids for spelling in (one, quote(one, safe=""))}
    pattern = b"|".join(re.escape(spelling.encode()) for spelling in spellings)
    return bool(pattern) and re.search(rb"(?<![0-9A-Za-z_-])(?:%s)(?![0-9A-Za-z_-])" % pattern, value) is not None


def _unmatched_at(letter: DeadLetter, journal: str, number: int) -> int | None:
    source, gone = letter.source, letter.reason in GIVEN_UP
    return source.offset if gone and source and source[:2] == (journal, number) else None


def _entry(record: Any) -> Any:
    try:
        return decode_entry(record.value)
    except PoisonMessageError:
        return None
