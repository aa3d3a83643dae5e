"""Checks that every dialect must pass, given a few of its own payloads.

A dialect's author names a `Subject` in `test_conformance.py`; nothing here knows one provider from another.
"""

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import SecretStr

from bridge.core.attempt import Followed, Policy
from bridge.core.entries import MAX_ID_BYTES, AttemptKey, Report
from bridge.core.errors import (
    AuthenticationFailedError,
    InvalidSignatureError,
    PoisonMessageError,
    PollFailedError,
    RateLimitedError,
    UnsupportedMediaTypeError,
)
from bridge.core.lifecycle import EntryPosition, FoldOutcome, fold
from bridge.core.timestamps import format_rfc3339
from bridge.journal.serde import encode_entry
from bridge.privacy import Privacy
from bridge.providers.dialect import Callback, Dialect, PollAnswer, Polled
from bridge.settings.model import PrivacySettings
from tests.support.providers.reading import read_one

OBSERVED_AT = 1_741_100_000_000
DAY = 86_400_000


class Subject(NamedTuple):
    """A dialect, and the payloads for its checks."""

    dialect: Dialect
    callback: Callable[[str], Callback]
    """Returns a callback that reports the delivery of the message with this id, signed if the dialect requires it."""
    with_number: Callable[[str], Callback]
    """Returns a callback that contains this phone number."""
    resigned: Callable[[Callback], Callback] = lambda callback: callback
    """Returns the callback with its provider's signature."""
    answer: Callable[[str], PollAnswer] | None = None
    """Returns an answer to a poll that reports the delivery of the message with this id."""


IDS: Sequence[str] = (
    "7", "007", "0000000000000000000001", "18446744073709551615", "9007199254740993", "-1", "1.0", "1e5",
    "3f6c1f0e-9a57-4b0f-8f0d-52b1c7a9e611", "a:b/c d", "ü" * 64, "x" * MAX_ID_BYTES,
)  # fmt: skip
"""Ids that might be mistaken for numbers or shortened."""


def read(dialect: Dialect, callback: Callback) -> Report | type[Exception] | None:
    """Return the report of a callback, or the type of its error."""
    try:
        return read_one(dialect, callback, OBSERVED_AT)
    except (PoisonMessageError, InvalidSignatureError, UnsupportedMediaTypeError) as error:
        return type(error)


def read_answer(dialect: Polled, answer: PollAnswer, message_id: str) -> Report | type[Exception] | None:
    """Return the report of an answer, or the type of its error."""
    try:
        return dialect.read_answer(answer, message_id, OBSERVED_AT)
    except (RateLimitedError, AuthenticationFailedError, PollFailedError) as error:
        return type(error)


def check_totality(subject: Subject) -> None:
    """Assert that any payload gives a report, nothing, or one of the allowed errors."""
    sample = subject.callback("4711")

    @settings(deadline=None, report_multiple_bugs=False)
    @given(
        _mangled(sample.body), _mangled(sample.query.encode()), st.sampled_from(["GET", "POST", "PUT"]), st.booleans()
    )
    def callbacks(body: bytes, query: bytes, method: str, signed: bool) -> None:  # noqa: FBT001 - hypothesis passes it
        callback = replace(sample, method=method, body=body, query=query.decode("utf-8", "surrogateescape"))
        _acceptable(read(subject.dialect, subject.resigned(callback) if signed else callback))

    callbacks()
    if subject.answer is None:
        return
    answered, polled = subject.answer("4711"), asked(subject)

    @settings(deadline=None, report_multiple_bugs=False)
    @given(_mangled(answered.body), st.sampled_from([answered.status, 200, 404, 429, 401, 500]), st.none() | st.text())
    def answers(body: bytes, status: int, retry_after: str | None) -> None:
        _acceptable(read_answer(polled, PollAnswer(status, retry_after, body), "4711"))

    answers()


