"""Makes docs/performance.md and its charts from the results of a run. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.bounds import explain_missed_targets
from bench.charts import draw_bars
from bench.scaling import make_scaling_document, read_costs
from bench.summary import format_number, summarize
from bench.targets import TARGETS

HEAD = """# Performance

`make bench` generates this page. It measures everything on one machine in one run, beside the same work on other
engines.
"""

METHOD = """## How it is measured

The contestants of a benchmark take turns on the same broker, each is measured several times, and the tables show
medians. A ratio is the median of the ratios within each round, so that both sides ran under the same conditions. CPU
time is the contestant's own, as counted by the kernel, and the broker's is counted beside it; it varies less than
throughput, because the broker, the load generator and the contestant share the cores. The broker runs as in production
(the optimising compiler, the default garbage collector), and is warm. The bridge has the packages of its image, and,
like the image, an interpreter that was built with profile-guided optimization, as distributions build theirs; so have
the Python peers. Before a figure is accepted, the published or acknowledged records are read back and counted.

All contestants compress with LZ4. The bridge's default, gzip, takes 2 µs of CPU more per entry
([decision 6](decisions/0006-speed.md)).
"""

TITLES: Mapping[str, tuple[str, str]] = {
    "tracker": (
        "The tracker",
        """Journal entries are folded and published exactly once: decode, look up, decide, write state, publish a full
event with headers, commit. *No logic* moves the same number of bytes in the same transactions with the same client, but
decides nothing. Kafka Streams runs `exactly_once_v2`, which commits every 100 ms, and RocksDB with its record cache of
64 MB. Quix Streams runs exactly-once with the bridge's own rules, so that only the engine differs. Two processes or
threads show what the machine does at most: on two cores, they compete with the broker. The measurement covers 20 % to
95 % of the entries, so it excludes the start.""",
    ),
    "receiver": (
        "The receiver",
        """Callbacks are acknowledged once the journal has them (acks=all). A client in Go generates the load over 64
connections, each of which waits for its response. *No Kafka* is the same HTTP listener, responding at once. Starlette
awaits one `send` per request.""",
    ),
    "intake": ("The intake", "Records of `sms.sent` are written to the journal with a new key."),
    "poller": (
        "The poller",
        "64 connections poll the simulated provider, which is also written in Python and shares the cores.",
    ),
    "end-to-end": (
        "End to end",
        """One process runs all roles at 500 messages per second for 20 seconds, on a warm broker. Latency is
measured from a callback's request until a `read_committed` consumer has its event; CPU is the total per message. The
rows differ in the number of the journal's partitions. One partition is enough for ten times this load; each further
one has its own, smaller transactions on the same two cores.""",
    ),
    "partitions": ("Partitions and processes", "The same load on 1, 2 and 4 partitions, one process per partition."),
}
UNITS = {
    "per_second": "per second",
    "cpu_us": "µs CPU each",
    "broker_cpu_us": "µs CPU of the broker each",
    "p50_ms": "ms p50",
    "p99_ms": "ms p99",
    "callback_ms": "ms per callback",
    "transaction_ms": "ms per transaction",
    "transaction_entries": "entries per transaction",
}
CHARTS: Mapping[str, tuple[str, str]] = {"end-to-end": ("p50_ms", "p99_ms")}
DEFAULT_CHARTS = ("per_second", "cpu_us")


def make_documents(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the documents by file name, relative to docs/."""
    files: dict[str, str] = {}
    lines = [HEAD, *_machine(found), *summarize(found)]
    for name, (title, text) in TITLES.items():
        if "medians" in found.get(name, {}):
            lines += [f"## {title}", "", text, "", *_contest(found[name]), *_charts(name, title, found[name], files)]
    lines += [*_known(found), *_goals(found), *_profile(found), METHOD]
    if unit := read_costs(found):
        files["scaling.md"] = make_scaling_document(unit)
    files["performance.md"] = "\n".join(lines).rstrip() + "\n"
    return files


def _machine(found: Mapping[str, Any]) -> Iterator[str]:
    at = found["machine"]
    yield f"Measured {found['measured_at']} on {at['cores']} cores ({at['processor']}), {at['memory_gb']} GB,"
    yield f"{at['python']}, {found['rounds']} rounds, scale {found['scale']:g}."
    yield ""


def _goals(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Goals", "", "| figure | goal | measured | |", "|---|---:|---:|---|")
    for target in TARGETS:
        figure = target.read_figure(found)
        if figure is not None:
            aim = f"{'≥' if target.sign > 0 else '≤'} {target.bound:,g}"
            is_met = "reached" if target.is_met(figure) else "not reached"
            yield f"| {target.text} | {aim} | {format_number(figure)} | {is_met} |"
    yield ""
    yield from explain_missed_targets(found)


def _contest(result: Mapping[str, Any]) -> Iterator[str]:
    figures = list(dict.fromkeys(figure for one in result["medians"].values() for figure in one))
    yield f"| | {' | '.join(UNITS.get(figure, figure) for figure in figures)} |"
    yield f"|---|{'---:|' * len(figures)}"
    for name, medians in result["medians"].items():
        yield f"| {name} | {' | '.join(format_number(medians[figure]) for figure in figures)} |"
    for name, why in result["left_out"].items():
        yield f"| {name} | left out: {why.splitlines()[0]} |" + " |" * (len(figures) - 1)
    yield ""


def _charts(name: str, title: str, result: Mapping[str, Any], files: dict[str, str]) -> Iterator[str]:
    if len(result["medians"]) < 2:
        return
    for figure in CHARTS.get(name, DEFAULT_CHARTS):
        file = f"performance/{name}-{figure.replace('_', '-')}.svg"
        lines = [(one, medians[figure]) for one, medians in result["medians"].items()]
        files[file] = draw_bars(f"{title}: {UNITS[figure]}", lines, UNITS[figure])
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
    yield "The process restores from the state topic without a cache and rests for a moment. It then folds entries"
    yield "about some of the attempts, and is restarted with its cache. Bytes are per attempt; those of the state topic"
    yield "are uncompressed."
    yield from (
        "",
        (
            "| followed | restore, s | states per second | start with cache, s | MB | MB after the entries |"
            " disk bytes | state topic bytes | µs CPU per entry |"
        ),
        "|---:|" + "---:|" * len(KNOWN),
    )
    for count, one in numbers.items():
        cells = [one["failed"].splitlines()[0]] if "failed" in one else [format_number(one[name]) for name in KNOWN]
        yield f"| {int(count):,} | {' | '.join(cells)} |"
    yield ""


def _profile(found: Mapping[str, Any]) -> Iterator[str]:
    for name, table in found.get("profile", {}).items():
        if isinstance(table, Sequence) and not isinstance(table, str):
            yield from (f"## Where the {name} spends its time", "")
            yield f"Measured by py-spy, called functions included. See the [flame graph](performance/{name}-flame.svg)."
            yield ""
            yield from ("| function | share of samples |", "|---|---:|")
            yield from (f"| `{frame}` | {share:.1%} |" for frame, share in table)
            yield ""
