"""Encoding and decoding of entries and states, and their schema."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import asdict

from bridge.core.attempt import Followed, Parked, ParkedReport, PartVerdict, State
from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Entry, Part, Report, Sent
from bridge.core.errors import PoisonMessageError
from bridge.journal.serde import decode_entry, encode_entry
from bridge.state.serde import decode_state, encode_state
from tests.support.schemas.validators import load_validator

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
names = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
times = st.integers(0, 253_402_300_799_000)
details = st.dictionaries(st.sampled_from(["mccmnc", "segments", "price", "network_id", "tat"]), texts)
verdicts = st.builds(Verdict, st.sampled_from(Status), st.sampled_from(Reason), st.none() | st.booleans())
sents = st.builds(
    Sent,
    texts,
    names,
    names,
    texts,
    times,
    times,
    times,
    st.none() | texts,
    st.none() | texts,
    st.dictionaries(texts, texts, max_size=3),
    st.none() | texts,
    st.none() | st.tuples(texts, st.integers(0, 99), st.integers(0, 2**62)),
    texts,
    st.just(UNSET) | texts,
)
parts = st.just(UNSET) | st.builds(Part, texts, st.integers(2, 255))
sources = st.sampled_from([Source.CALLBACK, Source.POLL])


def make_report(verdict: Verdict | None, members: tuple[Any, ...]) -> Report:
    """Return a report with this verdict."""
    mapped = dict.fromkeys(("status", "reason", "permanent")) if verdict is None else asdict(verdict)
    names_of_members = [name for name in Report.__struct_fields__ if name not in {*mapped, "v"}]
    return Report(**mapped, **dict(zip(names_of_members, members, strict=True)))


optional = st.none() | texts
words = st.tuples(names, names, texts, optional, optional, details, st.none() | times, sources, times, texts, parts)
reports = st.builds(make_report, st.none() | verdicts, words)
mapped_reports = st.builds(make_report, verdicts, words)


def park(offset: int, report: Report) -> ParkedReport:
    """Return a report in its parked form."""
    assert report.verdict is not None
    return ParkedReport.from_report(offset, report, report.verdict)


states = st.builds(
    Followed,
    texts,
    times,
    times,
    times,
    st.none() | texts,
    st.none() | texts,
    st.dictionaries(texts, texts, max_size=3),
    st.none() | texts,
    st.none() | st.sampled_from(Status),
    st.integers(0, 99),
    st.none() | times,
    st.lists(st.builds(PartVerdict, texts, verdicts, optional, optional), max_size=3).map(tuple),
    optional,
) | st.builds(
    Parked,
    times,
    st.lists(st.builds(park, st.integers(0, 2**62), mapped_reports), max_size=4).map(tuple),
)


@given(sents | reports)
def test_entry_round_trip(entry: Entry) -> None:
    """An entry is decoded as it was encoded, and matches the journal's schema."""
    value = encode_entry(entry)
    assert decode_entry(value) == entry
    assert [error.message for error in load_validator("journal.v1").iter_errors(orjson.loads(value))] == []


@given(states)
def test_state_round_trip(state: State) -> None:
    """A state is decoded as it was encoded."""
    assert state is not None
    again = decode_state(encode_state(state))
    assert again == state
    assert type(again) is type(state)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"v":2,"type":"sent"}',
        b'{"v":1,"type":"other"}',
        b'{"v":1,"type":"sent"}',
    ],
)
def test_invalid_entry_is_poison(value: bytes | None) -> None:
    """Anything else in the journal raises PoisonMessageError, and no other error."""
    with pytest.raises(PoisonMessageError):
        decode_entry(value)


def test_state_of_a_later_version_is_refused() -> None:
    """A state of a newer version raises an error."""
    with pytest.raises(ValueError, match="version 2"):
        decode_state(b'[2,"F"]')


STORED_ENTRIES = {
    b'{"v":1,"type":"sent","message_id":"m-1","provider":"dexatel","account":"default","provider_message_id":"p-1",'
    b'"sent_at":1700000000000,"starts_at":1700000000000,"gives_up_at":1700169200000,"recipient":"254700000001",'
    b'"sender":"ACME","metadata":{"campaign":"7"},"traceparent":"00-1-2-01","origin":["sms.sent",3,42]}': Sent(
        "m-1",
        "dexatel",
        "default",
        "p-1",
        1700000000000,
        1700000000000,
        1700169200000,
        "254700000001",
        "ACME",
        {"campaign": "7"},
        "00-1-2-01",
        ("sms.sent", 3, 42),
    ),
    b'{"v":1,"type":"report","provider":"dexatel","account":"default","provider_message_id":"p-1",'
    b'"provider_status":"received","provider_code":null,"provider_details":{},"provider_time":null,"source":"poll",'
    b'"observed_at":1700000001000,"raw":"{}","status":null,"reason":null,"permanent":null}': Report(
        "dexatel",
        "default",
        "p-1",
        None,
        None,
        None,
        "received",
        None,
        {},
        None,
        Source.POLL,
        1700000001000,
        "{}",
    ),
}
FAILED = Verdict(Status.FAILED, Reason.UNSPECIFIED, permanent=True)
STORED_STATES = {
    b'[1,"F","m-1",1700000000000,1700000000000,1700169200000,null,"ACME",{"campaign":"7"},null,"sent",2,null]': (
        Followed(
            "m-1",
            1700000000000,
            1700000000000,
            1700169200000,
            None,
            "ACME",
            {"campaign": "7"},
            None,
            Status.SENT,
            2,
        )
    ),
    b'[1,"P",1700021600000,[[5,"dexatel","default","p-1",["failed","unspecified",true],"failed","27",'
    b'{"mccmnc":"63902"},1700000000400,"callback",1700000001000]]]': Parked(
        1700021600000,
        (
            ParkedReport(
                5,
                "dexatel",
                "default",
                "p-1",
                FAILED,
                "failed",
                "27",
                {"mccmnc": "63902"},
                1700000000400,
                Source.CALLBACK,
                1700000001000,
            ),
        ),
    ),
}


@pytest.mark.parametrize(("value", "entry"), STORED_ENTRIES.items())
def test_version_1_entries_stay_readable(value: bytes, entry: Entry) -> None:
    """Stored entries are decoded the same by every later release."""
    assert decode_entry(value) == entry


@pytest.mark.parametrize(("value", "state"), STORED_STATES.items())
def test_version_1_states_stay_readable(value: bytes, state: State) -> None:
    """Stored states are decoded the same by every later release; new members come last."""
    assert state is not None
    assert decode_state(value) == state
    assert encode_state(state).startswith(value.rstrip(b"]"))
