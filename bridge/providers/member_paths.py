"""Where members are in callbacks and answers: paths that JSON documents and forms share. Pure."""

import re
from collections.abc import Iterable

MemberPath = tuple[str, ...]
"""The names on the way to a member, in lower case, without indexes and without `data`, which wraps any of them."""

_NAME_PARTS = re.compile(r"[^\[\]./:]+")


def extend_path(path: MemberPath, name: str) -> MemberPath:
    """Extend a path by a member's name, which may be a path of its own, such as `to[0].number`."""
    parts = (part for part in _NAME_PARTS.findall(name.lower()) if not part.isdigit() and part != "data")
    return (*path, *parts)


def make_path(steps: Iterable[str]) -> MemberPath:
    """Make a path of the steps of a pointer."""
    path: MemberPath = ()
    for step in steps:
        path = extend_path(path, step)
    return path


def make_paths(names: Iterable[str]) -> frozenset[MemberPath]:
    """Make the paths of members of the top level."""
    return frozenset(make_path((name,)) for name in names)
