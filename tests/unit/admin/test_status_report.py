"""The status page's figures of the last minutes, and its list of problems."""

import re
import tomllib
from collections.abc import Mapping
from email.message import Message
from typing import Any

import pytest

from bridge.admin import remedies
from bridge.admin.pending_ages import find_age_group
from bridge.admin.problems import find_problems
from bridge.admin.rates import Sample, make_curve, measure_growth, measure_rate
from bridge.admin.remedies import Remedy, find_runbooks, make_runbook_url
from bridge.admin.status_report import make_report
from bridge.admin.status_snapshot import AccountStatus, StatusSnapshot
from bridge.observability.logs import Notice
from bridge.observability.readiness import STARTED, PartStatus
from bridge.poller.snapshot import AccountPollSnapshot
from bridge.settings.listeners import AdminSettings
from bridge.state.ownership import PartitionSnapshot
from tests.support.paths import ROOT

POLLING = AccountPollSnapshot(
    "dexatel", "default", paused_seconds=0.0, failures=0, credentials_refused=False, due=0, completed={}
)
PARTITION = PartitionSnapshot(
    3,
    restored=True,
    caught_up=True,
    silent=False,
    lag_entries=0,
    lag_seconds=0.0,
    restore_remaining=0,
    followed=7,
    parked=1,
)
WELL = StatusSnapshot(
    identity={"version": "1"},
    roles=frozenset({"intake", "receive", "track", "poll"}),
    parts=[PartStatus("tracker", ready=True, since_seconds=9.0, why="it is outside its group")],
    partitions=[PARTITION],
    partitions_in_all=24,
    accounts=[
        AccountStatus("dexatel", "default", polled=True, called=True),
        AccountStatus("dexatel", "two", polled=True, called=False),
    ],
    polling=[POLLING],
    samples=(),
    ages={},
    loop_delay=0.0,
    notices=(),
)
PAUSED = POLLING._replace(account="two", paused_seconds=40.0, failures=5)


def sample(at: float, **counts: Mapping[tuple[str, ...], int]) -> Sample:
    """Return counters at a time."""
    return Sample(at, counts)


def test_no_problems() -> None:
    """A healthy service reports none."""
    assert find_problems(WELL) == []
    assert make_report(WELL)["ready"] is True


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        (
            {"parts": [PartStatus("tracker", ready=False, since_seconds=75.0, why="it is outside its group")]},
            "wrong",
            "tracker is not ready, for 75 s: it is outside",
        ),
        (
            {"parts": [PartStatus("tracker", ready=False, since_seconds=75.0, why="it waits", connected=False)]},
            "wrong",
            "tracker gets no answer of Kafka, for 75 s: it waits",
        ),
        (
            {"polling": [PAUSED]},
            "wrong",
            "Polling of dexatel (account two) is paused: 5 failures in a row, next try in 40 s",
        ),
        (
            {"polling": [PAUSED._replace(credentials_refused=True)]},
            "wrong",
            "refuses the credentials of the account two",
        ),
        ({"partitions": [PARTITION._replace(restored=False, restore_remaining=5000)]}, "warning", "5,000"),
        (
            {"partitions": [PARTITION._replace(caught_up=False, lag_entries=9, lag_seconds=600.0)]},
            "warning",
            "behind by up to 10 min",
        ),
        ({"partitions": []}, "warning", "owns no partition"),
        ({"loop_delay": 2.5}, "warning", "2.5 s late"),
    ],
)
def test_each_problem_has_a_sentence(change: dict[str, Any], level: str, words: str) -> None:
    """Each problem is one sentence with its reason."""
    [concern] = find_problems(WELL._replace(**change))
    assert concern.level == level
    assert words in concern.text


REMEDIES = [remedy for remedy in vars(remedies).values() if isinstance(remedy, Remedy)]


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: str(remedy.runbook))
def test_each_remedy_is_a_sentence_with_a_runbook(remedy: Remedy) -> None:
    """The runbook exists, and its URL begins where the settings say, or the project."""
    assert re.fullmatch(r"[A-Z].+\.", remedy.remedy)
    if remedy.runbook is None:
        assert make_runbook_url("https://example.com", None) is None
        return
    assert (ROOT / "docs" / "runbooks" / f"{remedy.runbook}.md").exists()
    for base in ("https://wiki.example.com/runbooks", "https://wiki.example.com/runbooks/"):
        assert make_runbook_url(base, remedy.runbook) == f"https://wiki.example.com/runbooks/{remedy.runbook}.md"
    assert make_runbook_url("", remedy.runbook) is None


def test_runbooks_are_the_projects_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the alerts: the URL is in pyproject.toml alone."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert find_runbooks("") in {f"{urls['Homepage']}/docs/runbooks", ""}
    published = Message()
    published["Project-URL"] = "Homepage, https://bridge.example.com/"
    monkeypatch.setattr(remedies, "metadata", lambda _: published)
    assert find_runbooks("") == "https://bridge.example.com/docs/runbooks"
    assert find_runbooks("https://wiki.example.com") == "https://wiki.example.com"


