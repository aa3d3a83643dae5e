"""Halves of emojis in JSON: what a text that was cut ends in."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.json_text import replace_half_emojis
from bridge.providers.parsing import load_json

PIECES = ["a", "é", "😀", "\\", '"', "\n", "u", "d83d", "\\ud83d", "\ud83d", "\ude00"]
"""Among them both halves of an emoji, and a text that looks like an escape."""


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_halves_are_replaced_and_nothing_else(text: str) -> None:
    """Whatever stands around them, escaped or not."""
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    document = json.dumps({"text": text})
    assert load_json(document) == load_json(document.encode()) == {"text": expected}
    if text == expected:
        assert replace_half_emojis(document) == document


@pytest.mark.parametrize("text", ["{", '"\\ud83d', '{"a":NaN,"b":"\\ud83d"}', "\ud83d", '"\ud83d"'])
def test_what_is_no_json_is_refused(text: str) -> None:
    """With and without halves."""
    with pytest.raises(orjson.JSONDecodeError):
        load_json(text)
