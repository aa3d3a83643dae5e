"""The demo's views without a terminal: one plain line per second, or JSON documents for programs."""

import sys
from collections.abc import Mapping
from typing import Any

import orjson

from bridge.sandbox.demo.kept_run import KeptRun
from bridge.sandbox.demo.run_stats import RunStats, percentile
from bridge.sandbox.demo.verification import VerificationResult, Violation

INTERVAL_SECONDS = 1.0
"""How often a line is written."""

PERCENTILES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class PlainView:
    """Writes to standard output. Implements `View`."""

    interval_seconds = INTERVAL_SECONDS

    def show_phase(self, text: str) -> None:
        """A phase of the run begins."""
        _write(text)

    def show_progress(self, stats: RunStats) -> None:
        """Show the state of the run."""
        sources = " ".join(f"{source} {count}" for source, count in sorted(stats.sources.items()))
        _write(
            f"{stats.seconds:5.1f} s  sent {stats.sent}/{stats.messages}  ended {len(stats.ended)}"
            f"  events {len(stats.events)}  {sources}"
        )

    def show_result(self, result: VerificationResult, summary: Mapping[str, Any]) -> None:
        """Show the violations; the last line is the summary as JSON."""
        for finding in result.findings:
            _write(str(finding))
        _write(orjson.dumps(summary).decode())

    def show_kept(self, kept: KeptRun) -> None:
        """Show what can be tried, one line each."""
        _write("Everything still runs, until Ctrl-C. Try in another terminal:")
        for line in (*kept.commands, f"the status page: {kept.page}"):
            _write(f"  {line}")

    def close(self) -> None:
        """Nothing to release."""


class JsonView:
    """Writes JSON to standard output, one document a line, each with its `type`. Implements `View`."""

    interval_seconds = INTERVAL_SECONDS

    def show_phase(self, text: str) -> None:
        """A phase of the run begins."""
        self._write("phase", {"text": text})

    def show_progress(self, stats: RunStats) -> None:
        """Show the state of the run."""
        counts = {
            "messages": stats.messages,
            "sent": stats.sent,
            "ended": len(stats.ended),
            "events": len(stats.events),
        }
        self._write("progress", {"seconds": round(stats.seconds, 1), **counts, **stats.sources})

    def show_result(self, result: VerificationResult, summary: Mapping[str, Any]) -> None:
        """Show the violations and the summary."""
        for finding in result.findings:
            members = {"fault": finding.violation, "key": finding.key, "what": finding.description}
            self._write("finding", members)
        self._write("verdict", summary)

    def show_kept(self, kept: KeptRun) -> None:
        """Show what can be tried."""
        self._write("kept", {"env_file": str(kept.env_file), "page": kept.page, "commands": kept.commands})

    def close(self) -> None:
        """Nothing to release."""

    def _write(self, kind: str, members: Mapping[str, Any]) -> None:
        _write(orjson.dumps({"type": kind, **members}).decode())


def summarize(stats: RunStats, result: VerificationResult, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the summary of a run.

    Args:
        stats: Its statistics.
        result: Its result.
        options: Its options, so that it can be repeated.
    """
    bridge = stats.bridge_counts
    return {
        "ok": result.ok,
        "messages": result.messages,
        "ended": result.ended,
        **{violation.value: result.count_messages_with(violation) for violation in Violation},
        "events": result.events,
        "corrections": result.corrections,
        "seconds": round(stats.seconds, 1),
        **options,
        **{source: stats.sources[source] for source in ("callback", "poll", "deadline")},
        "callbacks_received": sum_counts(bridge, "callbacks"),
        "polls_completed": sum_counts(bridge, "polls"),
        "suppressed": {name: bridge.get(f"reports.{name}", 0) for name in ("duplicate", "stale", "late", "unmapped")},
        "parked": bridge.get("reports.parked", 0),
        "dead_letters": sum_counts(bridge, "dead_letters"),
        "sent_to_final_seconds": summarize_percentiles(stats.sent_to_final_seconds),
        "told_to_read_seconds": summarize_percentiles(stats.observed_to_read_seconds),
    }


def summarize_percentiles(values: list[float]) -> dict[str, float | None]:
    """Return p50, p95 and p99, in seconds with three decimals."""
    found = {name: percentile(values, share) for name, share in PERCENTILES.items()}
    return {name: None if value is None else round(value, 3) for name, value in found.items()}


def sum_counts(counts: Mapping[str, int], name: str) -> int:
    """Return the sum of the bridge's counts under a name."""
    return sum(count for counter, count in counts.items() if counter.startswith(f"{name}."))


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
