"""Which fault happens when: a schedule drawn from a seed, so that a run can be repeated. Pure; nothing is done here."""

import random
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What can be made to fail."""

    KILL = "kill"
    """SIGKILL of one bridge, started again at once."""
    KILL_ALL = "kill_all"
    """SIGKILL of all bridges together."""
    KILL_AGAIN = "kill_again"
    """SIGKILL, and once more while it starts and restores."""
    KILL_IN_TRANSACTION = "kill_in_transaction"
    """SIGKILL of one bridge when it asks for a transaction's commit, before or after the broker has heard it."""
    ZOMBIE = "zombie"
    """SIGSTOP past the session time-out, then SIGCONT: it believes to own what others own by then."""
    ROLLING_RESTART = "rolling_restart"
    """SIGTERM, one bridge after the other."""
    SCALE = "scale"
    """Another number of bridges, from one to three."""
    ROLES = "roles"
    """All bridges are replaced by ones with split roles, or back."""
    STATE_DELETED = "state_deleted"
    STATE_TRUNCATED = "state_truncated"
    STATE_OVERWRITTEN = "state_overwritten"
    """A bridge stops, something happens to its folder, it starts."""
    DISK_FULL = "disk_full"
    """A bridge's disk is small and full, and after a while no longer."""
    CLOCK = "clock"
    """The clock of a bridge's machine is set forth or back by minutes, and after a while right again."""

    BROKER_KILLED = "broker_killed"
    """SIGKILL of one broker, started again after some seconds."""
    COORDINATOR_KILLED = "coordinator_killed"
    """The same for the one that coordinates the tracker's group."""
    BROKERS_AWAY = "brokers_away"
    """All brokers are killed and away for a while."""
    WIRE_CUT = "wire_cut"
    """One bridge can't reach any broker: connections break, new ones are refused."""
    WIRE_FROZEN = "wire_frozen"
    """One bridge's connections stay, and nothing comes through."""
    WIRE_HALF_OPEN = "wire_half_open"
    """One bridge's requests arrive, and no answer comes back."""
    WIRE_SLOW = "wire_slow"
    """Everything between one bridge and the brokers takes longer."""
    LIMITED = "limited"
    """Both providers answer polls with 429."""
    FAILING = "failing"
    """5xx."""
    HANGING = "hanging"
    """No answer."""
    RESETTING = "resetting"
    """The connection breaks."""
    BABBLING = "babbling"
    """Something that isn't an answer."""
    REFUSING = "refusing"
    """Our credentials are refused."""
    OUTAGE = "outage"
    """Half of an attempt's life without an answer: what an outage of a day is in a life of two."""
    BURST = "burst"
    """Callbacks come ten times as fast, repeated and out of order."""
    POISON = "poison"
    """Sent events that can't be read, or are too large, come among the good ones."""


class Draw(NamedTuple):
    """How a kind of fault is drawn."""

    seconds: tuple[float, float]
    """How long it lasts, from and to; 0 for one that is over when it is done."""
    takes: float
    """Seconds that it takes beyond that, until the next of its lane may begin: an estimate."""


BRIDGES: Mapping[Kind, Draw] = {
    Kind.KILL: Draw((0, 0), 8),
    Kind.KILL_ALL: Draw((0, 0), 10),
    Kind.KILL_AGAIN: Draw((0.3, 4), 8),
    Kind.KILL_IN_TRANSACTION: Draw((0, 0), 9),
    Kind.ZOMBIE: Draw((11.5, 15), 3),
    Kind.ROLLING_RESTART: Draw((0, 0), 18),
    Kind.SCALE: Draw((0, 0), 4),
    Kind.ROLES: Draw((0, 0), 18),
    Kind.STATE_DELETED: Draw((0, 0), 8),
    Kind.STATE_TRUNCATED: Draw((0, 0), 8),
    Kind.STATE_OVERWRITTEN: Draw((0, 0), 8),
    Kind.DISK_FULL: Draw((4, 8), 15),
    Kind.CLOCK: Draw((5, 15), 0),
}
"""What is done to the bridges, one after the other."""

SURROUNDINGS: Mapping[Kind, Draw] = {
    Kind.BROKER_KILLED: Draw((1, 6), 8),
    Kind.COORDINATOR_KILLED: Draw((1, 6), 8),
    Kind.BROKERS_AWAY: Draw((20, 20), 15),
    Kind.WIRE_CUT: Draw((1, 12), 1),
    Kind.WIRE_FROZEN: Draw((2, 20), 1),
    Kind.WIRE_HALF_OPEN: Draw((2, 20), 1),
    Kind.WIRE_SLOW: Draw((3, 12), 1),
    Kind.LIMITED: Draw((3, 10), 0),
    Kind.FAILING: Draw((3, 10), 0),
    Kind.HANGING: Draw((3, 10), 0),
    Kind.RESETTING: Draw((3, 10), 0),
    Kind.BABBLING: Draw((3, 10), 0),
    Kind.REFUSING: Draw((2, 5), 0),
    Kind.OUTAGE: Draw((60, 60), 0),
    Kind.BURST: Draw((2, 5), 1),
    Kind.POISON: Draw((2, 5), 0),
}
"""What is done to everything around them, at the same time."""

GAP = (0.5, 5.0)
"""Seconds between two faults of a lane."""


class Fault(NamedTuple):
    """One fault of a schedule."""

    at: float
    """Seconds since the beginning, or later when the one before it in its lane takes longer than was thought."""
    kind: Kind
    seconds: float
    """How long it lasts."""
    pick: float
    """From 0 to 1: what settles whom it hits, and how."""

    def __str__(self) -> str:
        return f"{self.at:7.1f} s  {self.kind:<18} {self.seconds:5.1f} s  {self.pick:.4f}"


class Plan(NamedTuple):
    """Two lanes of faults. Within a lane they come one after the other, so that each is healed before the next."""

    bridges: tuple[Fault, ...]
    surroundings: tuple[Fault, ...]

    @property
    def faults(self) -> list[Fault]:
        """All of them, in the order of their times."""
        return sorted([*self.bridges, *self.surroundings])


def draw(seed: int, seconds: float, only: Collection[Kind] = (), gap: tuple[float, float] = GAP) -> Plan:
    """The schedule of a run.

    Args:
        seed: The same seed gives the same schedule.
        seconds: No fault begins after that.
        only: Nothing but these kinds; empty: all.
        gap: Seconds between two faults of a lane, from and to.
    """
    chance = random.Random(seed)
    lanes = [{k: d for k, d in lane.items() if not only or k in only} for lane in (BRIDGES, SURROUNDINGS)]
    return Plan(*(tuple(_lane(chance, lane, seconds, gap)) for lane in lanes))


def _lane(
    chance: random.Random, kinds: Mapping[Kind, Draw], seconds: float, gap: tuple[float, float]
) -> Iterator[Fault]:
    at = 3.0
    while kinds:
        # Every kind once, in another order each time: no run is without any of them.
        for kind in chance.sample(sorted(kinds), len(kinds)):
            at += chance.uniform(*gap)
            if at > seconds:
                return
            lasts = chance.uniform(*kinds[kind].seconds)
            yield Fault(round(at, 1), kind, round(lasts, 1), round(chance.random(), 4))
            at += lasts + kinds[kind].takes
