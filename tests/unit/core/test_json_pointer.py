"""JSON pointers: how they are parsed, and what they lead to under each rule for lists."""

from typing import Any

import pytest

from bridge.core.json_pointer import find_value, parse_pointer, select_by_index


@pytest.mark.parametrize(
    ("pointer", "steps"),
    [
        ("/", ("",)),
        ("/data/id", ("data", "id")),
        ("/a~1b/~0c", ("a/b", "~c")),
        ("/~01", ("~1",)),
        ("/a//b", ("a", "", "b")),
    ],
)
def test_a_pointer_is_split_and_unescaped(pointer: str, steps: tuple[str, ...]) -> None:
    """As RFC 6901 says: `~1` is a slash, `~0` a tilde."""
    assert parse_pointer(pointer) == steps


@pytest.mark.parametrize("text", ["id", "", "data/id"])
def test_a_pointer_begins_with_a_slash(text: str) -> None:
    """A name alone is no pointer."""
    with pytest.raises(ValueError, match="JSON pointer"):
        parse_pointer(text)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/items/1/id", "b"),
        ("/items/2/id", None),
        ("/items/-1/id", None),
        ("/items/²/id", None),
        ("/items/id", None),
        ("/name/0", None),
        ("/missing/id", None),
    ],
)
def test_an_index_selects_an_item(pointer: str, value: Any) -> None:
    """A pointer that leads nowhere finds nothing, and never fails."""
    document = {"items": [{"id": "a"}, {"id": "b"}], "name": "text"}
    assert find_value(document, parse_pointer(pointer), select_by_index) == value
