"""Parsing of ids, statuses, times and names, which all dialects share."""

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
from bridge.providers.parsing import parse_form


def get(query: str, **settings: Any) -> Report:
    """Parse a query."""
    report = Dexatel("main", **settings).read_callback(Callback("GET", query, "", None, b""), 1)
    assert report is not None
    return report


def post(body: bytes) -> Report:
    """Parse a JSON body."""
    report = Dexatel("main").read_callback(Callback("POST", "", "application/json", None, body), 1)
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
        ("999999999999999", None),
        ("9" * 5000, None),
    ],
)
def test_times_are_parsed_in_every_format(time: str, milliseconds: int | None) -> None:
    """An invalid time is no error; the status still counts."""
    assert get(f"id=7&status=sent&timestamp={time}").provider_time == milliseconds


@pytest.mark.parametrize(
    ("local", "milliseconds"),
    [
        ("2025-01-15 12:00:00", 1_736_938_800_000),  # winter: 11:00 UTC
        ("2025-07-15 12:00:00", 1_752_573_600_000),  # summer: 10:00 UTC
        ("2025-03-30 02:30:00", 1_743_298_200_000),  # skipped by daylight saving: as before the change, 01:30 UTC
        ("2025-10-26 02:30:00", 1_761_438_600_000),  # there twice: the first one, 00:30 UTC
    ],
)
def test_time_without_zone_uses_the_configured_one(local: str, milliseconds: int) -> None:
    """In summer, in winter and at the changes between."""
    report = get(f"id=7&status=sent&timestamp={local}", timezone=ZoneInfo("Europe/Berlin"))
    assert report.provider_time == milliseconds


@pytest.mark.parametrize(
    "value",
    ["%s", "%d", "%25message_id%25", "{x}", "{}", "{0}", "${id}", "{{x}}", "{{ message.id }}", "<id>", "<message-id>"],
)
@pytest.mark.parametrize("query", ["id={}&status=sent", "id=7&status={}"])
def test_unfilled_template_is_unreadable(query: str, value: str) -> None:
    """A wrong URL at the provider becomes a dead letter and not a message with a strange id."""
    with pytest.raises(PoisonMessageError) as raised:
        get(query.replace("{}", value))
    assert raised.value.reason is DeadLetterReason.UNREADABLE


@pytest.mark.parametrize(
    "message_id",
    ["007", "a b", "100%", "{3f6c1f0e-9a57-4b0f-8f0d-52b1c7a9e611}", "<20250304.7@host>", "ü" * 64, "-", "%41b%"],
)
def test_ids_are_opaque(message_id: str) -> None:
    """Zeros, spaces, braces and any letters are kept, up to 128 bytes."""
    body = json.dumps({"data": {"message_id": message_id, "status": "sent"}}, ensure_ascii=False).encode()
    report = post(body)
    assert report.provider_message_id == message_id


@pytest.mark.parametrize(
    ("number", "good"), [(2**64 - 1, True), (-(2**63), True), (2**64, False), (-(2**63) - 1, False)]
)
def test_integer_id_is_its_digits(number: int, *, good: bool) -> None:
    """Up to 64 bits; larger numbers may have been rounded and are refused."""
    body = b'{"message_id":%d,"status":"sent"}' % number
    if good:
        assert post(body).provider_message_id == str(number)
    else:
        with pytest.raises(PoisonMessageError):
            post(body)


@pytest.mark.parametrize("query", ["id=" + "ü" * 65 + "&status=sent", "id=7&status=" + "x" * 257])
def test_long_ids_and_statuses_are_unreadable(query: str) -> None:
    """The journal and the events are protected from huge values."""
    with pytest.raises(PoisonMessageError):
        get(query)


def test_first_nonempty_of_names_differing_in_case() -> None:
    """Names are case-insensitive, and the first non-empty value is used."""
    assert get("STATUS=&id=7&Status=sent&status=failed").provider_status == "sent"


@pytest.mark.parametrize("extra", [b"NaN", b"1e", b"01", b'"\\ud800"', b"'x'", b"1,}"])
def test_invalid_json_is_unreadable(extra: bytes) -> None:
    """Nothing that other JSON parsers refuse is accepted."""
    body = b'{"message_id":"77","status":"sent","extra":' + extra + b"}"
    with pytest.raises(PoisonMessageError):
        post(body)


def test_undecodable_query_is_unreadable() -> None:
    """A query that isn't UTF-8 is refused, because the journal is UTF-8."""
    with pytest.raises(PoisonMessageError):
        get("id=77&status=sent&note=\ud800")


def test_meaningless_details_are_dropped() -> None:
    """Empty, nested, too long and unfilled details don't make a report unreadable."""
    data = {"message_id": "7", "status": "sent", "mccmnc": None, "segments": "", "price": {"eur": 1}, "tat": "x" * 257}
    body = json.dumps({"data": data | {"network_id": "%n", "err": True, "secret_extra": "x"}}).encode()
    report = post(body)
    assert report.provider_details == {}
    assert report.provider_code is None


def test_deeply_nested_json_is_unreadable() -> None:
    """It becomes a dead letter."""
    body = b'{"data":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    with pytest.raises(PoisonMessageError):
        post(body)


@given(st.text(st.sampled_from('abAB=&; é\x00"?#/') | st.characters(exclude_characters="%+"), max_size=40))
def test_form_parsing_matches_the_standard_library(text: str) -> None:
    """The fast path for forms without escapes has the same result."""
    assert {**parse_form(text), "zz": "A"} == {**parse_form(f"{text}&zz=%41"), "zz": "A"}
