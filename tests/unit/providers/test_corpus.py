"""Callbacks and answers as the providers write them, each with the expected report: `corpus.json`."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from jsonschema import Draft202012Validator

from bridge.core.attempt import Followed, Policy
from bridge.core.delivery import Reason, Source, Status
from bridge.core.entries import Report
from bridge.core.errors import (
    AuthenticationFailedError,
    BridgeError,
    PoisonMessageError,
    PollFailedError,
    RateLimitedError,
    RequestRejectedError,
)
from bridge.core.lifecycle import EntryPosition, fold
from bridge.core.turnaround import parse_turnaround
from bridge.providers.dexatel import Dexatel
from bridge.providers.dialect import Callback, PollAnswer, Polled
from bridge.providers.report_builder import FieldNames
from bridge.providers.report_rules import ReportRules
from bridge.providers.speedocom import Speedocom
from tests.support.paths import SCHEMAS
from tests.support.providers.mutations import CORPUS
from tests.support.providers.reading import read_one

CASES: list[dict[str, Any]] = CORPUS
ERRORS: Mapping[str, type[BridgeError]] = {
    kind.__name__: kind
    for kind in (
        PoisonMessageError,
        PollFailedError,
        RequestRejectedError,
        RateLimitedError,
        AuthenticationFailedError,
    )
}
HOUR = 3_600_000
EVENT = Draft202012Validator(json.loads((SCHEMAS / "sms.delivery.v1.json").read_text(encoding="utf-8")))
OBSERVED_AT = 1_741_100_000_000


def dialect_of(case: Mapping[str, Any]) -> Polled:
    """Build the dialect of a case's account."""
    settings = dict(case.get("settings", {}))
    if zone := settings.pop("timezone", None):
        settings["rules"] = ReportRules(timezone=ZoneInfo(zone))
    if "callback_names" in settings:
        settings["callback_names"] = FieldNames(*map(tuple, settings["callback_names"]))
    if case["provider"] == "dexatel":
        return Dexatel("main", **settings)
    return Speedocom("main", **settings)


def read(case: Mapping[str, Any]) -> Report | None:
    """Parse a case with its dialect."""
    dialect = dialect_of(case)
    if "callback" in case:
        source = case["callback"]
        callback = Callback(source["method"], source["query"], source["content_type"], source["body"].encode())
        return read_one(dialect, callback, OBSERVED_AT)
    source = case["poll"]
    answer = PollAnswer(source["status"], source["retry_after"], source["body"].encode())
    return dialect.read_answer(answer, source["id"], OBSERVED_AT)


def expected_report(case: Mapping[str, Any]) -> Report:
    """Build the expected report of a case."""
    expected = case["expect"]["report"]
    verdict, time = expected["verdict"], expected["provider_time"]
    source = case.get("callback") or case["poll"]
    return Report(
        provider=case["provider"],
        account="main",
        provider_message_id=expected["provider_message_id"],
        status=Status(verdict[0]) if verdict else None,
        reason=Reason(verdict[1]) if verdict else None,
        permanent=verdict[2] if verdict else None,
        provider_status=expected["provider_status"],
        provider_code=expected["provider_code"],
        provider_details=expected["provider_details"],
        provider_time=round(datetime.fromisoformat(time).timestamp() * 1000) if time else None,
        source=Source.CALLBACK if "callback" in case else Source.POLL,
        observed_at=OBSERVED_AT,
        raw=source["query"] if source.get("method") == "GET" else source["body"],
    )


def cases(outcome: str) -> pytest.MarkDecorator:
    """Parametrize a test with the cases of one outcome."""
    chosen = [case for case in CASES if outcome in case["expect"]]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: f"{case['provider']}: {case['name']}")


@cases("report")
def test_a_report_is_read_member_for_member(case: Mapping[str, Any]) -> None:
    """A report has all that the provider sent: id, status and its meaning, time, and the original text."""
    assert read(case) == expected_report(case)


@cases("nothing")
def test_what_is_no_report_is_not_taken_for_one(case: Mapping[str, Any]) -> None:
    """A callback about something else, or an answer without a status yet, gives no report."""
    assert read(case) is None


@cases("error")
def test_unreadable_input_raises_its_error(case: Mapping[str, Any]) -> None:
    """Each kind of failure raises the error that decides how it is handled."""
    with pytest.raises(BridgeError) as raised:
        read(case)
    assert type(raised.value) is ERRORS[case["expect"]["error"]]
    if isinstance(raised.value, RateLimitedError):
        assert raised.value.retry_after_seconds == case["expect"]["retry_after"]
    if isinstance(raised.value, RequestRejectedError):
        assert raised.value.permanent == case["expect"].get("permanent", False)


@cases("report")
def test_a_report_becomes_the_event_that_its_verdict_says(case: Mapping[str, Any]) -> None:
    """A mapped status is published with its outcome; an unmapped one is not published."""
    report = read(case)
    assert report is not None
    sent_at = OBSERVED_AT - HOUR
    followed = Followed("m-1", sent_at, sent_at, OBSERVED_AT + HOUR, None, None, {}, None)
    folded = fold(report.key, followed, report, EntryPosition(7, OBSERVED_AT), Policy())
    verdict = case["expect"]["report"]["verdict"]
    if verdict is None:
        assert not folded.publications
        return
    [publication] = folded.publications
    event = publication.delivery.as_json()
    EVENT.validate(orjson.loads(orjson.dumps(event)))
    assert [event["status"], event["reason"], event["permanent"]] == verdict
    assert event["final"] == (event["status"] not in {"scheduled", "pending", "sent"})
    if report.provider_time is None and (took := parse_turnaround(report.provider_details.get("tat"))) is not None:
        assert (event["latency_seconds"], event["occurred_at_source"]) == (took / 1000, "provider")
