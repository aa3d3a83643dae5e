"""Records which dead letters must come and which came, and compares them at the end. No I/O."""

import re
from collections import Counter
from collections.abc import Container, Mapping
from typing import NamedTuple

from bridge.sandbox.demo.sent_producer import PROVIDERS

POISON = re.compile(rb"poison-[0-9a-f]{16}")
"""The mark of an invalid sent event."""

STRANGER = re.compile(rb"stranger-[0-9a-f]{16}")
"""The id of a message that nobody sent."""

WORDS = re.compile(rb"[0-9A-Za-z-]{8,}")
LATE_REASONS = {"unmatched", "too_old"}
"""Reasons of dead letters about messages that have ended and were forgotten."""


class RecordPosition(NamedTuple):
    """The position of a sent event. A topic that is created again has other events at the same positions."""

    topic: str
    partition: int
    offset: int


class PoisonLetter(NamedTuple):
    """The dead letter of an invalid sent event."""

    mark: str
    """The event's mark."""
    position: RecordPosition
    reason: str


class DeadLetterResult(NamedTuple):
    """Whether each invalid sent event has its dead letter."""

    expected: int
    """Invalid sent events, and reports of messages that nobody sent."""
    missing: int
    repeated: int
    late: int
    """Dead letters about messages that had ended: read again, or reported again, after they were forgotten."""
    unexpected: tuple[str, ...]
    """Dead letters of valid events, or with the wrong reason."""


class DeadLetterLedger:
    """The dead letters of a run."""

    def __init__(self) -> None:
        self.poison: set[PoisonLetter] = set()
        """The dead letters of the invalid events that were sent."""
        self.strangers: set[str] = set()
        """Ids of accepted callbacks about messages that nobody sent."""
        self._of_strangers: Counter[str] = Counter()
        self._of_poison: Counter[PoisonLetter] = Counter()
        self._late: list[tuple[str, bytes]] = []
        self._unexpected: list[str] = []

    @property
    def missing_strangers(self) -> int:
        """How many reports of messages that nobody sent have no dead letter yet."""
        return len(self.strangers - self._of_strangers.keys())

    @property
    def missing_poison(self) -> int:
        """How many invalid sent events have no dead letter yet."""
        return len(self.poison - self._of_poison.keys())

    def add(self, headers: Mapping[str, str], value: bytes = b"") -> None:
        """Record a dead letter."""
        if headers["reason"] in LATE_REASONS:
            if stranger := STRANGER.search(value):
                self._of_strangers[stranger[0].decode()] += 1
            else:
                self._late.append((headers["reason"], value))
            return
        try:
            partition, offset = int(headers["source_partition"]), int(headers["source_offset"])
            position = RecordPosition(headers["source_topic"], partition, offset)
        except KeyError:
            self._unexpected.append(f"{headers['reason']}: {headers['error']}")
        else:
            poison = POISON.search(value)
            self._of_poison[PoisonLetter(poison[0].decode() if poison else "", position, headers["reason"])] += 1

    def verify(self, ended: Container[str]) -> DeadLetterResult:
        """Compare the dead letters with the invalid events that were sent.

        Args:
            ended: The keys of attempts that have a final event.
        """
        early = [f"{reason} of {value[:200]!r}" for reason, value in self._late if not _has_ended(value, ended)]
        doubled = [f"{mark} has {n} dead letters" for mark, n in self._of_strangers.items() if n > 1]
        unexpected = [f"{one.reason} at {one.position}" for one in self._of_poison if one not in self.poison]
        return DeadLetterResult(
            len(self.poison) + len(self.strangers),
            self.missing_poison + self.missing_strangers,
            sum(count - 1 for one, count in self._of_poison.items() if one in self.poison),
            len(self._late) - len(early),
            (*unexpected, *self._unexpected, *early, *doubled),
        )


def _has_ended(value: bytes, ended: Container[str]) -> bool:
    """Whether a text is about a message that has a final event."""
    words = [word.decode() for word in WORDS.findall(value)]
    return any(f"{provider}:default:{word}" in ended for provider in PROVIDERS for word in words)
