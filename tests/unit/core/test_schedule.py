"""When attempts are polled."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.schedule import ALWAYS, FALLBACK, HOUR, JITTER, MINUTE, SECOND, compute_last_poll, find_next_poll

START, END = 1_000_000, 1_000_000 + 47 * HOUR


def polls(ages: tuple[int, ...], key: str = "a:b:c", start: int = START, end: int = END) -> list[int]:
    """List the polls of an attempt, as ages."""
    found, after = [], start - 1
    while (at := find_next_poll(ages, key, start, end, after)) is not None:
        found.append(at - start)
        after = at
    return found


def test_fallback_asks_seven_times() -> None:
    """With `fallback`, an attempt is polled six times, and once before its deadline."""
    ages = polls(FALLBACK)
    assert len(ages) == 7
    for age, nominal in zip(ages, FALLBACK, strict=False):
        assert nominal <= age <= nominal * (1 + JITTER)
    assert ages[-1] == 47 * HOUR - 47 * HOUR // 10


def test_always_begins_after_seconds() -> None:
    """With `always`, the first poll is after ten seconds."""
    ages = polls(ALWAYS)
    assert len(ages) == len(ALWAYS) + 1
    assert 10 * SECOND <= ages[0] <= 11 * SECOND


def test_never_is_never() -> None:
    """Without ages there is no last poll either."""
    assert polls(()) == []


def test_a_short_life_is_asked_before_its_end() -> None:
    """The last poll is at least five seconds before the end, and never before the start."""
    assert compute_last_poll(0, 100 * SECOND) == 90 * SECOND
    assert compute_last_poll(0, 20 * SECOND) == 15 * SECOND
    assert compute_last_poll(0, 3 * SECOND) == 0


def test_what_was_missed_is_due_once() -> None:
    """After an outage of the bridge, an attempt is polled at once, and then on its schedule again."""
    now = START + 5 * HOUR
    assert (find_next_poll(FALLBACK, "a:b:c", START, END, START - 1) or 0) < now
    following = find_next_poll(FALLBACK, "a:b:c", START, END, now)
    assert following is not None
    assert following >= START + 12 * HOUR


@given(st.text(min_size=1, max_size=40), st.integers(1, 10**6), st.lists(st.integers(1, 2 * 10**9), min_size=1))
def test_every_poll_lies_between_start_and_end(key: str, minutes: int, ages: list[int]) -> None:
    """With any schedule, polls are between the attempt's start and end, and one is shortly before its end."""
    end = START + minutes * MINUTE
    found = polls(tuple(sorted(ages)), key, START, end)
    assert found
    assert all(0 <= age < end - START for age in found)
    assert found == sorted(set(found))


@given(st.text(min_size=1, max_size=40), st.integers(1, 10**6), st.lists(st.integers(1, 2 * 10**9), min_size=1))
def test_every_age_has_its_poll(key: str, minutes: int, ages: list[int]) -> None:
    """An attempt is polled when it would be polled for each age alone."""
    end = START + minutes * MINUTE
    alone = {poll for age in ages for poll in polls((age,), key, START, end)}
    assert set(polls(tuple(sorted(ages)), key, START, end)) == alone
