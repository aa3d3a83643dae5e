"""A short version of the fuzzer (`python -m tests.support.providers.fuzz`): no parser fails."""

import pytest

from tests.support.providers.fuzz import fuzz_parser, parsers


@pytest.mark.parametrize("name", list(parsers()))
def test_mangled_input_is_handled(name: str) -> None:
    """Every input gives a report, nothing, or one of the dialect's errors; each result occurs."""
    outcomes = fuzz_parser(parsers()[name], 2_000, 7)
    assert outcomes.total() == 2_000
    assert outcomes["report"] > 20
    assert len(outcomes) > 1
