"""What is aimed at, as a table: where a figure is found, which way it has to lie, and how it did."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Target(NamedTuple):
    """One aim."""

    text: str
    path: tuple[str, ...]
    """Where in the results the figure is."""
    sign: int
    """1: at least so much; -1: at most."""
    bound: float

    def figure(self, found: Mapping[str, Any]) -> float | None:
        """What was measured, if it was."""
        at: Any = found
        for name in self.path:
            at = at.get(name) if isinstance(at, Mapping) else None
        return at if isinstance(at, int | float) else None

    def met(self, figure: float) -> bool:
        """Whether a figure lies on the right side."""
        return self.sign * figure >= self.sign * self.bound


US = "sms-bridge"
FLOW = ("end-to-end", "medians", "1")
MILLION = ("known", "followed", "1000000")

TARGETS = (
    Target("tracker: times Kafka Streams' entries a second", ("tracker", "speed_ratio", "Kafka Streams"), 1, 2),
    Target("tracker: times Quix Streams' entries a second", ("tracker", "speed_ratio", "Quix Streams"), 1, 5),
    Target("tracker: times the entries a second of no logic", ("tracker", "speed_ratio", "no logic"), 1, 0.5),
    Target("tracker: µs CPU an entry", ("tracker", "medians", US, "cpu_us"), -1, 25),
    Target("receiver: times the Go service's callbacks a second", ("receiver", "speed_ratio", "Go, franz-go"), 1, 0.9),
    Target("receiver: times the Go service's CPU a callback", ("receiver", "cpu_ratio", "Go, franz-go"), -1, 1.1),
    Target("receiver: times the Go service's p99", ("receiver", "p99_ratio", "Go, franz-go"), -1, 1),
    Target("receiver: times Starlette's callbacks a second", ("receiver", "speed_ratio", "Starlette"), 1, 2),
    Target("intake: sent events a second", ("intake", "medians", US, "per_second"), 1, 40_000),
    Target("intake: µs CPU a sent event", ("intake", "medians", US, "cpu_us"), -1, 15),
    Target("poller: polls a second", ("poller", "medians", US, "per_second"), 1, 1_500),
    Target("poller: times plain httpx", ("poller", "speed_ratio", "httpx"), 1, 7),
    Target("end to end at 500 messages a second, one partition: p50, ms", (*FLOW, "p50_ms"), -1, 40),
    Target("end to end at 500 messages a second, one partition: p99, ms", (*FLOW, "p99_ms"), -1, 120),
    Target("restore of a million attempts: states a second", (*MILLION, "restored_per_second"), 1, 100_000),
    Target("restore of a million attempts: s", (*MILLION, "restore_s"), -1, 15),
    Target("a million attempts, cache kept: s from start to ready", (*MILLION, "warm_start_s"), -1, 5),
    Target("a million attempts: MB of memory", (*MILLION, "rss_mb"), -1, 250),
    Target("a million attempts: bytes of disk each", (*MILLION, "disk_bytes"), -1, 300),
    Target("a million attempts: bytes of state topic each, uncompressed", (*MILLION, "state_bytes"), -1, 300),
    Target("the most attempts, and further entries: MB of memory", ("known", "rss_most_mb"), -1, 250),
    Target("the most attempts: times the CPU an entry of the fewest", ("known", "cpu_ratio"), -1, 1.15),
    Target("2 partitions and processes: times the CPU an entry of 1", ("partitions", "cpu_ratio", "2"), -1, 1.15),
    Target("4 partitions and processes: times the CPU an entry of 1", ("partitions", "cpu_ratio", "4"), -1, 1.15),
)
