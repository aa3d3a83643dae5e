"""Reads the dead-letter topic: how many letters have each reason, the newest ones, and single ones by position."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import nlargest
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from bridge.dead_letters import DeadLetter
from bridge.history.topic_scanner import OffsetSpan, TopicScanner, open_scanner
from bridge.kafka.clients import KafkaClients
from bridge.settings.model import Settings

MAX_REASONS = 30
"""Different reasons that are counted: other programs may write any text."""
OTHER_REASON = "other"


class DeadLetterPosition(NamedTuple):
    """Where a dead letter is in its topic; its text is `PARTITION/OFFSET`."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "DeadLetterPosition":
        """Parse the text.

        Raises:
            ValueError: It isn't a position.
        """
        partition, separator, offset = text.strip().partition("/")
        numbers = partition, offset
        if not separator or not all(number.isascii() and number.isdigit() and len(number) < 19 for number in numbers):  # noqa: PLR2004 - 64 bits
            raise ValueError("should be PARTITION/OFFSET, such as 3/1042")
        return cls(int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


class FoundLetters(NamedTuple):
    """What was found, the latest one first; of a value, only the size is kept."""

    counts: Mapping[str, int]
    """By reason, whichever was asked for."""
    letters: list[DeadLetter]
    sizes: Mapping[DeadLetterPosition, int]
    left_out: int
    since: int
    read: int
    seconds: float


async def list_dead_letters(settings: Settings, reason: str, since: int, limit: int) -> FoundLetters:
    """List the newest dead letters since a time.

    Args:
        settings: Name the topic.
        reason: Only this one; empty for all.
        since: In milliseconds since the epoch.
        limit: How many at most.

    Raises:
        ConfigurationError: The topic can't be read.
    """
    started = time.monotonic()
    counts = Counter[str]()
    kept: list[tuple[int, int, DeadLetter]] = []

    def take(record: Any) -> None:
        nonlocal kept
        letter = DeadLetter.parse(record)
        name = letter.reason if letter.reason in counts or len(counts) < MAX_REASONS else OTHER_REASON
        counts[name] += 1
        if reason in {"", name}:
            kept.append((letter.received_at, len(letter.value), letter._replace(value=b"", key=None)))
            if len(kept) > 2 * limit:
                kept = _pick_newest(kept, limit)

    async with open_scanner(KafkaClients(settings.kafka)) as scanner:
        await scanner.scan(await scanner.spans(settings.topics.dead_letter, since), take)
        newest = _pick_newest(kept, limit)
        sizes = {position_of(letter): size for _, size, letter in newest}
        matching = counts[reason] if reason else counts.total()
        letters = [letter for _, _, letter in newest]
        seconds = time.monotonic() - started
        return FoundLetters(counts, letters, sizes, matching - len(letters), since, scanner.read, seconds)


def _pick_newest(kept: list[tuple[int, int, DeadLetter]], limit: int) -> list[tuple[int, int, DeadLetter]]:
    return nlargest(limit, kept, key=lambda one: (one[0], one[2].partition, one[2].offset))


def position_of(letter: DeadLetter) -> DeadLetterPosition:
    """Return where a letter that was read is."""
    return DeadLetterPosition(letter.partition, letter.offset)


async def read_dead_letter(settings: Settings, position: DeadLetterPosition) -> DeadLetter | None:
    """Read one dead letter; None if it isn't there, or no longer.

    Raises:
        ConfigurationError: The topic can't be read.
    """
    async with open_scanner(KafkaClients(settings.kafka)) as scanner:
        found = await read_letters_at(scanner, settings.topics.dead_letter, [position])
        return found[0] if found else None


async def read_letters_at(
    scanner: TopicScanner, topic: str, positions: Iterable[DeadLetterPosition]
) -> list[DeadLetter]:
    """Read the dead letters at these positions, without what is between them."""
    partitions = await scanner.partitions(topic)
    found: list[DeadLetter] = []

    def take(record: Any) -> None:
        found.append(DeadLetter.parse(record))

    for partition, offset in sorted(set(positions)):
        if partition < partitions:
            tp = TopicPartition(topic, partition)
            there = (await scanner.spans(topic, 0, [partition]))[tp]
            if there.start <= offset < there.end:
                await scanner.scan({tp: OffsetSpan(offset, offset + 1)}, take)
    return found
