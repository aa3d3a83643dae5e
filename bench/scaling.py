"""Makes docs/scaling.md: the resources for 100 to 100,000 messages per second, computed from measured unit costs."""

from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import Any, NamedTuple

from bench.simulation import DISTURBANCES, Deployment, SimulationResult, simulate

RATES = (100, 1_000, 10_000, 100_000)
RULE = f"|---|{'---:|' * len(RATES)}"
"""The line below a table's head."""

REPORTS, EVENTS = 1.6, 1.5
"""Per message: received reports, published events."""

BUSY = 0.5
"""The planned use of a core; the rest is for bursts, rebalances and the loss of a replica."""

RETENTION_SECONDS = 48 * 3600
"""An attempt is stored until its deadline, even if it is final."""

WRITTEN_BYTES = 2.6 * 600 + 2.5 * 240 + EVENTS * 1_050
"""Per message into journal, state topic and sms.delivery, before compression."""

COMPRESSED, REPLICATION = 0.35, 3
BROKER_BYTES_PER_SECOND = 50e6
"""What one broker can write including replicas: a cautious figure for an ordinary disk and network."""

LATE, POLLS = 0.05, 4
"""The share of messages that are not final after 15 minutes, and the polls that each of them needs (`fallback`)."""

PARTITIONS = 24

FLOW_RATE = 500
"""Messages per second of the end-to-end measurement: a low rate for one process."""


class Costs(NamedTuple):
    """Measured unit costs."""

    intake: float
    receiver: float
    tracker: float
    """The CPU time of one event, callback or entry, in microseconds."""
    restored: float
    """States that one process restores per second."""
    disk: float
    """Bytes per attempt."""
    sparse: float | None = None
    """The CPU time of a message in all roles at a low rate, in microseconds: batches are nearly empty."""

    @property
    def full(self) -> float:
        """The CPU time of a message in all roles with full batches, in microseconds."""
        return self.intake + REPORTS * self.receiver + (1 + REPORTS) * self.tracker

    @property
    def sparse_rate(self) -> int | None:
        """How many messages per second one replica takes at a low rate, in hundreds."""
        return None if self.sparse is None else int(BUSY / self.sparse * 1e4) * 100


def read_costs(found: Mapping[str, Any]) -> Costs | None:
    """Return a run's unit costs, or None if it didn't measure all of them."""
    try:
        us = {name: found[name]["medians"]["sms-bridge"]["cpu_us"] for name in ("intake", "receiver", "tracker")}
        known = [one for one in found["known"]["followed"].values() if "failed" not in one][-1]
    except (KeyError, IndexError):
        return None
    flow = list(found.get("end-to-end", {}).get("medians", {}).values())
    sparse = flow[0]["cpu_us"] if flow else None
    return Costs(us["intake"], us["receiver"], us["tracker"], known["restored_per_second"], known["disk_bytes"], sparse)


def make_scaling_document(unit: Costs) -> str:
    """Return the document."""
    return "\n".join([*_head(unit), *_table(unit), *_disturbances(unit), *_breaks()]) + "\n"


def _head(unit: Costs) -> Iterator[str]:
    broker_mb = BROKER_BYTES_PER_SECOND / 1e6
    yield f"""# Scaling: from 100 to 100,000 messages per second

`make bench` computes and simulates these figures from its measurements in the same run ([performance](performance.md)).
They are an estimate for planning a load test, not a guarantee.

Measured costs: {unit.intake:.0f} µs of CPU per sent event, {unit.receiver:.0f} µs per callback and
{unit.tracker:.0f} µs per folded journal entry; {unit.restored:,.0f} states per second restored by one process;
{unit.disk:.0f} bytes of disk per attempt.

Assumptions: {REPORTS} reports and {EVENTS} events per message; cores {BUSY:.0%} busy; attempts known for 48 h;
replication {REPLICATION}; LZ4 compresses to {COMPRESSED:.0%}; {broker_mb:.0f} MB/s per broker; {LATE:.0%} of
the messages have no final report after 15 minutes and then need {POLLS} polls.
"""
    if unit.sparse:
        yield f"""The costs are those of full batches, so the table has the fewest cores and replicas. At a low
rate, batches are nearly empty: at {FLOW_RATE} messages per second, a message takes {unit.sparse:,.0f} instead of
{unit.full:,.0f} µs in all roles. One replica with all roles for every {unit.sparse_rate} messages per second is
therefore the most that is needed; [sizing](operating.md#sizing) says how to begin.
"""


def _table(unit: Costs) -> Iterator[str]:
    columns = [_column(rate, unit) for rate in RATES]
    yield _row("messages per second", (f"{rate:,}" for rate in RATES))
    yield RULE
    for name in columns[0]:
        yield _row(name, (column[name] for column in columns))
    yield ""


