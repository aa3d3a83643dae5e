"""The time of a delivery, if the provider reports only how long it took."""

import pytest

from bridge.core.attempt import Followed
from bridge.core.delivery import Source, Status, Verdict
from bridge.core.entries import Report
from bridge.core.publication import make_delivery
from bridge.core.timestamps import format_rfc3339
from bridge.core.turnaround import parse_turnaround

SENT_AT = 1_741_064_767_000
OBSERVED_AT = SENT_AT + 600_000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("00:02:30", 150_000),
        ("02:30", 150_000),
        ("100:00:01.5", 360_001_500),
        ("6s", 6_000),
        ("22s", 22_000),
        ("0.24 sec", 240),
        ("3 Min", 180_000),
        ("250ms", 250),
        ("1h", 3_600_000),
        ("150", 150_000),
        ("0s", 0),
        (" 6 s. ", 6_000),
        (None, None),
        ("", None),
        ("null", None),
        ("-6s", None),
        ("6 parsecs", None),
        ("1:2:3:4", None),
        ("9" * 300, None),
        ("1e9s", None),
    ],
)
def test_a_duration_is_read_in_every_known_writing(text: str | None, milliseconds: int | None) -> None:
    """A text that isn't a duration is no error: the status counts all the same."""
    assert parse_turnaround(text) == milliseconds


@pytest.mark.parametrize(
    ("provider_time", "tat", "occurred_at", "source"),
    [
        (SENT_AT + 1_000, "00:02:30", SENT_AT + 1_000, "provider"),  # the provider's time has priority
        (None, "00:02:30", SENT_AT + 150_000, "provider"),
        (SENT_AT - 3_600_000, "22s", SENT_AT + 22_000, "provider"),  # an implausible time is ignored
        (None, "1h", OBSERVED_AT, "observed"),  # it would be after the report
        (None, "soon", OBSERVED_AT, "observed"),
        (None, None, OBSERVED_AT, "observed"),
    ],
)
@pytest.mark.parametrize("learnt", [Source.CALLBACK, Source.POLL])
def test_duration_gives_a_time(
    provider_time: int | None, tat: str | None, occurred_at: int, source: str, learnt: Source
) -> None:
    """It counts from the time of sending, and has to be as plausible as a time."""
    state = Followed("m-1", SENT_AT, SENT_AT, SENT_AT + 86_400_000, None, None, {}, None)
    details = {} if tat is None else {"tat": tat}
    verdict = Verdict(Status.DELIVERED)
    members = ("x", None, details, provider_time, learnt, OBSERVED_AT, "")
    report = Report("speedocom", "a", "7", verdict.status, verdict.reason, verdict.permanent, *members)
    event = make_delivery("speedocom:a:7", state, report, verdict)
    assert (event.occurred_at, event.occurred_at_source) == (format_rfc3339(occurred_at), source)
    if source == "provider" or learnt is Source.CALLBACK:
        assert event.latency_seconds == (occurred_at - SENT_AT) / 1000
    else:
        assert event.latency_seconds is None
    assert event.provider_details == details
