"""A short cut of the long fuzz (`python -m tests.support.providers.fuzz`): no parser breaks."""

import pytest

from tests.support.providers.fuzz import fuzz_parser, parsers


@pytest.mark.parametrize("name", list(parsers()))
def test_no_input_breaks_a_parser(name: str) -> None:
    """A report, nothing, or an error that carries a policy; each of these comes of some."""
    outcomes = fuzz_parser(parsers()[name], 2_000, 7)
    assert outcomes.total() == 2_000
    assert outcomes["report"] > 20
    assert len(outcomes) > 1
