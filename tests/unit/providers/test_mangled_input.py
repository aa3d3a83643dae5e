"""A short run of the long fuzz test (`python -m tests.support.providers.fuzz`): no parser crashes."""

import pytest

from tests.support.providers.fuzz import fuzz_parser, parsers


@pytest.mark.parametrize("name", list(parsers()))
def test_no_input_breaks_a_parser(name: str) -> None:
    """Every input gives a report, None or a defined error, and each of them occurs."""
    outcomes = fuzz_parser(parsers()[name], 2_000, 7)
    assert outcomes.total() == 2_000
    assert outcomes["report"] > 20
    assert len(outcomes) > 1
