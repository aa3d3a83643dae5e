"""Decides from a seed which fault is injected when, so that a run can be repeated. Pure."""

import random
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple


class FaultKind(StrEnum):
    """The kinds of faults."""

    KILL = "kill"
    """One bridge is killed and started again at once."""
    KILL_ALL = "kill_all"
    """All bridges are killed together."""
    KILL_AGAIN = "kill_again"
    """One bridge is killed, and killed again while it starts and restores its state."""
    KILL_IN_TRANSACTION = "kill_in_transaction"
    """One bridge is killed when it commits a transaction, before or after the broker got the commit request."""
    ZOMBIE = "zombie"
    """One bridge is suspended for longer than the session timeout. When it resumes, others own its partitions."""
    ROLLING_RESTART = "rolling_restart"
    """The bridges are restarted one after the other."""
    SCALE = "scale"
    """The number of bridges changes, from one to three."""
    ROLES = "roles"
    """All bridges are restarted with split roles, or with all roles again."""
    STATE_DELETED = "state_deleted"
    STATE_TRUNCATED = "state_truncated"
    STATE_OVERWRITTEN = "state_overwritten"
    """A bridge is stopped, its state folder is damaged, and it is started again."""
    DISK_FULL = "disk_full"
    """A bridge's disk is full for a while."""
    CLOCK = "clock"
    """The clock of a bridge's machine is minutes fast or slow for a while."""
    CLOCK_HOURS = "clock_hours"
    """The same, by hours: more than a broker takes."""
    REWIND = "rewind"
    """All bridges are stopped, and started again with all sent events still to be read."""
    SETTINGS = "settings"
    """The bridges are restarted one after the other, with a longer or the first deadline."""
    UPDATE = "update"
    """The bridges are restarted one after the other, as another version, or as this one again."""

    BROKER_KILLED = "broker_killed"
    """One broker is killed and started again after some seconds."""
    COORDINATOR_KILLED = "coordinator_killed"
    """The broker that coordinates the tracker's or the intake's group is killed and started again."""
    BROKERS_AWAY = "brokers_away"
    """All brokers are killed and started again after a while."""
    WIRE_CUT = "wire_cut"
    """One bridge can't reach any broker: its connections break, and new ones are refused."""
    WIRE_FROZEN = "wire_frozen"
    """One bridge's connections stay open, but no data passes."""
    WIRE_HALF_OPEN = "wire_half_open"
    """One bridge's requests reach the brokers, but no response comes back."""
    WIRE_SINGLE = "wire_single"
    """One bridge can't reach one broker."""
    MEMBERSHIP_LOST = "membership_lost"
    """One bridge reaches all brokers, but the coordinators of its groups don't hear from it."""
    WIRE_SLOW = "wire_slow"
    """The network between one bridge and the brokers is slow."""
    LIMITED = "limited"
    """Both providers answer polls with 429."""
    FAILING = "failing"
    """Both providers answer polls with 5xx."""
    HANGING = "hanging"
    """Both providers don't answer polls."""
    RESETTING = "resetting"
    """Both providers break the connections of polls."""
    BABBLING = "babbling"
    """Both providers answer polls with garbage."""
    REFUSING = "refusing"
    """Both providers refuse the credentials of polls."""
    OUTAGE = "outage"
    """Both providers fail for half of the time until the bridge gives up, like one day of two."""
    BURST = "burst"
    """Callbacks arrive ten times as fast, repeated and out of order."""
    POISON = "poison"
    """Invalid, odd or large sent events are published among the valid ones."""
    ABORTED = "aborted"
    """A sender publishes valid sent events in a transaction, and aborts it."""
    STRANGERS = "strangers"
    """Callbacks arrive about messages that nobody sent."""
    REJECTING = "rejecting"
    """Both providers reject polls about a third of the messages."""
    SENT_GROWN = "sent_grown"
    """The topic of sent events gets one more partition."""
    TOPIC_LIMITS = "topic_limits"
    """The topic of events takes only small messages for a while."""
    SENT_TOPIC = "sent_topic"
    """The topic of sent events is deleted, and created again with another number of partitions."""
    RIGHTS = "rights"
    """The bridges lose a right that they need for a while."""
    TOKENS = "tokens"
    """The bridges get no tokens for a while, and those that they have expire."""


class FaultTiming(NamedTuple):
    """How long a kind of fault takes."""

    duration_seconds: tuple[float, float]
    """Minimum and maximum; 0 for a fault without a duration."""
    recovery_seconds: float
    """An estimate of how long it takes until the next fault can be injected."""


