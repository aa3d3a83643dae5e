"""Finds what the topics hold about a message, an attempt or a recipient, and reads as little of them as possible.

The journal and the state topic are keyed by attempt, `sms.delivery` by message: a key leads to one partition of each. A
message without any event yet, and a recipient, are in no key: for them all of the journal since a time is read.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from aiokafka import TopicPartition

from bridge.accounts import DEFAULT, Accounts
from bridge.core.attempt import State
from bridge.core.entries import AttemptKey, Sent
from bridge.core.errors import DeadLetterReason
from bridge.dead_letters import DeadLetter
from bridge.history.journal_records import decode_record, decode_sent, may_be_sent
from bridge.history.letter_selection import MAX_LETTERS, compile_mention, cut_value, make_letter_selector
from bridge.history.refold import AttemptRecords, JournaledEntry, PublishedEvent
from bridge.history.topic_scanner import Progress, TopicScanner
from bridge.kafka.partitioner import partition_for
from bridge.kafka.wire_format import strip_frame
from bridge.settings.model import Settings
from bridge.state.serde import decode_state

MARGIN = 10 * 60_000
"""Milliseconds by which clocks may differ, where one machine's times bound what is read of another's."""

GIVEN_UP = frozenset({DeadLetterReason.UNMATCHED, DeadLetterReason.PARKED_OVERFLOW})
"""The reasons for which parked reports leave."""


class AttemptHistory(NamedTuple):
    """All that was found about one attempt."""

    key: str
    partition: int
    """Of journal and state."""
    records: AttemptRecords
    state: State
    letters: tuple[DeadLetter, ...]


def parse_attempt_keys(text: str, accounts: Accounts) -> list[str]:
    """The attempts that `PROVIDER:[ACCOUNT:]ID` may mean; none when it begins with no provider that is set up."""
    provider, _, rest = text.partition(":")
    names = [name for known, name in accounts if known == provider]
    if not rest or not names:
        return []
    named, _, short = rest.partition(":")
    meant = [(named, short)] if short and named in names else []
    meant += [(name, rest) for name in sorted(names, key=lambda name: name != DEFAULT)]
    keys: dict[str, None] = {}
    for name, message_id in meant:
        forms = accounts[provider, name].id_forms
        for unify in (forms.unify_sent, forms.unify_reported):  # it may be the sender's id or the provider's
            keys[str(AttemptKey(provider, name, unify(message_id)))] = None
    return list(keys)


class HistorySearch:
    """Looks into one installation's topics, from a time on.

    Args:
        scanner: Reads them.
        settings: What they are called.
        since: In milliseconds since the epoch.
        accounts: The accounts, which say in what form ids are compared.
        progress: Told of long readings.
        letters_timeout: Seconds for which dead letters are read at most; None: until all are read.
    """

    def __init__(
        self,
        scanner: TopicScanner,
        settings: Settings,
        since: int,
        accounts: Accounts,
        progress: Progress | None = None,
        *,
        letters_timeout: float | None = None,
    ) -> None:
        self._letters_timeout = letters_timeout
        self.letters_left = False
        """Whether time ran out before all dead letters were read."""
        self._accounts = accounts
        self._scanner, self._topics, self._since, self._progress = scanner, settings.topics, since, progress
        self._group = settings.kafka.tracker_group

    def make_key(self, published: PublishedEvent) -> str:
        """Make the key of a published event's attempt, in which its id is as reports have it."""
        attempt = published.attempt
        account = self._accounts.get((attempt.provider, attempt.account))
        unified = account.id_forms.unify_sent(attempt.provider_message_id) if account else attempt.provider_message_id
        return str(attempt._replace(provider_message_id=unified))

    async def find_events(self, message_ids: Iterable[str]) -> list[PublishedEvent]:
        """Find the events of these messages."""
        topic, keys = self._topics.delivery, {message_id.encode() for message_id in message_ids}
        partitions = await self._scanner.partitions(topic)
        found: list[PublishedEvent] = []

        def take(record: Any) -> None:
            if record.key in keys:
                found.append(PublishedEvent(record.partition, record.offset, orjson.loads(strip_frame(record.value))))

        numbers = {partition_for(key, partitions) for key in keys}
        await self._scanner.scan(await self._scanner.spans(topic, self._since, numbers), take)
        return found

    async def find_attempts_of(self, message_id: str) -> list[Sent]:
        """Find a message's attempts, with or without events: reads all of the journal."""
        needle = orjson.dumps({"message_id": message_id})[1:-1]
        return await self._find_sents(lambda value: needle in value, lambda sent: sent.message_id == message_id)

    async def find_attempts_to(self, is_recipient: Callable[[str], bool]) -> list[Sent]:
        """Find the attempts to a recipient: reads all of the journal."""
        return await self._find_sents(may_be_sent, lambda sent: bool(sent.recipient and is_recipient(sent.recipient)))

    async def _find_sents(self, may_be: Callable[[bytes], bool], is_one: Callable[[Sent], bool]) -> list[Sent]:
        found: dict[str, Sent] = {}

        def take(record: Any) -> None:
            sent = decode_sent(record, may_be)
            if sent and is_one(sent):
                found.setdefault(record.key.decode(), sent)

        spans = await self._scanner.spans(self._topics.journal, self._since)
        await self._scanner.scan(spans, take, self._progress)
        return sorted(found.values(), key=lambda sent: sent.sent_at)

    async def collect(self, keys: Iterable[str], events: Collection[PublishedEvent] = ()) -> list[AttemptHistory]:
        """Collect everything about these attempts; each partition that may know of them is read once.

        Args:
            keys: The attempts.
            events: Those events that are known already, with all others of their messages. The attempts' other
                messages are looked up: an attempt may belong to another message than to the one that is asked for.
        """
        topic = self._topics.journal
        partitions = await self._scanner.partitions(topic)
        numbers = {key: partition_for(key.encode(), partitions) for key in keys}
        if not numbers:
            return []
        entries: dict[str, list[JournaledEntry]] = {key: [] for key in numbers}
        raws = {key.encode(): key for key in numbers}

        def take(record: Any) -> None:
            if (key := raws.get(record.key)) is not None and (entry := decode_record(record)):
                entries[key].append(JournaledEntry(record.offset, record.timestamp, entry))

        spans = await self._scanner.spans(topic, self._since, set(numbers.values()))
        await self._scanner.scan(spans, take)
        sents = (one.entry for all_entries in entries.values() for one in all_entries)
        named = list(dict.fromkeys(sent.message_id for sent in sents if isinstance(sent, Sent)))
        further = await self.find_events(set(named) - {one.event["message_id"] for one in events})
        states = await self._find_states(raws, numbers, entries)
        folded = await self._scanner.committed(self._group, spans)
        by_key: dict[str, list[PublishedEvent]] = {}
        for event in sorted((*events, *further), key=lambda one: _find_rank(named, one)):
            by_key.setdefault(self.make_key(event), []).append(event)
        letters_by_key = await self._find_letters(numbers, entries)
        found = []
        for key, number in numbers.items():
            letters = letters_by_key[key]
            unmatched = {at for letter in letters if (at := _unmatched_at(letter, topic, number)) is not None}
            records = AttemptRecords(
                entries[key], by_key.get(key, []), unmatched, folded[TopicPartition(topic, number)]
            )
            found.append(AttemptHistory(key, number, records, states.get(key), letters))
        return found

    async def _find_states(
        self, raws: Mapping[bytes, str], numbers: Mapping[str, int], entries: Mapping[str, list[JournaledEntry]]
    ) -> dict[str, State]:
        """Find the attempts' states. They changed after the first entries, so older states aren't read."""
        first = min((one.journaled_at for entries in entries.values() for one in entries), default=self._since)
        last: dict[str, bytes | None] = {}

        def take(record: Any) -> None:
            if (key := raws.get(record.key)) is not None:
                last[key] = record.value

        spans = await self._scanner.spans(self._topics.state, first - MARGIN, set(numbers.values()))
        await self._scanner.scan(spans, take)
        return {key: decode_state(value) for key, value in last.items() if value}

    async def _find_letters(
        self, numbers: Mapping[str, int], entries: Mapping[str, Collection[JournaledEntry]]
    ) -> dict[str, tuple[DeadLetter, ...]]:
        """Find the latest dead letters about each of these attempts."""
        selectors = {key: self._make_letter_selector(key, number, entries[key]) for key, number in numbers.items()}
        found: dict[str, deque[DeadLetter]] = {key: deque(maxlen=MAX_LETTERS) for key in numbers}

        def take(letter: DeadLetter) -> None:
            for key, is_one in selectors.items():
                if is_one(letter):
                    found[key].append(cut_value(letter))

        await self._scan_letters(take)
        return {key: tuple(letters) for key, letters in found.items()}

    def _make_letter_selector(
        self, key: str, number: int, entries: Iterable[JournaledEntry]
    ) -> Callable[[DeadLetter], bool]:
        sents = [one.entry for one in entries if isinstance(one.entry, Sent)]
        positions = {(self._topics.journal, number, one.offset) for one in entries}
        positions |= {sent.origin for sent in sents if sent.origin}
        return make_letter_selector(key, positions, {sent.message_id for sent in sents})

    async def find_letters_with(self, ids: Iterable[str]) -> list[DeadLetter]:
        """Find the latest dead letters whose original holds one of these ids."""
        mentions = compile_mention(ids)
        found: deque[DeadLetter] = deque(maxlen=MAX_LETTERS)

        def take(letter: DeadLetter) -> None:
            if mentions(letter.value):
                found.append(cut_value(letter))

        await self._scan_letters(take)
        return list(found)

    async def read_letters(self) -> list[DeadLetter]:
        """Read all dead letters since the time, with all their bytes."""
        found: list[DeadLetter] = []
        await self._scan_letters(found.append)
        return found

    async def _scan_letters(self, take: Callable[[DeadLetter], None]) -> None:
        try:
            async with asyncio.timeout(self._letters_timeout):
                spans = await self._scanner.spans(self._topics.dead_letter, self._since)
                await self._scanner.scan(spans, lambda record: take(DeadLetter.parse(record)))
        except TimeoutError:
            self.letters_left = True


def _find_rank(message_ids: list[str], event: PublishedEvent) -> int:
    """Sort events by their messages, as these follow each other; those whose sent event is gone come first."""
    message_id = event.event["message_id"]
    return message_ids.index(message_id) if message_id in message_ids else -1


def _unmatched_at(letter: DeadLetter, journal: str, number: int) -> int | None:
    source, gone = letter.source, letter.reason in GIVEN_UP
    return source.offset if gone and source and source[:2] == (journal, number) else None
