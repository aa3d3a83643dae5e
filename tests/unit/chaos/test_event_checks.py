"""The verifier finds a change of any part of a record."""

import json
from typing import Any
from uuid import uuid5

import pytest

from bridge.core.delivery import Status
from bridge.sandbox.demo.verification import ExpectedResult
from tests.chaos.event_checks import MEMBERS, NAMESPACE, DeliveryRecord, find_mistakes

EXPECTED = ExpectedResult("m-1", Status.DELIVERED, 1_800_000_000_000, "+447700900001")
SOURCE = "/sms-bridge/test"
OBSERVED_AT = 1_800_000_002_500


def make_record(**members: Any) -> DeliveryRecord:
    """A correct record, but for these members."""
    event: dict[str, Any] = {
        "event_id": str(uuid5(NAMESPACE, "m-1:speedocom:default:7:1")),
        "message_id": "m-1",
        "provider": "speedocom",
        "account": "default",
        "provider_message_id": "7",
        "recipient": "+447700900001",
        "sender": "DEMO",
        "outcome": "not_delivered",
        "status": "rejected",
        "final": True,
        "permanent": True,
        "reason": "invalid_number",
        "provider_status": "UserNotExist",
        "provider_code": None,
        "provider_details": {},
        "previous_status": None,
        "sequence": 1,
        "corrects": None,
        "source": "callback",
        "sent_at": "2027-01-15T08:00:00.000Z",
        "observed_at": "2027-01-15T08:00:02.500Z",
        "occurred_at": "2027-01-15T08:00:02.500Z",
        "occurred_at_source": "observed",
        "latency_seconds": 2.5,
        "metadata": {"campaign": "demo"},
    }
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event["event_id"],
        "ce_type": "sms.delivery.v1",
        "ce_source": SOURCE,
        "ce_subject": "m-1",
        "ce_time": event["occurred_at"],
        "ce_dataschema": "urn:sms-bridge:schema:sms.delivery:v1.0",
        "content-type": "application/json",
    }
    document = json.loads(json.dumps(event | members))
    return DeliveryRecord(b"m-1", document, headers, OBSERVED_AT, OBSERVED_AT + 40)


def test_correct_record_has_no_mistakes() -> None:
    """Neither has one of a bridge whose clock is hours ahead, with the journal's time."""
    record = make_record()
    assert record.document.keys() == MEMBERS
    assert list(find_mistakes(record, EXPECTED, SOURCE)) == []


UNCHECKED = {"provider_code", "provider_details", "previous_status", "corrects", "provider_message_id", "provider"}
"""Members that are free, or that the checks of the whole chain compare."""


@pytest.mark.parametrize("member", sorted(MEMBERS - UNCHECKED))
def test_each_wrong_member_is_found(member: str) -> None:
    """Whatever it is changed to."""
    wrong = {
        "outcome": "unknown",
        "status": "failed",
        "final": False,
        "permanent": None,
        "reason": "unspecified",
        "provider_status": "Expired",
        "sequence": 2,
        "source": "deadline",
        "occurred_at_source": "provider",
        "latency_seconds": 2.0,
        "metadata": {},
    }
    times = dict.fromkeys(("sent_at", "observed_at", "occurred_at"), "2027-01-15T08:00:01.000Z")
    record = make_record(**{member: {**wrong, **times}.get(member, "other")})
    if member == "occurred_at_source":
        record = make_record(occurred_at_source="observed", occurred_at="2027-01-15T08:00:01.000Z", latency_seconds=1.0)
    assert list(find_mistakes(record, EXPECTED, SOURCE))


def test_other_parts_are_checked() -> None:
    """The key, the timestamp, each header and the set of members."""
    record = make_record()
    wrong = [
        record._replace(key=b"m-2"),
        record._replace(timestamp=OBSERVED_AT + 1),
        record._replace(timestamp=EXPECTED.sent_at - 5_000),
        record._replace(headers={**record.headers, "x": "1"}),
        make_record(extra=1),
        *(record._replace(headers={**record.headers, name: "other"}) for name in record.headers),
    ]
    for one in wrong:
        assert list(find_mistakes(one, EXPECTED, SOURCE))