BRIDGE_FAULTS: Mapping[FaultKind, FaultTiming] = {
    FaultKind.KILL: FaultTiming((0, 0), 8),
    FaultKind.KILL_ALL: FaultTiming((0, 0), 10),
    FaultKind.KILL_AGAIN: FaultTiming((0.3, 4), 8),
    FaultKind.KILL_IN_TRANSACTION: FaultTiming((0, 0), 9),
    FaultKind.ZOMBIE: FaultTiming((11.5, 15), 3),
    FaultKind.ROLLING_RESTART: FaultTiming((0, 0), 18),
    FaultKind.SCALE: FaultTiming((0, 0), 4),
    FaultKind.ROLES: FaultTiming((0, 0), 18),
    FaultKind.STATE_DELETED: FaultTiming((0, 0), 8),
    FaultKind.STATE_TRUNCATED: FaultTiming((0, 0), 8),
    FaultKind.STATE_OVERWRITTEN: FaultTiming((0, 0), 8),
    FaultKind.DISK_FULL: FaultTiming((4, 8), 15),
    FaultKind.CLOCK: FaultTiming((5, 15), 0),
    FaultKind.CLOCK_HOURS: FaultTiming((4, 8), 12),
    FaultKind.REWIND: FaultTiming((0, 0), 25),
    FaultKind.SETTINGS: FaultTiming((0, 0), 18),
    FaultKind.UPDATE: FaultTiming((0, 0), 18),
}
"""Injected into the bridges, one after the other."""

SURROUNDING_FAULTS: Mapping[FaultKind, FaultTiming] = {
    FaultKind.BROKER_KILLED: FaultTiming((1, 6), 8),
    FaultKind.COORDINATOR_KILLED: FaultTiming((1, 6), 8),
    FaultKind.BROKERS_AWAY: FaultTiming((20, 20), 15),
    FaultKind.WIRE_CUT: FaultTiming((1, 12), 1),
    FaultKind.WIRE_FROZEN: FaultTiming((2, 20), 1),
    FaultKind.WIRE_HALF_OPEN: FaultTiming((2, 20), 1),
    FaultKind.WIRE_SLOW: FaultTiming((3, 12), 1),
    FaultKind.WIRE_SINGLE: FaultTiming((3, 20), 1),
    FaultKind.MEMBERSHIP_LOST: FaultTiming((12, 25), 1),
    FaultKind.LIMITED: FaultTiming((3, 10), 0),
    FaultKind.FAILING: FaultTiming((3, 10), 0),
    FaultKind.HANGING: FaultTiming((3, 10), 0),
    FaultKind.RESETTING: FaultTiming((3, 10), 0),
    FaultKind.BABBLING: FaultTiming((3, 10), 0),
    FaultKind.REFUSING: FaultTiming((2, 5), 0),
    FaultKind.OUTAGE: FaultTiming((60, 60), 0),
    FaultKind.BURST: FaultTiming((2, 5), 1),
    FaultKind.POISON: FaultTiming((2, 5), 0),
    FaultKind.ABORTED: FaultTiming((1, 3), 0),
    FaultKind.STRANGERS: FaultTiming((2, 5), 1),
    FaultKind.REJECTING: FaultTiming((5, 15), 0),
    FaultKind.SENT_GROWN: FaultTiming((0, 0), 2),
    FaultKind.TOPIC_LIMITS: FaultTiming((3, 6), 2),
    FaultKind.SENT_TOPIC: FaultTiming((0, 6), 8),
    FaultKind.RIGHTS: FaultTiming((3, 15), 2),
    FaultKind.TOKENS: FaultTiming((10, 30), 2),
}
"""Injected into everything else at the same time, also one after the other."""

GAP_SECONDS = (0.5, 5.0)
"""Minimum and maximum between two faults of a sequence."""


class Fault(NamedTuple):
    """One fault of a plan."""

    start_seconds: float
    """Since the start of the run; later if the previous fault takes longer than estimated."""
    kind: FaultKind
    duration_seconds: float
    selector: float
    """From 0 to 1; decides the target and the variant."""

    def __str__(self) -> str:
        return f"{self.start_seconds:7.1f} s  {self.kind:<18} {self.duration_seconds:5.1f} s  {self.selector:.4f}"


class Plan(NamedTuple):
    """Two sequences of faults that run at the same time. In each, a fault has ended before the next one starts."""

    bridges: tuple[Fault, ...]
    surroundings: tuple[Fault, ...]

    @property
    def faults(self) -> list[Fault]:
        """All faults, ordered by start."""
        return sorted([*self.bridges, *self.surroundings])

    def has(self, kind: FaultKind) -> bool:
        """Whether there is a fault of this kind."""
        return any(fault.kind is kind for fault in self.faults)


def make_plan(seed: int, seconds: float, kinds: Collection[FaultKind] = tuple(FaultKind)) -> Plan:
    """Return the plan of a run.

    Args:
        seed: The same seed and kinds give the same plan.
        seconds: No fault starts after this time.
        kinds: Only these kinds.
    """
    rng = random.Random(seed)
    groups = (BRIDGE_FAULTS, SURROUNDING_FAULTS)
    timings = [{kind: timing for kind, timing in group.items() if kind in kinds} for group in groups]
    return Plan(*(tuple(_make_sequence(rng, group, seconds)) for group in timings))


def _make_sequence(rng: random.Random, timings: Mapping[FaultKind, FaultTiming], seconds: float) -> Iterator[Fault]:
    start = 3.0
    while timings:
        # Rounds with every kind once in a new order, so that every long run has all kinds.
        for kind in rng.sample(sorted(timings), len(timings)):
            start += rng.uniform(*GAP_SECONDS)
            if start > seconds:
                return
            duration = rng.uniform(*timings[kind].duration_seconds)
            yield Fault(round(start, 1), kind, round(duration, 1), round(rng.random(), 4))
            start += duration + timings[kind].recovery_seconds
