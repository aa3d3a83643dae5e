"""docs/scaling.md: what 100 to 100,000 messages a second take, computed from the unit costs that a run measured."""

from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import Any, NamedTuple

from bench.simulation import TROUBLES, Plan, Told, simulate

RATES = (100, 1_000, 10_000, 100_000)
RULE = f"|---|{'---:|' * len(RATES)}"
"""Below a table's head."""

REPORTS, EVENTS = 1.6, 1.5
"""Per message: reports that come, events that are published."""

BUSY = 0.5
"""Share of a core that is planned with; the rest is for bursts, rebalances and the loss of a replica."""

REMEMBERED_S = 48 * 3600
"""An attempt is known until its time to give up is over, final or not."""

WRITTEN_BYTES = 2.6 * 600 + 2.5 * 240 + EVENTS * 1_050
"""Per message into journal, state topic and sms.delivery, before compression."""

COMPRESSED, REPLICATION = 0.35, 3
BROKER_BYTES_S = 50e6
"""Written by one broker, replicas included: a cautious figure for one ordinary disk and network."""

LATE, POLLS = 0.05, 4
"""Share of messages not final after a quarter of an hour, and polls that each of them takes (`fallback`)."""

PARTITIONS = 24


class Costs(NamedTuple):
    """Microseconds of CPU each, states restored a second by one process, bytes of disk an attempt."""

    intake: float
    receiver: float
    tracker: float
    restored: float
    disk: float


def costs(found: Mapping[str, Any]) -> Costs | None:
    """A run's unit costs; None where it didn't measure all of them."""
    try:
        us = {name: found[name]["medians"]["sms-bridge"]["cpu_us"] for name in ("intake", "receiver", "tracker")}
        known = [one for one in found["known"]["followed"].values() if "failed" not in one][-1]
    except (KeyError, IndexError):
        return None
    return Costs(us["intake"], us["receiver"], us["tracker"], known["restored_per_second"], known["disk_bytes"])


def scaling(unit: Costs) -> str:
    """The document."""
    return "\n".join([*_head(unit), *_table(unit), *_bad_hours(unit), *_breaks()]) + "\n"


def _head(unit: Costs) -> Iterator[str]:
    yield f"""# Scaling: from 100 to 100,000 messages a second

Computed and simulated by `make bench` from what it measured in the same run ([performance](performance.md)): an
estimate to plan a load test by, not a promise. Unit costs, CPU of one core: {unit.intake:.0f} µs a sent event,
{unit.receiver:.0f} µs a callback, {unit.tracker:.0f} µs a journal entry folded; {unit.restored:,.0f} states a second
restored by one process, {unit.disk:.0f} bytes of disk an attempt.

Assumed: {REPORTS} reports and {EVENTS} events a message; cores planned at {BUSY:.0%}; an attempt known for 48 h;
replication {REPLICATION}, LZ4 to {COMPRESSED:.0%}; {BROKER_BYTES_S / 1e6:.0f} MB/s a broker; {LATE:.0%} of the messages
without a final report after 15 minutes, which then take {POLLS} polls.
"""


def _table(unit: Costs) -> Iterator[str]:
    columns = [_column(rate, unit) for rate in RATES]
    yield _row("messages a second", (f"{rate:,}" for rate in RATES))
    yield RULE
    for name in columns[0]:
        yield _row(name, (column[name] for column in columns))
    yield ""


