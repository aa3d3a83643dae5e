"""JSON pointers (RFC 6901): parsing one, and finding the value that it leads to. Pure.

Callers differ in how they step into a list, so each passes its own rule, a `SelectItem`. A sent event's pointer selects
an item by its index (`select_by_index`). A callback's list may hold several messages, so a generic webhook steps into a
list of one only, and rejects a longer one.
"""

from collections.abc import Callable
from typing import Any

Steps = tuple[str, ...]

SelectItem = Callable[[list[Any], str], Any]
"""Takes a list and the pointer's step; returns the item, or None if there is none."""

ParseText = Callable[[str], Any]
"""Takes text; returns the JSON document that it is, or None if it is none."""


def is_pointer(text: str) -> bool:
    """Whether a text is a JSON pointer to a member, as opposed to a plain name."""
    return text.startswith("/")


def parse_pointer(pointer: str) -> Steps:
    """Split a JSON pointer into its steps.

    Raises:
        ValueError: It doesn't begin with a slash.
    """
    if not is_pointer(pointer):
        raise ValueError("should be a JSON pointer such as /data/id")
    return tuple(unescape_step(step) for step in pointer.split("/")[1:])


def unescape_step(step: str) -> str:
    """Decode `~1` and `~0`, which stand for a slash and a tilde."""
    return step.replace("~1", "/").replace("~0", "~")


def find_value(document: Any, steps: Steps, select_item: SelectItem, parse_text: ParseText = lambda _: None) -> Any:
    """Follow the steps into a document, and on into text that is JSON; None if they lead nowhere.

    Args:
        document: Where they begin.
        steps: The steps of a pointer.
        select_item: How to step into a list.
        parse_text: How to step into text; unless it is given, the steps end there.
    """
    for step in steps:
        if isinstance(document, str):
            document = parse_text(document)
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list):
            document = select_item(document, step)
        else:
            return None
    return document


def select_by_index(items: list[Any], step: str) -> Any:
    """Select the item whose index the step is."""
    return items[int(step)] if step.isdecimal() and int(step) < len(items) else None
