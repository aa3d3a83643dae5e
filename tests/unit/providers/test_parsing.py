"""How ids, statuses, times and names are parsed; tested with one dialect, because all share the parser."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.entries import Report
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.providers.dexatel import Dexatel
from bridge.providers.dialect import Callback
from bridge.providers.report_rules import ReportRules
from bridge.providers.urlencoded import parse_fields
from tests.support.providers.reading import read_one

NOW = 1_769_860_800_000


def get(query: str, **settings: Any) -> Report:
    """Parse a query."""
    report = read_one(Dexatel("main", **settings), Callback("GET", query, "", b""), NOW)
    assert report is not None
    return report


def post(body: bytes) -> Report:
    """Parse a JSON body."""
    report = read_one(Dexatel("main"), Callback("POST", "", "application/json", body), NOW)
    assert report is not None
    return report


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [
        ("2025-03-04 05:06:07", 1_741_064_767_000),
        ("2025-03-04T05:06:07Z", 1_741_064_767_000),
        ("2025-03-04t05:06:07.1234567z", 1_741_064_767_123),
        ("2025-03-04T06:06:07.5%2B01:00", 1_741_064_767_500),
        ("2025-03-04T05:06:07", 1_741_064_767_000),
        ("1741064767", 1_741_064_767_000),
        ("1741064767.25", 1_741_064_767_250),
        ("1741064767250", 1_741_064_767_250),
        ("", None),
        ("null", None),
        ("0", None),
        ("-5", None),
        ("1e9", None),
        ("yesterday", None),
        ("2025-02-30 05:06:07", None),
        ("0001-01-01 00:00:00", None),
        ("999999999999999", 1_000_000_000_000),  # microseconds
        ("99999999999999", None),
        ("9" * 5000, None),
    ],
)
def test_times_are_read_in_every_known_writing_and_never_fatal(time: str, milliseconds: int | None) -> None:
    """A status counts even if its time can't be parsed."""
    assert get(f"id=7&status=sent&timestamp={time}").provider_time == milliseconds


@pytest.mark.parametrize(
    ("local", "milliseconds"),
    [
        ("2025-01-15 12:00:00", 1_736_938_800_000),  # winter: 11:00 UTC
        ("2025-07-15 12:00:00", 1_752_573_600_000),  # summer: 10:00 UTC
        ("2025-03-30 02:30:00", 1_743_298_200_000),  # skipped by daylight saving: as before the change, 01:30 UTC
        ("2025-10-26 02:30:00", 1_761_438_600_000),  # occurs twice: the first one, 00:30 UTC
    ],
)
def test_a_time_without_zone_is_in_the_zone_of_settings(local: str, milliseconds: int) -> None:
    """Local times are converted in summer, in winter and at the changes between them."""
    report = get(f"id=7&status=sent&timestamp={local}", rules=ReportRules(timezone=ZoneInfo("Europe/Berlin")))
    assert report.provider_time == milliseconds


@pytest.mark.parametrize(
    "value",
    ["%s", "%d", "%25message_id%25", "{x}", "{}", "{0}", "${id}", "{{x}}", "{{ message.id }}", "<id>", "<message-id>"],
)
@pytest.mark.parametrize("query", ["id={}&status=sent", "id=7&status={}"])
def test_a_template_nobody_filled_in_is_unreadable(query: str, value: str) -> None:
    """An unfilled template becomes a dead letter, not a message with a strange id."""
    with pytest.raises(PoisonMessageError) as raised:
        get(query.replace("{}", value))
    assert raised.value.reason is DeadLetterReason.UNREADABLE


@pytest.mark.parametrize(
    "message_id",
    ["007", "a b", "100%", "{3f6c1f0e-9a57-4b0f-8f0d-52b1c7a9e611}", "<20250304.7@host>", "ü" * 64, "-", "%41b%"],
)
def test_an_id_is_opaque(message_id: str) -> None:
    """Zeros, blanks, braces and letters of any alphabet are kept, up to 128 bytes."""
    body = json.dumps({"data": {"message_id": message_id, "status": "sent"}}, ensure_ascii=False).encode()
    report = post(body)
    assert report.provider_message_id == message_id


@pytest.mark.parametrize(
    ("number", "good"), [(2**64 - 1, True), (-(2**63), True), (2**64, False), (-(2**63) - 1, False)]
)
def test_an_integer_id_is_its_digits_as_far_as_64_bits_reach(number: int, *, good: bool) -> None:
    """A numeric id keeps every digit; one beyond 64 bits, which other systems may have rounded, is rejected."""
    body = b'{"message_id":%d,"status":"sent"}' % number
    if good:
        assert post(body).provider_message_id == str(number)
    else:
        with pytest.raises(PoisonMessageError):
            post(body)


@pytest.mark.parametrize("query", ["id=" + "ü" * 65 + "&status=sent", "id=7&status=" + "x" * 257])
def test_what_is_too_long_for_an_id_or_a_status_is_unreadable(query: str) -> None:
    """No long key gets into the journal, and no long text into an event."""
    with pytest.raises(PoisonMessageError):
        get(query)


def test_first_nonempty_of_names_differing_in_case() -> None:
    """A later parameter with the same name in another case changes nothing."""
    assert get("STATUS=&id=7&Status=sent&status=failed").provider_status == "sent"


@pytest.mark.parametrize("extra", [b"NaN", b"1e", b"01", b"'x'", b"1,}"])
def test_json_that_other_readers_would_refuse_is_unreadable(extra: bytes) -> None:
    """Strict readers of the journal would be stopped by it."""
    body = b'{"message_id":"77","status":"sent","extra":' + extra + b"}"
    with pytest.raises(PoisonMessageError):
        post(body)


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\uDE00", b"\\ud83dx\\ude00", b"\\\\\\ud83d"])
@pytest.mark.parametrize("number", [b"", b',"price":0.10'])
def test_half_an_emoji_costs_no_report(half: bytes, number: bytes) -> None:
    """A text that was cut, whether in a member that nobody reads or in one that somebody does."""
    report = post(b'{"message_id":"77","status":"sent","text":"Hi ' + half + b'"' + number + b"}")
    assert (report.provider_message_id, report.provider_status) == ("77", "sent")
    assert report.raw.encode().decode() == report.raw


def test_a_query_that_cannot_be_written_down_is_unreadable() -> None:
    """The journal is UTF-8, so text that can't be encoded is rejected."""
    with pytest.raises(PoisonMessageError):
        get("id=77&status=sent&note=\ud800")


def test_details_and_codes_that_say_nothing_are_left_out() -> None:
    """Empty, nested, too long and unfilled details are left out of the report."""
    data = {"message_id": "7", "status": "sent", "mccmnc": None, "segments": "", "price": {"eur": 1}, "tat": "x" * 257}
    body = json.dumps({"data": data | {"network_id": "%n", "err": {"code": 1}, "secret_extra": "x"}}).encode()
    report = post(body)
    assert report.provider_details == {}
    assert report.provider_code is None


def test_json_nested_without_end_is_unreadable() -> None:
    """A body that is meant to exhaust the parser becomes a dead letter."""
    body = b'{"data":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    with pytest.raises(PoisonMessageError):
        post(body)


@given(st.text(st.sampled_from('abAB=&; é\x00"?#/') | st.characters(exclude_characters="%+"), max_size=40))
def test_a_form_without_escapes_is_read_as_one_with_them(text: str) -> None:
    """The fast parser of forms gives the same result as the standard library's."""
    assert {**parse_fields(text), "zz": "A"} == {**parse_fields(f"{text}&zz=%41"), "zz": "A"}
