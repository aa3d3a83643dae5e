"""The result of a run: its figures and problems, as a table for people and a line of JSON for programs."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bridge.sandbox.demo.verification import VerificationResult, Violation
from tests.chaos.letters import DeadLetterResult

MAX_RESIDENT_BYTES = 400 * 1024 * 1024
"""A process that has more memory is a problem."""

MAX_GAP_SECONDS = 75.0
"""A longer time without an event, while messages are sent, is a problem."""

MAX_PROBLEMS = 10
"""How many problems of a kind are printed."""

PREFIX_LENGTH = 150
"""Log lines whose first characters are equal, except for numbers, are grouped."""

NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")
KIND = re.compile(r"[^:]*(: \w+)?")


class ChaosResult(NamedTuple):
    """The result of a run."""

    seed: int
    minutes: float
    faults: Mapping[str, int]
    verification: VerificationResult
    dead_letters: DeadLetterResult
    mistakes: Sequence[str]
    """What is wrong with single records, and ends that came too early or too late."""
    late_reports: int
    """Messages whose expected final status was first reported after their end, when they may have been forgotten."""
    accepted: int
    """Callbacks that got a 200; a provider's own repetitions count once."""
    unjournaled: int
    """Accepted callbacks that are not in the journal."""
    journal_entries: int
    counters: Mapping[str, int]
    """The simulators' counters."""
    max_resident_bytes: Mapping[int, float]
    """By bridge."""
    longest_gap_seconds: float
    exits: Mapping[str, int]
    """Processes that ended by themselves, by their last log line."""
    fleet_problems: tuple[str, ...]
    forbidden_log_lines: tuple[str, ...]
    seconds: float

    @property
    def problems(self) -> list[str]:
        """All problems; empty if the run was correct."""
        found = [str(one) for one in self.verification.findings]
        found += self.mistakes
        if self.longest_gap_seconds > MAX_GAP_SECONDS:
            found.append(f"no event for {self.longest_gap_seconds:.0f} s")
        if self.dead_letters.missing:
            found.append(f"{self.dead_letters.missing} invalid events or unmatched reports have no dead letter")
        found += [f"dead letter: {one}" for one in self.dead_letters.unexpected]
        if self.unjournaled:
            found.append(f"{self.unjournaled} callbacks got a 200 and are not in the journal")
        if refused := self.counters.get("callback_refused"):
            found.append(f"{refused} callbacks were refused")
        found += [
            f"bridge {n} used {size / 1e6:.0f} MB of memory"
            for n, size in self.max_resident_bytes.items()
            if size > MAX_RESIDENT_BYTES
        ]
        found += self.fleet_problems
        groups = _group_similar(self.forbidden_log_lines)
        return [*found, *(f"forbidden log line ({count} similar): {line[:600]}" for line, count in groups)]

    @property
    def figures(self) -> dict[str, Any]:
        """For programs."""
        found = self.verification
        return {
            "ok": not self.problems,
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
            "lost": found.count_messages_with(Violation.LOST),
            "doubled": found.count_messages_with(Violation.DUPLICATED),
            "wrong": found.count_messages_with(Violation.WRONG),
            "moved_back": found.count_messages_with(Violation.MOVED_BACK),
            "gaps": found.count_messages_with(Violation.GAPS),
            "unlinked": found.count_messages_with(Violation.UNLINKED),
            "strange": found.count_messages_with(Violation.UNEXPECTED),
            "journal_entries": self.journal_entries,
            "callbacks_accepted": self.accepted,
            "accepted_not_journaled": self.unjournaled,
            "dead_letters_expected": self.dead_letters.expected,
            "dead_letters_missing": self.dead_letters.missing,
            "dead_letters_repeated": self.dead_letters.repeated,
            "dead_letters_late": self.dead_letters.late,
            "late_reports": self.late_reports,
            "mistakes": len(self.mistakes),
            "dead_letters_unexpected": len(self.dead_letters.unexpected),
            "callbacks": {n.removeprefix("callback_"): c for n, c in self.counters.items() if n.startswith("callback")},
            "polls": {n.removeprefix("poll_"): c for n, c in self.counters.items() if n.startswith("poll")},
            "resident_mb": {f"bridge {n}": round(size / 1e6) for n, size in self.max_resident_bytes.items()},
            "longest_without_an_event_seconds": round(self.longest_gap_seconds, 1),
            "exits": sum(self.exits.values()),
            "forbidden_log_lines": len(self.forbidden_log_lines),
        }

    def format_lines(self) -> Iterable[str]:
        """Yield lines for people; the last line is JSON for programs."""
        figures = self.figures
        yield ""
        for name, value in figures.items():
            if isinstance(value, dict):
                yield f"{name.replace('_', ' ')}:"
                yield from (f"    {one:<38} {count:>10,}" for one, count in value.items())
            else:
                yield f"{name.replace('_', ' '):<42} {value:>10,}" if not isinstance(value, bool) else ""
        for last_line, count in self.exits.items():
            yield f"ended by itself {count} times: {last_line}"
        problems = self.problems
        kinds = Counter(map(_find_kind, problems))
        for kind, count in kinds.items():
            yield from [one for one in problems if _find_kind(one) == kind][:MAX_PROBLEMS]
            if count > MAX_PROBLEMS:
                yield f"... {count:,} problems of this kind: {kind}"
        yield f"{len(problems)} problems" if problems else "No problems."
        yield json.dumps(figures)


def _find_kind(problem: str) -> str:
    """The beginning of a problem, which says what it is; a dead letter's reason is a part of it."""
    found = KIND.match(problem)
    return found[0] if found else problem


def _group_similar(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    """Group lines that differ only in numbers and addresses. Return one line of each group and the group's size."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for line in lines:
        prefix = NUMBERS.sub("", line)[:PREFIX_LENGTH]
        counts[prefix] += 1
        first.setdefault(prefix, line)
    return [(first[prefix], count) for prefix, count in counts.most_common()]
