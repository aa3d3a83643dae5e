"""Recorded callbacks and answers with the expected result of each, from `corpus.json`."""

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
)
from bridge.core.lifecycle import EntryPosition, fold
from bridge.core.turnaround import parse_turnaround
from bridge.providers.dexatel import Dexatel
from bridge.providers.dialect import Callback, PollAnswer, Polled
from bridge.providers.report_builder import FieldNames
from bridge.providers.speedocom import Speedocom
from tests.support.paths import SCHEMAS
from tests.support.providers.mutations import CORPUS

CASES: list[dict[str, Any]] = CORPUS
ERRORS: Mapping[str, type[BridgeError]] = {
    kind.__name__: kind for kind in (PoisonMessageError, PollFailedError, RateLimitedError, AuthenticationFailedError)
}
HOUR = 3_600_000
EVENT = Draft202012Validator(json.loads((SCHEMAS / "sms.delivery.v1.json").read_text(encoding="utf-8")))
OBSERVED_AT = 1_741_100_000_000


def dialect_of(case: Mapping[str, Any]) -> Polled:
    """Return the dialect of a case's account."""
    settings = dict(case.get("settings", {}))
    if "timezone" in settings:
        settings["timezone"] = ZoneInfo(settings["timezone"])
    if "callback_names" in settings:
        settings["callback_names"] = FieldNames(*map(tuple, settings["callback_names"]))
    if case["provider"] == "dexatel":
        return Dexatel("main", **settings)
    return Speedocom("main", **settings)


def read(case: Mapping[str, Any]) -> Report | None:
    """Parse a case with its account's dialect."""
    dialect = dialect_of(case)
    if "callback" in case:
        said = case["callback"]
        callback = Callback(said["method"], said["query"], said["content_type"], None, said["body"].encode())
        return dialect.read_callback(callback, OBSERVED_AT)
    said = case["poll"]
    answer = PollAnswer(said["status"], said["retry_after"], said["body"].encode())
    return dialect.read_answer(answer, said["id"], OBSERVED_AT)


def expected_report(case: Mapping[str, Any]) -> Report:
    """Return the report that a case must give."""
    wanted = case["expect"]["report"]
    verdict, time = wanted["verdict"], wanted["provider_time"]
    said = case.get("callback") or case["poll"]
    return Report(
        provider=case["provider"],
        account="main",
        provider_message_id=wanted["provider_message_id"],
        status=Status(verdict[0]) if verdict else None,
        reason=Reason(verdict[1]) if verdict else None,
        permanent=verdict[2] if verdict else None,
        provider_status=wanted["provider_status"],
        provider_code=wanted["provider_code"],
        provider_details=wanted["provider_details"],
        provider_time=round(datetime.fromisoformat(time).timestamp() * 1000) if time else None,
        source=Source.CALLBACK if "callback" in case else Source.POLL,
        observed_at=OBSERVED_AT,
        raw=said["query"] if said.get("method") == "GET" else said["body"],
    )


def cases(outcome: str) -> pytest.MarkDecorator:
    """Parametrize a test with the cases of one outcome."""
    chosen = [case for case in CASES if outcome in case["expect"]]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: f"{case['provider']}: {case['name']}")


@cases("report")
def test_report_is_read_completely(case: Mapping[str, Any]) -> None:
    """Id, verdict, provider's words, time and original text."""
    assert read(case) == expected_report(case)


@cases("nothing")
def test_other_input_is_no_report(case: Mapping[str, Any]) -> None:
    """A callback about something else, or an answer without a status, gives no report."""
    assert read(case) is None


@cases("error")
def test_unreadable_input_raises_its_error(case: Mapping[str, Any]) -> None:
    """Each kind of failure has its own error: dead letter, retry, pause or alarm."""
    with pytest.raises(BridgeError) as raised:
        read(case)
    assert type(raised.value) is ERRORS[case["expect"]["error"]]
    if isinstance(raised.value, RateLimitedError):
        assert raised.value.retry_after == case["expect"]["retry_after"]


@cases("report")
def test_report_becomes_its_event(case: Mapping[str, Any]) -> None:
    """Status and outcome follow from the mapping; unmapped statuses publish nothing."""
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
