"""Properties that hold for any entries in any order."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.attempt import Policy
from bridge.core.delivery import FINAL_RANK, RANKS, Delivery, Source, Status
from bridge.core.entries import Entry
from tests.support.core.story import expire_timers, fold_entries, report, sent

reports = st.builds(
    report,
    st.none() | st.sampled_from(Status),
    provider_time=st.none() | st.integers(0, 4_000_000_000_000),
    source=st.sampled_from([Source.CALLBACK, Source.POLL]),
)
entries = st.lists(st.just(sent()) | reports, max_size=12)
policies = st.sampled_from(
    [Policy(dead_letter_unmatched=a, emit_interim=b) for a in (True, False) for b in (True, False)]
)


def check_chain(events: Sequence[Delivery]) -> None:
    """Check an attempt's events: numbered without gaps, never back to a lower rank, corrections linked."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len({event.event_id for event in events}) == len(events)
    final: Delivery | None = None
    rank = 0
    for event in events:
        if final is None:
            assert RANKS[event.status] > rank
            assert event.corrects is None
        else:
            assert event.corrects == final.event_id
            assert event.status is not final.status
            assert event.status is Status.DELIVERED or final.status is Status.UNKNOWN
        rank = RANKS[event.status]
        assert event.final is (rank == FINAL_RANK)
        final = event if event.final else final


@given(entries, policies)
def test_any_order_gives_one_clean_chain(story: list[Entry], policy: Policy) -> None:
    """With any entries in any order, no status goes back, and no sequence number is skipped or repeated."""
    check_chain(fold_entries(story, policy=policy).deliveries)


@given(entries, policies)
def test_every_message_ends(story: list[Entry], policy: Policy) -> None:
    """After a sent event, an attempt ends with a final event, and then it is forgotten."""
    result = expire_timers(fold_entries([sent(), *story], policy=policy), policy)
    check_chain(result.deliveries)
    assert result.deliveries[-1].final
    assert result.state is None


@given(entries, policies)
def test_folding_again_publishes_nothing(story: list[Entry], policy: Policy) -> None:
    """Reading the same entries again, after the tracker was set back, adds no event and no dead letter."""
    once = fold_entries([sent(), *story], policy=policy)
    twice = fold_entries([sent(), *story], state=once.state, policy=policy)
    assert not twice.deliveries
    assert not twice.reasons
    assert twice.state == once.state


@given(st.permutations([sent(), *(report(status) for status in (Status.PENDING, Status.SENT, Status.DELIVERED))]))
def test_final_status_is_independent_of_order(story: list[Entry]) -> None:
    """Sent, pending, sent and delivered in any order end as delivered."""
    assert fold_entries(story).deliveries[-1].status is Status.DELIVERED


@given(entries, st.lists(st.integers(0, 20), max_size=12))
def test_duplicates_change_nothing(story: list[Entry], repeats: list[int]) -> None:
    """An entry that is repeated right after itself doesn't change the published events."""
    doubled = [entry for entry, times in zip(story, repeats + [0] * 20, strict=False) for _ in range(1 + times % 3)]
    plain = [(event.status, event.sequence) for event in fold_entries(story).deliveries]
    assert [(event.status, event.sequence) for event in fold_entries(doubled).deliveries] == plain
