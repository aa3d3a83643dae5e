"""Dead letters fit their topic, whatever they are about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from bridge.dead_letters import DeadLetter, DeadLetters, HttpSource
from bridge.kafka.topic_limits import MIN_DEAD_LETTER_BYTES
from bridge.privacy import Privacy
from bridge.settings.model import PrivacySettings

SIZES = st.sampled_from([0, 1, 100, 3_000, 12_000, 17_000, 100_000])


def make_letters(max_bytes: int) -> DeadLetters:
    """Make the writer of a topic that takes records of this size."""
    counter = Counter("written", "Dead letters", ["reason"], registry=CollectorRegistry())
    return DeadLetters("dead", 3, max_bytes, Privacy(PrivacySettings()), counter)


@given(key=st.none() | SIZES, value=SIZES, error=SIZES, content_type=SIZES, limit=st.sampled_from([1, 2, 64]))
def test_record_fits_its_topic(*, key: int | None, value: int, error: int, content_type: int, limit: int) -> None:
    """Key, value and headers together; what is left out is said."""
    max_bytes = limit * MIN_DEAD_LETTER_BYTES
    letter = DeadLetter(
        reason="malformed",
        error="e" * error,
        key=None if key is None else b"k" * key,
        value=b"v" * value,
        received_at=1,
        http=HttpSource("POST", "/dlr/dexatel/{secret}", "t" * content_type),
    )
    record = make_letters(max_bytes).to_record(letter)
    assert record.size < max_bytes
    headers = dict(record.headers)
    assert letter.value.startswith(record.value or b"")
    assert ("original_bytes" in headers) == (len(record.value or b"") < value)


def test_key_that_is_left_out_is_said() -> None:
    """The value is kept, as far as there is room."""
    letter = DeadLetter("malformed", "not JSON", b"k" * 20_000, b"value", 1)
    record = make_letters(MIN_DEAD_LETTER_BYTES).to_record(letter)
    assert (record.key, record.value) == (None, b"value")
    assert dict(record.headers)["error"] == b"not JSON; its key of 20000 bytes is left out"


@pytest.mark.parametrize("size", [0, 5_000])
def test_key_that_fits_is_kept(size: int) -> None:
    """Byte for byte."""
    letter = DeadLetter("malformed", "not JSON", b"k" * size, b"value", 1)
    assert make_letters(MIN_DEAD_LETTER_BYTES).to_record(letter).key == b"k" * size
