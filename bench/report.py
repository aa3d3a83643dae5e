"""docs/performance.md and its charts, out of what a run found. Writes nothing but text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.bounds import bounds
from bench.charts import bars
from bench.scaling import costs, scaling
from bench.targets import TARGETS

HEAD = """# Performance

Made by `make bench`, which measures everything on one machine in one run: the contestants of a subject take turns on
the same broker, each is measured several times, medians count. A ratio is the median of the ratios within a round,
so that both sides saw the same machine. CPU time is the contestant's own, as the kernel counts it; it is steadier than
throughput where a broker, a load client and a contestant share two cores. What was published or acknowledged is read
back and counted before a figure counts.
"""

TITLES: Mapping[str, tuple[str, str]] = {
    "tracker": (
        "The tracker",
        """Journal entries folded and published exactly once: decode, look up, decide, write state, publish a full event
with headers, commit. *No logic* moves as many bytes in the same transactions on the same client and decides nothing.
Kafka Streams runs `exactly_once_v2`, one thread, RocksDB with its cache; Quix Streams runs exactly-once with the
bridge's own rules, so that only the engine differs. Measured from 20 % to 95 % of the entries: starts don't count.""",
    ),
    "receiver": (
        "The receiver",
        """Callbacks acknowledged once the journal has them (acks=all), 64 connections that each wait for their answer,
load by a client in Go. *No Kafka* is the same HTTP listener answering at once. Starlette waits for one `send` per
request.""",
    ),
    "intake": ("The intake", "`sms.sent` re-keyed into the journal."),
    "poller": (
        "The poller",
        "64 connections against the simulated provider, which is Python too and shares the cores.",
    ),
    "end-to-end": (
        "End to end",
        """All roles in one process, 500 messages a second, for 10 seconds: from a callback's request to its event
before a `read_committed` reader; CPU is that of a message, all of its way. By the journal's partitions: one is enough
for ten times as much, and each further one has transactions of its own, smaller ones, on the same two cores.""",
    ),
    "partitions": ("Partitions and processes", "The same load on 1, 2 and 4 partitions, one process each."),
}
UNITS = {
    "per_second": "a second",
    "cpu_us": "µs CPU each",
    "p50_ms": "ms p50",
    "p99_ms": "ms p99",
    "callback_ms": "ms a callback",
    "transaction_ms": "ms a transaction",
    "transaction_entries": "entries in one",
}
CHARTS: Mapping[str, tuple[str, str]] = {"end-to-end": ("p50_ms", "p99_ms")}
OTHERWISE = ("per_second", "cpu_us")


def written(found: Mapping[str, Any]) -> dict[str, str]:
    """Texts by file name, below docs/."""
    files: dict[str, str] = {}
    lines = [HEAD, *_machine(found), *_targets(found)]
    for name, (title, text) in TITLES.items():
        if "medians" in found.get(name, {}):
            lines += [f"## {title}", "", text, "", *_contest(found[name]), *_charts(name, title, found[name], files)]
    lines += [*_known(found), *bounds(found), *_profile(found)]
    if unit := costs(found):
        files["scaling.md"] = scaling(unit)
    files["performance.md"] = "\n".join(lines).rstrip() + "\n"
    return files


def _machine(found: Mapping[str, Any]) -> Iterator[str]:
    at = found["machine"]
    yield f"Measured {found['measured_at']} on {at['cores']} cores ({at['processor']}), {at['memory_gb']} GB,"
    yield f"{found['rounds']} rounds, scale {found['scale']:g}."
    yield ""


def _targets(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Aims", "", "| what | aim | found | |", "|---|---:|---:|---|")
    for target in TARGETS:
        figure = target.figure(found)
        if figure is not None:
            aim = f"{'≥' if target.sign > 0 else '≤'} {target.bound:,g}"
            yield f"| {target.text} | {aim} | {_number(figure)} | {'met' if target.met(figure) else '**missed**'} |"
    yield ""


def _contest(result: Mapping[str, Any]) -> Iterator[str]:
    figures = list(dict.fromkeys(figure for one in result["medians"].values() for figure in one))
    yield f"| | {' | '.join(UNITS.get(figure, figure) for figure in figures)} |"
    yield f"|---|{'---:|' * len(figures)}"
    for name, medians in result["medians"].items():
        yield f"| {name} | {' | '.join(_number(medians[figure]) for figure in figures)} |"
    for name, why in result["left_out"].items():
        yield f"| {name} | left out: {why.splitlines()[0]} |" + " |" * (len(figures) - 1)
    yield ""


def _charts(name: str, title: str, result: Mapping[str, Any], files: dict[str, str]) -> Iterator[str]:
    if len(result["medians"]) < 2:
        return
    for figure in CHARTS.get(name, OTHERWISE):
        file = f"performance/{name}-{figure.replace('_', '-')}.svg"
        lines = [(one, medians[figure]) for one, medians in result["medians"].items()]
        files[file] = bars(f"{title}: {UNITS[figure]}", lines, UNITS[figure])
        yield f"![{title}: {UNITS[figure]}]({file})"
    yield ""


KNOWN = (
    "restore_s",
    "restored_per_second",
    "warm_start_s",
    "rss_mb",
    "rss_after_mb",
    "disk_bytes",
    "state_bytes",
    "cpu_us",
)


def _known(found: Mapping[str, Any]) -> Iterator[str]:
    numbers = found.get("known", {}).get("followed", {})
    if not numbers:
        return
    yield from ("## Many followed attempts", "")
    yield "Restored from the state topic without a cache, at rest for a moment, then given entries about some of the"
    yield "attempts, then started again with the cache kept. Bytes are per attempt; those of the state topic before"
    yield "compression."
    yield from (
        "",
        (
            "| followed | restore, s | states a second | start with cache, s | MB | MB after the entries |"
            " disk bytes | state topic bytes | µs CPU an entry |"
        ),
        "|---:|" + "---:|" * len(KNOWN),
    )
    for count, one in numbers.items():
        cells = [one["failed"].splitlines()[0]] if "failed" in one else [_number(one[name]) for name in KNOWN]
        yield f"| {int(count):,} | {' | '.join(cells)} |"
    yield ""


def _profile(found: Mapping[str, Any]) -> Iterator[str]:
    for name, table in found.get("profile", {}).items():
        if isinstance(table, Sequence) and not isinstance(table, str):
            yield from (f"## Where the {name}'s time goes", "")
            yield f"By py-spy, what a function calls included. All of it: [flame graph](performance/{name}-flame.svg)."
            yield ""
            yield from ("| function | share of samples |", "|---|---:|")
            yield from (f"| `{frame}` | {share:.1%} |" for frame, share in table)
            yield ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
