"""The performance targets as a table, each with its figure in the results and its bound."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Target(NamedTuple):
    """One target."""

    text: str
    path: tuple[str, ...]
    """The figure's path in the results."""
    sign: int
    """1: the bound is a minimum; -1: a maximum."""
    bound: float

    def read_figure(self, found: Mapping[str, Any]) -> float | None:
        """Return the measured figure, or None."""
        at: Any = found
        for name in self.path:
            at = at.get(name) if isinstance(at, Mapping) else None
        return at if isinstance(at, int | float) else None

    def is_met(self, figure: float) -> bool:
        """Return whether a figure meets the target."""
        return self.sign * figure >= self.sign * self.bound


US = "sms-bridge"
FLOW = ("end-to-end", "medians")
MILLION = ("known", "followed", "1000000")

STREAMS, QUIX, GO, STARLETTE = "Kafka Streams", "Quix Streams", "Go, franz-go", "Starlette"

TARGETS = (
    Target("tracker: µs CPU per entry", ("tracker", "medians", US, "cpu_us"), -1, 22),
    Target("tracker: CPU per entry, relative to Kafka Streams", ("tracker", "cpu_ratio", STREAMS), -1, 0.6),
    Target(
        "tracker: broker's CPU per entry, relative to Kafka Streams", ("tracker", "broker_cpu_ratio", STREAMS), -1, 1
    ),
    Target("the machine: entries per second, relative to Kafka Streams", ("tracker", "machine_ratio", STREAMS), 1, 1.2),
    Target("the machine: entries per second, relative to Quix Streams", ("tracker", "machine_ratio", QUIX), 1, 5),
    Target("receiver: µs CPU per callback", ("receiver", "medians", US, "cpu_us"), -1, 65),
    Target("receiver: callbacks per second, relative to Go", ("receiver", "speed_ratio", GO), 1, 0.85),
    Target("receiver: callbacks per second, relative to Starlette", ("receiver", "speed_ratio", STARLETTE), 1, 2),
    Target("receiver: p99, relative to Go", ("receiver", "p99_ratio", GO), -1, 1.1),
    Target("intake: µs CPU per sent event", ("intake", "medians", US, "cpu_us"), -1, 12),
    Target("poller: polls per second", ("poller", "medians", US, "per_second"), 1, 1_500),
    Target("poller: polls per second, relative to plain httpx", ("poller", "speed_ratio", "httpx"), 1, 7),
    Target("end to end at 500 messages per second, 1 partition: p99, ms", (*FLOW, "1", "p99_ms"), -1, 40),
    Target("end to end at 500 messages per second, 12 partitions: p99, ms", (*FLOW, "12", "p99_ms"), -1, 100),
    Target("restore of a million attempts: states per second", (*MILLION, "restored_per_second"), 1, 200_000),
    Target("restore of a million attempts: seconds", (*MILLION, "restore_s"), -1, 5),
    Target("a million attempts, with a cache: seconds from start to ready", (*MILLION, "warm_start_s"), -1, 5),
    Target("a million attempts: bytes of disk per attempt", (*MILLION, "disk_bytes"), -1, 300),
    Target("a million attempts: bytes of state topic per attempt, uncompressed", (*MILLION, "state_bytes"), -1, 300),
    Target("the most attempts, after further entries: MB of memory", ("known", "rss_most_mb"), -1, 200),
    Target("CPU per entry with the most attempts, relative to the fewest", ("known", "cpu_ratio"), -1, 1.15),
    Target("CPU per entry with 2 partitions and processes, relative to 1", ("partitions", "cpu_ratio", "2"), -1, 1.15),
    Target("CPU per entry with 4 partitions and processes, relative to 1", ("partitions", "cpu_ratio", "4"), -1, 1.15),
)