def _row(name: str, cells: Iterable[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _used(rate: int, unit: Costs) -> dict[str, float]:
    """Cores, by role."""
    return {
        "intake": rate * unit.intake / 1e6,
        "receive": rate * REPORTS * unit.receiver / 1e6,
        "track": rate * (1 + REPORTS) * unit.tracker / 1e6,
    }


def _replicas(used: Mapping[str, float]) -> dict[str, int]:
    return {role: max(2, ceil(cores / BUSY)) for role, cores in used.items()}


def _in_one(used: Mapping[str, float]) -> bool:
    """Whether two processes that do everything are enough."""
    return sum(used.values()) <= 2 * BUSY


def plan(rate: int, unit: Costs) -> Plan:
    """The installation that the table says, as the simulation needs it."""
    used = _used(rate, unit)
    replicas = _replicas(used)
    together = 2 / sum(used.values())
    headroom = {role: together if _in_one(used) else replicas[role] / cores for role, cores in used.items()}
    restore_s = rate * REMEMBERED_S / replicas["track"] / unit.restored
    return Plan(rate, REPORTS, headroom, replicas["track"], restore_s)


def _bad_hours(unit: Costs) -> Iterator[str]:
    yield """## Bad hours

Simulated second by second with the same costs and the replicas above (`bench/simulation.py`): by how much the oldest
waiting entry of the journal is late at worst, and how long after the trouble's end nothing waits any more.
"""
    plans = [plan(rate, unit) for rate in RATES]
    yield _row("trouble", (f"{rate:,} a second" for rate in RATES))
    yield RULE
    for trouble in TROUBLES:
        yield _row(trouble.text, (_told(simulate(one, trouble)) for one in plans))
    yield ""


def _told(told: Told) -> str:
    over = "never over" if told.over is None else f"over after {_duration(told.over)}"
    return f"{_duration(told.behind)} late, {over}"


def _column(rate: int, unit: Costs) -> dict[str, str]:
    used = _used(rate, unit)
    replicas = _replicas(used)
    partitions = max(PARTITIONS, 2 ** ceil(replicas["track"] * 2 - 1).bit_length())
    known = rate * REMEMBERED_S
    written = rate * WRITTEN_BYTES * COMPRESSED * REPLICATION
    one = "all roles in 2" if _in_one(used) else ""
    return {
        "cores used: intake, receiver, tracker": ", ".join(f"{cores:.2g}" for cores in used.values()),
        "replicas: intake, receive, track": one or ", ".join(f"{count:,}" for count in replicas.values()),
        "journal partitions": f"{partitions:,}",
        "written by all brokers, MB/s": f"{written / 1e6:,.1f}",
        "brokers": f"{max(3, ceil(written / BROKER_BYTES_S)):,}",
        "attempts known, millions": f"{known / 1e6:,.0f}",
        "cache on disk in all, GB": f"{known * unit.disk / 1e9:,.0f}",
        "restore of one replica without a cache": _duration(known / replicas["track"] / unit.restored),
        "polls a second, all accounts": f"{rate * LATE * POLLS:,.0f}",
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
    yield """## What breaks first, and what to do then

1. **Polls.** `RATE_PER_SECOND` is 10 an account by default, which 100 messages a second exceed as soon as callbacks are
   late. Ask the provider for more, spread the load over accounts, or poll later (`POLL`). Watch `polls_due` and
   `poll_lateness`: polls late by minutes make ends late too, never wrong.
2. **Restore without a cache.** An attempt is known until its time to give up is over, so what has to be read grows with
   rate and `GIVE_UP_AFTER`, not with what is still open. Callbacks are taken meanwhile, but their partitions publish
   nothing. Keep the cache (a StatefulSet's volume): a start then reads only what is new. A shorter `GIVE_UP_AFTER`
   shortens everything; so do more replicas, for each restores its own partitions.
3. **The number of partitions.** It bounds the tracker's replicas and can't be changed for a journal that holds entries.
   From some thousand messages a second on, choose it before the first start: twice the replicas that the table says.
   More partitions also mean more transactions at the same rate: each costs some milliseconds of everybody's time.
4. **The receiver's cores.** It is stateless: more replicas behind the ingress, up to what the providers' connections
   spread over.
5. **Brokers.** Transactions need `__transaction_state` and `__consumer_offsets` spread over all of them (50 partitions
   each by default). From 10,000 messages a second on, give journal and `sms.delivery` more partitions than brokers.
6. **Compaction.** The state topic is rewritten as attempts change: at 100,000 messages a second its cleaner reads about
   as much as all else writes. Give it threads (`log.cleaner.threads`) and look at `max-dirty-percent`.

Beyond that one installation can be several: by provider or account, each with topics and a group of its own, since no
attempt ever needs another's state."""
