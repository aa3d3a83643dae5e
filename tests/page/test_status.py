"""What the page says: the numbers of the last minutes, and what is wrong in a sentence."""

from collections.abc import Mapping
from typing import Any

import pytest

from bridge.admin.pending_ages import age_of
from bridge.admin.rates import Sample, make_course, measure_growth, per_minute
from bridge.admin.status_report import (
    AccountStatus,
    PartitionStatus,
    PartStatus,
    StatusSnapshot,
    find_problems,
    make_report,
)
from bridge.observability.logs import Notice

WELL = StatusSnapshot(
    identity={"version": "1"},
    tracks=True,
    polls=True,
    receives=True,
    parts=[PartStatus("tracker", True, 9.0, "it is outside its group")],  # noqa: FBT003 - a named tuple's member
    partitions=[PartitionStatus(3, "level", 0, 0.0, 7, 1)],
    partitions_in_all=24,
    restore_remaining=0,
    accounts=[
        AccountStatus("dexatel", "default", polled=True, called=True),
        AccountStatus("dexatel", "two", polled=True, called=False),
    ],
    samples=(),
    circuits={("dexatel", "default"): 0.0},
    credentials={("dexatel", "default"): 0.0},
    polls_due={},
    ages={},
    loop_delay=0.0,
    notices=(),
)


def sample(at: float, **counts: Mapping[tuple[str, ...], float]) -> Sample:
    """Counters at a time."""
    return Sample(at, counts)


def test_when_all_is_well_nothing_is_wrong() -> None:
    """A calm page at night."""
    assert find_problems(WELL) == []
    assert make_report(WELL)["ready"] is True


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({"parts": [PartStatus("tracker", False, 75.0, "it is outside its group")]}, "wrong", "75 s: it is outside"),  # noqa: FBT003 - the same
        ({"circuits": {("dexatel", "two"): 1.0}}, "wrong", "isn't asked about the account two"),
        ({"credentials": {("dexatel", "two"): 1.0}}, "wrong", "refuses the credentials of the account two"),
        (
            {"partitions": [PartitionStatus(3, "restoring", 0, 0.0, 0, 0)], "restore_remaining": 5000},
            "warning",
            "5,000",
        ),
        ({"partitions": [PartitionStatus(3, "catching up", 9, 600.0, 0, 0)]}, "warning", "behind by up to 10 min"),
        ({"partitions": []}, "warning", "owns no partition"),
        ({"loop_delay": 2.5}, "warning", "2.5 s late"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], level: str, words: str) -> None:
    """One sentence for each thing, with the reason."""
    [concern] = find_problems(WELL._replace(**change))
    assert concern.level == level
    assert words in concern.text


def test_the_worst_comes_first() -> None:
    """Whoever reads one line reads the right one."""
    seen = WELL._replace(loop_delay=2.0, circuits={("dexatel", "default"): 1.0})
    assert [concern.level for concern in find_problems(seen)] == ["wrong", "warning"]


def test_refused_callbacks_and_dead_letters_are_said() -> None:
    """Both are counted over the last minutes, not since the start."""
    samples = (
        sample(
            0.0, callbacks_received={("dexatel", "unavailable"): 100.0}, dead_letters_written={("unmatched",): 50.0}
        ),
        sample(
            60.0, callbacks_received={("dexatel", "unavailable"): 104.0}, dead_letters_written={("unmatched",): 52.0}
        ),
    )
    texts = [concern.text for concern in find_problems(WELL._replace(samples=samples))]
    assert texts == [
        "4 callbacks of dexatel got a 503 lately: Kafka didn't take them",
        "dead letters in the last ten minutes: 2 unmatched",
    ]


def test_rates_are_of_the_last_minute() -> None:
    """What grew before doesn't count; where there is no minute yet, what there is counts."""
    samples = [
        sample(at, polls_completed={("dexatel", "report"): value}) for at, value in ((0, 0), (60, 900), (120, 930))
    ]
    assert per_minute(samples, "polls_completed", lambda key: key[0] == "dexatel") == 30
    assert per_minute(samples, "polls_completed", lambda key: key[0] == "speedocom") == 0
    assert per_minute(samples[:1], "polls_completed", lambda _: True) is None
    assert per_minute([], "polls_completed", lambda _: True) is None
    assert measure_growth(samples, "polls_completed", 600) == ({("dexatel", "report"): 930}, 120)
    assert make_course(samples, "polls_completed", lambda _: True) == [900, 30]


def test_the_delivery_rate_is_of_what_ended_lately() -> None:
    """Interim events don't count, nor do other providers'."""
    counts: dict[tuple[str, ...], float] = {
        ("dexatel", "sent", "callback"): 50.0,
        ("dexatel", "delivered", "callback"): 6.0,
        ("dexatel", "delivered", "poll"): 3.0,
        ("dexatel", "undelivered", "poll"): 1.0,
        ("speedocom", "failed", "poll"): 9.0,
    }
    samples = (sample(0.0), sample(60.0, deliveries_published=counts))
    [dexatel] = make_report(WELL._replace(samples=samples))["providers"]
    assert (dexatel["delivery_rate"], dexatel["ended"]) == (0.9, {"delivered": 9, "undelivered": 1})


def test_the_last_error_is_the_accounts_own() -> None:
    """The latest warning that names the account."""
    notices = [
        Notice(
            "2026-01-01T00:00:01Z", "warning", "a poll failed", {"provider": "dexatel", "account": "two", "error": "x"}
        ),
        Notice(
            "2026-01-01T00:00:02Z", "warning", "a poll failed", {"provider": "dexatel", "account": "two", "error": "y"}
        ),
        Notice("2026-01-01T00:00:03Z", "warning", "something else", {}),
    ]
    told = make_report(WELL._replace(notices=notices))
    assert [
        one["last_error"] and one["last_error"]["members"]["error"] for one in told["providers"][0]["accounts"]
    ] == [
        None,
        "y",
    ]
    assert [notice["text"] for notice in told["notices"]] == ["something else", "a poll failed", "a poll failed"]


@pytest.mark.parametrize(
    ("age", "name"), [(-5, "<1m"), (59_999, "<1m"), (60_000, "<10m"), (3_600_000, "<6h"), (86_400_000, "older")]
)
def test_ages_have_their_kind(age: int, name: str) -> None:
    """Up to and without the bound."""
    assert age_of(age) == name
