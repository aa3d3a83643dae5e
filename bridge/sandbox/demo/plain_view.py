"""The demo without a screen: a line a second for people, or JSON documents for whoever reads it by program."""

import sys
from collections.abc import Mapping
from typing import Any

import orjson

from bridge.sandbox.demo.run_stats import RunStats, percentile
from bridge.sandbox.demo.verification import VerificationResult, Violation

EVERY = 1.0
"""Seconds between two lines."""

SHARES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class PlainView:
    """Writes to standard output. Implements `View`."""

    every = EVERY

    def phase(self, text: str) -> None:
        """Say what begins."""
        _write(text)

    def show(self, tally: RunStats) -> None:
        """Say how far it is."""
        sources = " ".join(f"{source} {count}" for source, count in sorted(tally.sources.items()))
        _write(
            f"{tally.seconds:5.1f} s  sent {tally.sent}/{tally.messages}  ended {len(tally.ended)}"
            f"  events {len(tally.events)}  {sources}"
        )

    def result(self, comparison: VerificationResult, summary: Mapping[str, Any]) -> None:
        """Say how it ended; the last line is JSON."""
        for finding in comparison.findings:
            _write(f"{finding.fault}: {finding.key}: {finding.what}")
        _write(orjson.dumps(summary).decode())

    def close(self) -> None:
        """There is nothing to put away."""


class JsonView:
    """Writes JSON to standard output, one document a line, each with its `type`. Implements `View`."""

    every = EVERY

    def phase(self, text: str) -> None:
        """Say what begins."""
        self._write("phase", {"text": text})

    def show(self, tally: RunStats) -> None:
        """Say how far it is."""
        counts = {
            "messages": tally.messages,
            "sent": tally.sent,
            "ended": len(tally.ended),
            "events": len(tally.events),
        }
        self._write("progress", {"seconds": round(tally.seconds, 1), **counts, **tally.sources})

    def result(self, comparison: VerificationResult, summary: Mapping[str, Any]) -> None:
        """Say what was wrong, if anything was, and how it ended."""
        for finding in comparison.findings:
            self._write("finding", finding._asdict())
        self._write("verdict", summary)

    def close(self) -> None:
        """There is nothing to put away."""

    def _write(self, kind: str, members: Mapping[str, Any]) -> None:
        _write(orjson.dumps({"type": kind, **members}).decode())


def summarize(tally: RunStats, comparison: VerificationResult, options: Mapping[str, Any]) -> dict[str, Any]:
    """All of a run in one object.

    Args:
        tally: What happened.
        comparison: Whether it was right.
        options: How it was run, so that it can be run again.
    """
    bridge = tally.bridge
    return {
        "ok": comparison.ok,
        "messages": comparison.messages,
        "ended": comparison.ended,
        **{fault.value: comparison.messages_with(fault) for fault in Violation},
        "events": comparison.events,
        "corrections": comparison.corrections,
        "seconds": round(tally.seconds, 1),
        **options,
        **{source: tally.sources[source] for source in ("callback", "poll", "deadline")},
        "callbacks_received": total(bridge, "callbacks"),
        "polls_completed": total(bridge, "polls"),
        "suppressed": {name: bridge.get(f"reports.{name}", 0) for name in ("duplicate", "stale", "late", "unmapped")},
        "parked": bridge.get("reports.parked", 0),
        "dead_letters": total(bridge, "dead_letters"),
        "sent_to_final_seconds": percentiles(tally.to_final),
        "told_to_read_seconds": percentiles(tally.to_reader),
    }


def percentiles(values: list[float]) -> dict[str, float | None]:
    """The usual ones, in seconds, to the millisecond."""
    found = {name: percentile(values, share) for name, share in SHARES.items()}
    return {name: None if value is None else round(value, 3) for name, value in found.items()}


def total(counts: Mapping[str, int], name: str) -> int:
    """All that the bridge counted under a name."""
    return sum(count for counted, count in counts.items() if counted.startswith(f"{name}."))


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
