"""No message is followed twice, however settings change, clocks differ and `sms.sent` is rewound."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.attempt import Followed, Policy, State, compute_timer
from bridge.core.delivery import Reason, Source, Status
from bridge.core.entries import Report, Sent
from bridge.core.lifecycle import EntryPosition, FoldResult, expire, fold
from bridge.journal.horizon import Horizon
from bridge.tracker.batch import _is_new_life

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_800_000_000_000


class Lives(NamedTuple):
    """The settings that say for how long messages are followed and remembered."""

    give_up_after: int
    max_follow: int
    reads_give_up_at: bool
    """Whether the sender's own deadlines are read."""
    remember_for: int

    @property
    def fingerprint(self) -> str:
        """A fingerprint of what says for how long messages are followed."""
        return str(self[:3])


class Update(NamedTuple):
    """The settings of one part change: a rolling update takes time, and it may be rolled back."""

    part: str
    lives: Lives


class Publish(NamedTuple):
    """A message is sent; its sender's clock is ahead by so much."""

    ahead: int
    give_up_after: int | None = None
    """The sender's own deadline, after the real time of sending."""


class Deliver(NamedTuple):
    """The provider reports one of the messages as delivered."""

    number: int


class Rewind(NamedTuple):
    """Every sent event is read again."""


class Wait(NamedTuple):
    """Time passes."""

    duration: int


Step = Lives | Update | Publish | Deliver | Rewind | Wait
LIVES = st.builds(
    Lives,
    st.sampled_from([HOUR, DAY, 9 * DAY]),
    st.sampled_from([DAY, 7 * DAY, 30 * DAY]),
    st.booleans(),
    st.sampled_from([0, HOUR, DAY]),
)
UPDATES = st.builds(Update, st.sampled_from(["intake", "tracker"]), LIVES)
STEPS = (
    st.builds(Publish, st.sampled_from([-DAY, 0, DAY]), st.sampled_from([None, HOUR, DAY]))
    | st.builds(Deliver, st.integers(0, 2))
    | st.builds(Rewind)
    | st.builds(Wait, st.sampled_from([1, HOUR, DAY, 3 * DAY]))
)


class Partition:
    """A partition of the journal, and the `sms.sent` that feeds it."""

    def __init__(self, lives: Lives) -> None:
        self.now, self.offset = START, 0
        self.sent: list[tuple[int, int | None]] = []
        """When messages were sent by their senders' clocks, and the senders' own deadlines."""
        self.event_ids: list[str] = []
        self.refused_at_first: list[int] = []
        self._states: dict[str, State] = {}
        self._horizon = Horizon()
        self.apply(lives)

    def apply(self, step: Step) -> None:
        """Run a step."""
        match step:
            case Lives():
                self.apply(Update("intake", step))
                self.apply(Update("tracker", step))
            case Update("intake", lives):
                self._intake = lives
            case Update(_, lives):
                self._policy = Policy(max_follow=lives.max_follow, remember_for=lives.remember_for)
                self._horizon = self._horizon.apply_settings(lives.fingerprint, self.now)
            case Publish():
                deadline = None if step.give_up_after is None else self.now + step.give_up_after
                self.sent.append((self.now + step.ahead, deadline))
                self._read(len(self.sent) - 1, is_first=True)
            case Rewind():
                for number in range(len(self.sent)):
                    self._read(number)
            case Deliver() if self.sent:
                self._fold(self._report(step.number % len(self.sent)))
            case Wait():
                self.now += step.duration
                self._expire()

    def _read(self, number: int, *, is_first: bool = False) -> None:
        sent_at, own_deadline = self.sent[number]
        gives_up_at = sent_at + self._intake.give_up_after
        if own_deadline is not None and self._intake.reads_give_up_at:
            gives_up_at = min(own_deadline, sent_at + self._intake.max_follow)
        key = ("dexatel", "default", str(number))
        origin = ("sms.sent", 0, number)
        lifetimes = self._intake.fingerprint
        entry = Sent(f"m-{number}", *key, sent_at, sent_at, gives_up_at, None, None, {}, None, origin, lifetimes)
        self._horizon = self._horizon.apply_settings(lifetimes, self.now)
        folded = self._fold(entry)
        if is_first and folded.rejections and min(gives_up_at, sent_at + self._policy.max_follow) > self.now:
            self.refused_at_first.append(number)

    def _report(self, number: int) -> Report:
        key = ("dexatel", "default", str(number))
        return Report(
            *key, Status.DELIVERED, Reason.NONE, None, "delivered", None, {}, None, Source.CALLBACK, self.now, ""
        )

    def _fold(self, entry: Sent | Report) -> FoldResult:
        self.offset += 1
        position = EntryPosition(self.offset, self.now, self._horizon.refused_until)
        return self._take(entry.key, fold(entry.key, self._states.get(entry.key), entry, position, self._policy))

    def _expire(self) -> None:
        for key, state in list(self._states.items()):
            while (state := self._states.get(key)) and compute_timer(state, self._policy) <= self.now:
                self._take(key, expire(key, state, self.now, self._policy))

    def _take(self, key: str, folded: FoldResult) -> FoldResult:
        before = self._states.get(key)
        if isinstance(before, Followed) and before.final_at is not None and _is_new_life(before, folded.state):
            self._horizon = self._horizon.forget([before.sent_at], self.now)
        self._states[key] = folded.state
        self.event_ids += [publication.delivery.event_id for publication in folded.publications]
        return folded


@settings(max_examples=1_000)
@given(LIVES, st.lists(STEPS | LIVES | UPDATES, min_size=8, max_size=30))
def test_no_event_is_published_twice(lives: Lives, steps: Sequence[Step]) -> None:
    """Settings change at any time, also several times while a message is followed."""
    partition = Partition(lives)
    for step in steps:
        partition.apply(step)
    assert len(set(partition.event_ids)) == len(partition.event_ids), (lives, steps)


@given(LIVES, st.lists(STEPS, max_size=40))
def test_unchanged_settings_refuse_nothing_in_time(lives: Lives, steps: Sequence[Step]) -> None:
    """A sent event that is read for the first time before its end is followed."""
    partition = Partition(lives)
    for step in steps:
        partition.apply(step)
    assert not partition.refused_at_first


@pytest.mark.parametrize("ahead", [0, HOUR, DAY])
def test_raised_deadline_and_a_rewind(ahead: int) -> None:
    """The case that led here: a longer `GIVE_UP_AFTER`, then `sms.sent` from its start."""
    partition = Partition(Lives(48 * HOUR, 7 * DAY, reads_give_up_at=True, remember_for=DAY))
    longer = Lives(7 * DAY, 30 * DAY, reads_give_up_at=True, remember_for=DAY)
    for step in (Publish(ahead), Deliver(0), Wait(4 * DAY), Wait(DAY), longer, Rewind()):
        partition.apply(step)
    for step in (Deliver(0), Wait(9 * DAY)):
        partition.apply(step)
    assert len(partition.event_ids) == 1
