"""What is written can be read again, and says what the schema says."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.attempt import Followed, Parked, ParkedReport, State
from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Entry, Report, Sent
from bridge.core.errors import PoisonMessageError
from bridge.journal.serde import decode_entry, encode_entry
from bridge.schemas import load_validator
from bridge.state.serde import decode_state, encode_state

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
)
sources = st.sampled_from([Source.CALLBACK, Source.POLL])


def reports(verdict: st.SearchStrategy[Verdict | None], raw: st.SearchStrategy[str]) -> st.SearchStrategy[Report]:
    """Reports with these verdicts and words."""
    optional = st.none() | texts
    return st.builds(
        Report, names, names, texts, verdict, optional, optional, details, st.none() | times, sources, times, raw
    )


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
) | st.builds(
    Parked,
    times,
    st.lists(st.builds(ParkedReport, st.integers(0, 2**62), reports(verdicts, st.just(""))), max_size=4).map(tuple),
)


@given(sents | reports(st.none() | verdicts, texts))
def test_an_entry_survives_the_journal(entry: Entry) -> None:
    """An entry is read as it was written, and is valid by the journal's schema."""
    value = encode_entry(entry)
    assert decode_entry(value) == entry
    assert [error.message for error in load_validator("journal.v1").iter_errors(orjson.loads(value))] == []


@given(states)
def test_a_state_survives_the_state_topic(state: State) -> None:
    """A state is read as it was written."""
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
def test_what_is_no_entry_is_poison(value: bytes | None) -> None:
    """Whatever somebody else put into the journal is told apart, and raises nothing else."""
    with pytest.raises(PoisonMessageError):
        decode_entry(value)


def test_a_state_of_a_later_version_is_refused() -> None:
    """A state that a newer release wrote is not misread."""
    with pytest.raises(ValueError, match="version 2"):
        decode_state(b'[2,"F"]')
