"""The generated references are current and complete."""

import pytest

from scripts.reference import DOCS, DOCUMENTS


@pytest.mark.parametrize("file", DOCUMENTS)
def test_reference_is_current(file: str) -> None:
    """The generated references match the code (`make docs` writes them)."""
    assert (DOCS / file).read_text() == DOCUMENTS[file]()


@pytest.mark.parametrize("file", DOCUMENTS)
def test_everything_is_explained(file: str) -> None:
    """Every row has a description."""
    rows = [line for line in DOCUMENTS[file]().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert [row for row in rows if row.rstrip("| ").endswith("|") or row.endswith("|  |")] == []