@pytest.mark.parametrize("base", ["https://sms-bridge.example/docs/runbooks", "http://wiki.example:8080"])
def test_placeholder_is_no_link(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that leads nowhere isn't shown, whether the project or a setting has it."""
    published = Message()
    published["Project-URL"] = f"Homepage, {base}"
    monkeypatch.setattr(remedies, "metadata", lambda _: published)
    assert find_runbooks("") == find_runbooks(base) == ""


@pytest.mark.parametrize("wrong", ["javascript:alert(1)", "//wiki", "wiki.example.com", "https://", "https://a b"])
def test_runbook_base_is_a_url(wrong: str) -> None:
    """The page makes a link of it."""
    with pytest.raises(ValueError, match="should be a URL"):
        AdminSettings(runbook_base=wrong)


def test_report_has_remedy_and_link() -> None:
    """Each problem says what to do, and where to read more."""
    [concern] = make_report(WELL._replace(polling=[PAUSED]), "https://example.com/runbooks")["concerns"]
    assert concern["remedy"].startswith("Check whether the provider has an outage")
    assert concern["runbook_url"] == "https://example.com/runbooks/SmsBridgeCircuitOpen.md"


@pytest.mark.parametrize(("connected", "runbook"), [(True, "SmsBridgeInstanceNotReady"), (False, "SmsBridgeKafkaLost")])
def test_a_part_without_kafka_has_its_own_runbook(connected: bool, runbook: str) -> None:  # noqa: FBT001 - a table
    """It is the one of the alert that fires then."""
    part = WELL.parts[0]._replace(ready=False, connected=connected)
    [concern] = make_report(WELL._replace(parts=[part]), "https://example.com")["concerns"]
    assert concern["runbook_url"] == f"https://example.com/{runbook}.md"


def test_that_the_process_has_started_is_no_part() -> None:
    """It is a problem while it hasn't."""
    starting = PartStatus(STARTED, ready=False, since_seconds=2.0, why="it is still starting")
    report = make_report(WELL._replace(parts=[starting, *WELL.parts]))
    assert [part["name"] for part in report["parts"]] == ["tracker"]
    assert [concern["text"] for concern in report["concerns"]] == [
        "Started is not ready, for 2 s: it is still starting"
    ]


def test_partitions_agree_with_their_verb() -> None:
    """One is, several are."""
    late = PARTITION._replace(lag_entries=9, lag_seconds=600.0)
    others = [late._replace(number=number) for number in range(10)]
    [one] = find_problems(WELL._replace(partitions=[late]))
    [many] = find_problems(WELL._replace(partitions=others))
    assert one.text == "partition 3 is behind by up to 10 min; events come late from there"
    assert many.text.startswith("partitions 0, 1, 2, 3, 4, 5, 6, 7 and 2 more are behind")


def test_worst_problem_comes_first() -> None:
    """The first line is the most serious problem."""
    seen = WELL._replace(loop_delay=2.0, polling=[PAUSED])
    assert [concern.level for concern in find_problems(seen)] == ["wrong", "warning"]


def test_refused_callbacks_and_dead_letters() -> None:
    """Both are counted over the last minutes only."""
    samples = (
        sample(0.0, callbacks_received={("dexatel", "unavailable"): 100}, dead_letters_written={("unmatched",): 50}),
        sample(60.0, callbacks_received={("dexatel", "unavailable"): 104}, dead_letters_written={("unmatched",): 52}),
    )
    texts = [concern.text for concern in find_problems(WELL._replace(samples=samples))]
    assert texts == [
        "4 callbacks of dexatel answered 503 in the last ten minutes: Kafka didn't accept them",
        "dead letters in the last ten minutes: 2 unmatched",
    ]


def test_rates_cover_the_last_minute() -> None:
    """Earlier growth doesn't count; a shorter history is used as it is."""
    samples = [
        sample(at, polls_completed={("dexatel", "report"): value}) for at, value in ((0, 0), (60, 900), (120, 930))
    ]
    assert measure_rate(samples, "polls_completed", lambda key: key[0] == "dexatel") == 30
    assert measure_rate(samples, "polls_completed", lambda key: key[0] == "speedocom") == 0
    assert measure_rate(samples[:1], "polls_completed", lambda _: True) is None
    assert measure_rate([], "polls_completed", lambda _: True) is None
    assert measure_growth(samples, "polls_completed", 600) == ({("dexatel", "report"): 930}, 120)
    assert make_curve(samples, "polls_completed", lambda _: True) == [900, 30]


def test_delivery_rate_covers_recent_final_events() -> None:
    """Interim events and other providers don't count."""
    counts: dict[tuple[str, ...], int] = {
        ("dexatel", "sent"): 50,
        ("dexatel", "delivered"): 9,
        ("dexatel", "undelivered"): 1,
        ("speedocom", "failed"): 9,
    }
    samples = (sample(0.0), sample(60.0, deliveries_published=counts))
    [dexatel] = make_report(WELL._replace(samples=samples))["providers"]
    assert (dexatel["delivery_rate"], dexatel["ended"]) == (0.9, {"delivered": 9, "undelivered": 1})


def test_last_error_of_the_account() -> None:
    """It is the latest warning that names the account."""
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
def test_ages_are_grouped(age: int, name: str) -> None:
    """A group excludes its upper bound."""
    assert find_age_group(age) == name