def check_purity(subject: Subject) -> None:
    """Assert that the same input gives the same report and is not changed."""
    callback = subject.callback("4711")
    before = copy.deepcopy(callback)
    first, others = read(subject.dialect, callback), read(subject.dialect, subject.callback("4712"))
    assert isinstance(first, Report)
    assert first != others
    assert read(subject.dialect, callback) == first
    assert callback == before
    if subject.answer is not None:
        answer = subject.answer("4711")
        assert read_answer(asked(subject), answer, "4711") == read_answer(asked(subject), answer, "4711")


def check_redaction(subject: Subject) -> None:
    """Assert that redaction removes the phone number and nothing else."""
    number = "254700123456"
    report = read(subject.dialect, subject.with_number(number))
    assert isinstance(report, Report)
    assert number in report.raw
    hashed = PrivacySettings(recipient="hash", hash_key=SecretStr("the-key-of-hashes"))
    for privacy in (PrivacySettings(recipient="drop"), hashed):
        kept = Privacy(privacy).redact_report(report, subject.dialect.known_paths).raw
        assert number not in kept
        assert report.provider_message_id in kept
    assert Privacy(PrivacySettings()).redact_report(report, subject.dialect.known_paths) == report
    assert number not in encode_entry(replace(report, raw="")).decode()


def check_opaque_ids(subject: Subject) -> None:
    """Assert that ids are kept unchanged."""
    for written in IDS:
        report = read(subject.dialect, subject.callback(written))
        assert isinstance(report, Report), written
        assert report.provider_message_id == written
        if subject.answer is not None:
            answered = read_answer(asked(subject), subject.answer(written), written)
            assert isinstance(answered, Report), written
            assert answered.provider_message_id == written


def check_idempotence(subject: Subject) -> None:
    """Assert that a delivery reported repeatedly, by callbacks and polls, is published once."""
    told = [read(subject.dialect, subject.callback("4711")) for _ in range(2)]
    if subject.answer is not None:
        told += [read_answer(asked(subject), subject.answer("4711"), "4711") for _ in range(2)]
    key = str(AttemptKey(subject.dialect.provider, subject.dialect.account, "4711"))
    state = Followed("m-1", OBSERVED_AT - 1000, OBSERVED_AT - 1000, OBSERVED_AT + DAY, None, None, {}, None)
    outcomes = []
    for offset, report in enumerate(told):
        assert isinstance(report, Report)
        assert report.key == key
        folded = fold(key, state, report, EntryPosition(offset, OBSERVED_AT), Policy())
        assert isinstance(folded.state, Followed)
        state = folded.state
        outcomes.append(folded.outcome)
    assert outcomes == [FoldOutcome.PUBLISHED, *[FoldOutcome.DUPLICATE] * (len(told) - 1)]


CHECKS: Sequence[Callable[[Subject], None]] = (
    check_totality, check_purity, check_redaction, check_opaque_ids, check_idempotence,
)  # fmt: skip


def asked(subject: Subject) -> Polled:
    """Return the subject's dialect, which must support polls."""
    assert hasattr(subject.dialect, "read_answer")
    return subject.dialect  # type: ignore[return-value]  # it has just been seen


def _mangled(sample: bytes) -> st.SearchStrategy[bytes]:
    """Return a payload that is cut, spliced, overwritten, repeated or replaced."""
    places = st.integers(0, len(sample))
    spliced = st.tuples(places, places, st.binary(max_size=12) | st.text(max_size=12).map(_bytes)).map(
        lambda cut: sample[: cut[0]] + cut[2] + sample[cut[1] :]
    )
    return st.just(sample) | spliced | spliced.map(lambda once: once + sample) | st.binary(max_size=200)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _acceptable(found: object) -> None:
    if not isinstance(found, Report):
        return
    assert found.provider_message_id
    assert len(found.provider_message_id.encode()) <= MAX_ID_BYTES
    if found.provider_time is not None:
        format_rfc3339(found.provider_time)
    encode_entry(found)
