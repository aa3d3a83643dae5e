"""The poll schedule."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.schedule import ALWAYS, FALLBACK, HOUR, JITTER, MINUTE, SECOND, last_poll_at, next_poll_at

START, END = 1_000_000, 1_000_000 + 47 * HOUR


def polls(ages: tuple[int, ...], key: str = "a:b:c", start: int = START, end: int = END) -> list[int]:
    """Return every poll of an attempt, as ages."""
    found, after = [], start - 1
    while (at := next_poll_at(ages, key, start, end, after)) is not None:
        found.append(at - start)
        after = at
    return found


def test_fallback_polls_seven_times() -> None:
    """Six polls and one before the deadline."""
    ages = polls(FALLBACK)
    assert len(ages) == 7
    for age, nominal in zip(ages, FALLBACK, strict=False):
        assert nominal <= age <= nominal * (1 + JITTER)
    assert ages[-1] == 47 * HOUR - 47 * HOUR // 10


def test_always_starts_after_ten_seconds() -> None:
    """The first poll is after ten seconds."""
    ages = polls(ALWAYS)
    assert len(ages) == len(ALWAYS) + 1
    assert 10 * SECOND <= ages[0] <= 11 * SECOND


def test_never_has_no_polls() -> None:
    """Not even before the deadline."""
    assert polls(()) == []


def test_short_attempt_is_polled_before_its_deadline() -> None:
    """At least five seconds before the deadline, and never before the start."""
    assert last_poll_at(0, 100 * SECOND) == 90 * SECOND
    assert last_poll_at(0, 20 * SECOND) == 15 * SECOND
    assert last_poll_at(0, 3 * SECOND) == 0


def test_missed_polls_are_made_once() -> None:
    """After a downtime an attempt is polled at once and then on schedule."""
    now = START + 5 * HOUR
    assert (next_poll_at(FALLBACK, "a:b:c", START, END, START - 1) or 0) < now
    following = next_poll_at(FALLBACK, "a:b:c", START, END, now)
    assert following is not None
    assert following >= START + 12 * HOUR


@given(st.text(min_size=1, max_size=40), st.integers(1, 10**6), st.lists(st.integers(1, 2 * 10**9), min_size=1))
def test_polls_lie_between_start_and_deadline(key: str, minutes: int, ages: list[int]) -> None:
    """For any schedule, and one is before the deadline."""
    end = START + minutes * MINUTE
    found = polls(tuple(sorted(ages)), key, START, end)
    assert found
    assert all(0 <= age < end - START for age in found)
    assert found == sorted(set(found))
