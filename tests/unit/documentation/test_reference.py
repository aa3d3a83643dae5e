"""The references that are made from the code: current, and complete."""

import pytest

from scripts.reference import DOCS, WRITTEN


@pytest.mark.parametrize("file", WRITTEN)
def test_a_reference_is_current(file: str) -> None:
    """What docs/ says of a setting or metric is what the code says (`make docs` writes it)."""
    assert (DOCS / file).read_text() == WRITTEN[file]()


@pytest.mark.parametrize("file", WRITTEN)
def test_nothing_is_left_unexplained(file: str) -> None:
    """Every row says what it means."""
    rows = [line for line in WRITTEN[file]().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert [row for row in rows if row.rstrip("| ").endswith("|") or row.endswith("|  |")] == []