def _row(name: str, cells: Iterable[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _used(rate: int, unit: Costs) -> dict[str, float]:
    """Return the used cores by role."""
    return {
        "intake": rate * unit.intake / 1e6,
        "receive": rate * REPORTS * unit.receiver / 1e6,
        "track": rate * (1 + REPORTS) * unit.tracker / 1e6,
    }


def _replicas(used: Mapping[str, float]) -> dict[str, int]:
    return {role: max(2, ceil(cores / BUSY)) for role, cores in used.items()}


def _in_one(used: Mapping[str, float]) -> bool:
    """Return whether two processes with all roles are enough."""
    return sum(used.values()) <= 2 * BUSY


def make_deployment(rate: int, unit: Costs) -> Deployment:
    """Return the deployment in the table, as input of the simulation."""
    used = _used(rate, unit)
    replicas = _replicas(used)
    together = 2 / sum(used.values())
    headroom = {role: together if _in_one(used) else replicas[role] / cores for role, cores in used.items()}
    restore_seconds = rate * RETENTION_SECONDS / replicas["track"] / unit.restored
    return Deployment(rate, REPORTS, headroom, replicas["track"], restore_seconds)


def _disturbances(unit: Costs) -> Iterator[str]:
    yield """## Disturbances

`bench/simulation.py` simulates each disturbance second by second, with the same costs and the replicas above. The table
shows the maximum delay of an entry in the journal, and how long after the end of the disturbance the backlog is gone.
"""
    deployments = [make_deployment(rate, unit) for rate in RATES]
    yield _row("disturbance", (f"{rate:,} per second" for rate in RATES))
    yield RULE
    for disturbance in DISTURBANCES:
        yield _row(disturbance.text, (_format_result(simulate(one, disturbance)) for one in deployments))
    yield ""


def _format_result(result: SimulationResult) -> str:
    over = (
        "never recovers" if result.recovery_seconds is None else f"recovered after {_duration(result.recovery_seconds)}"
    )
    return f"{_duration(result.max_delay_seconds)} late, {over}"


def _column(rate: int, unit: Costs) -> dict[str, str]:
    used = _used(rate, unit)
    replicas = _replicas(used)
    partitions = max(PARTITIONS, 2 ** ceil(replicas["track"] * 2 - 1).bit_length())
    known = rate * RETENTION_SECONDS
    written = rate * WRITTEN_BYTES * COMPRESSED * REPLICATION
    one = "all roles in 2" if _in_one(used) else ""
    return {
        "cores used: intake, receiver, tracker": ", ".join(f"{cores:.2g}" for cores in used.values()),
        "replicas: intake, receive, track": one or ", ".join(f"{count:,}" for count in replicas.values()),
        "journal partitions": f"{partitions:,}",
        "written by all brokers, MB/s": f"{written / 1e6:,.1f}",
        "brokers": f"{max(3, ceil(written / BROKER_BYTES_PER_SECOND)):,}",
        "known attempts, millions": f"{known / 1e6:,.0f}",
        "cache on disk, in total, GB": f"{known * unit.disk / 1e9:,.0f}",
        "restore of one replica without a cache": _duration(known / replicas["track"] / unit.restored),
        "polls per second, all accounts": f"{rate * LATE * POLLS:,.0f}",
    }


def _duration(seconds: float) -> str:
    return (
        f"{seconds:,.0f} s"
        if seconds < 120
        else f"{seconds / 60:,.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:,.1f} h"
    )


def _breaks() -> Iterator[str]:
    yield """## Limits in the order in which they are reached

1. **Polls.** The default `RATE_PER_SECOND` is 10 per account. At 100 messages per second, late callbacks already cause
   more polls than that. Ask the provider for a higher rate, spread the load over accounts, or poll later (`POLL`).
   Watch `polls_due` and `poll_lateness`: polls that are late by minutes delay final statuses but never falsify them.
2. **Restore without a cache.** An attempt is known until its deadline has passed. So the amount to restore grows with
   the rate and with `GIVE_UP_AFTER`, not with the number of open messages. During a restore, callbacks are accepted,
   but the affected partitions publish nothing. Keep the cache on a volume (StatefulSet), so that a restart reads only
   new records. A shorter `GIVE_UP_AFTER` reduces all of these costs. More replicas help too, because each restores only
   its own partitions.
3. **The number of partitions.** It limits the number of trackers and can't be changed for a journal that has entries.
   Above some thousand messages per second, choose it before the first start: twice the number of replicas in the table.
   More partitions also mean more transactions at the same rate, and each takes some milliseconds that delay the others.
4. **The receiver's cores.** The receiver is stateless. Add replicas behind the ingress; the providers' connections
   limit how far the load can be spread.
5. **Brokers.** For transactions, spread `__transaction_state` and `__consumer_offsets` over all brokers (50 partitions
   each by default). Above 10,000 messages per second, give the journal and `sms.delivery` more partitions than there
   are brokers.
6. **Compaction.** The state topic is rewritten as attempts change. At 100,000 messages per second, the log cleaner
   reads about as much as everything else writes. Give it more threads (`log.cleaner.threads`) and watch
   `max-dirty-percent`.

Beyond that, split the installation by provider or account, each with its own topics and group. This is possible because
no attempt depends on the state of another."""
