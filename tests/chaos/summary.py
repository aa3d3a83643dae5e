"""What a run came to: figures, what was wrong, a table for people and a line of JSON for machines. Nothing is run."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bridge.sandbox.demo.verification import VerificationResult, Violation
from tests.chaos.ledger import Letters

RESIDENT_BOUND = 400 * 1024 * 1024
"""Bytes that no process may ever have resident."""

SHOWN = 30
"""Of the things that are wrong."""

ALIKE = 150
"""Characters by which lines of a log count as the same."""

VARYING = re.compile(r"0x[0-9a-f]+|\d+")


class Outcome(NamedTuple):
    """All that is known at a run's end."""

    seed: int
    minutes: float
    faults: Mapping[str, int]
    comparison: VerificationResult
    letters: Letters
    accepted: int
    """Callbacks that got their 200, repetitions of a provider's own left out."""
    unjournaled: int
    """Those of them that the journal doesn't have."""
    entries: int
    counters: Mapping[str, int]
    """The providers'."""
    resident: Mapping[int, float]
    """The most bytes resident, by bridge."""
    longest_gap: float
    exits: Mapping[str, int]
    complaints: tuple[str, ...]
    forbidden: tuple[str, ...]
    seconds: float

    @property
    def wrong(self) -> list[str]:
        """Everything that mustn't be, in words; empty when all is right."""
        found = [f"{one.fault}: {one.key}: {one.what}" for one in self.comparison.findings]
        if self.letters.missing:
            found.append(f"{self.letters.missing} sent events that can't be read have no dead letter")
        found += [f"dead letter: {one}" for one in self.letters.unexpected]
        if self.unjournaled:
            found.append(f"{self.unjournaled} callbacks got a 200 and aren't in the journal")
        if refused := self.counters.get("callback_refused"):
            found.append(f"{refused} callbacks were refused")
        found += [
            f"bridge {n} had {size / 1e6:.0f} MB resident" for n, size in self.resident.items() if size > RESIDENT_BOUND
        ]
        found += self.complaints
        return [*found, *(f"log, {count} times such as: {line[:600]}" for line, count in _alike(self.forbidden))]

    @property
    def figures(self) -> dict[str, Any]:
        """For machines."""
        found = self.comparison
        return {
            "ok": not self.wrong,
            "seed": self.seed,
            "minutes": self.minutes,
            "seconds": round(self.seconds, 1),
            "faults": sum(self.faults.values()),
            "kinds": len(self.faults),
            "faults_by_kind": dict(sorted(self.faults.items())),
            "messages": found.messages,
            "ended": found.ended,
            "events": found.events,
            "corrections": found.corrections,
            "lost": found.messages_with(Violation.LOST),
            "doubled": found.messages_with(Violation.TWICE),
            "wrong": found.messages_with(Violation.WRONG),
            "moved_back": found.messages_with(Violation.MOVED_BACK),
            "gaps": found.messages_with(Violation.GAPS),
            "unlinked": found.messages_with(Violation.UNLINKED),
            "strange": found.messages_with(Violation.STRANGE),
            "journal_entries": self.entries,
            "callbacks_accepted": self.accepted,
            "accepted_not_journaled": self.unjournaled,
            "dead_letters_expected": self.letters.expected,
            "dead_letters_missing": self.letters.missing,
            "dead_letters_repeated": self.letters.repeated,
            "dead_letters_unexpected": len(self.letters.unexpected),
            "callbacks": {n.removeprefix("callback_"): c for n, c in self.counters.items() if n.startswith("callback")},
            "polls": {n.removeprefix("poll_"): c for n, c in self.counters.items() if n.startswith("poll")},
            "resident_mb": {f"bridge {n}": round(size / 1e6) for n, size in self.resident.items()},
            "longest_without_an_event_seconds": round(self.longest_gap, 1),
            "exits": sum(self.exits.values()),
            "forbidden_log_lines": len(self.forbidden),
        }

    def lines(self) -> Iterable[str]:
        """For people; the last line is for machines."""
        figures = self.figures
        yield ""
        for name, value in figures.items():
            if isinstance(value, dict):
                yield f"{name.replace('_', ' ')}:"
                yield from (f"    {one:<38} {count:>10,}" for one, count in value.items())
            else:
                yield f"{name.replace('_', ' '):<42} {value:>10,}" if not isinstance(value, bool) else ""
        for words, count in self.exits.items():
            yield f"ended by itself {count} times: {words}"
        wrong = self.wrong
        yield from wrong[:SHOWN]
        yield f"{len(wrong)} things are wrong" if wrong else "Nothing is wrong."
        yield json.dumps(figures)


def _alike(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    """One of each kind of line, and how many are like it: they differ in numbers and addresses."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for line in lines:
        kind = VARYING.sub("", line)[:ALIKE]
        counts[kind] += 1
        first.setdefault(kind, line)
    return [(first[kind], count) for kind, count in counts.most_common()]
