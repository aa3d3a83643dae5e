"""A short cut of the long fuzz (`python -m tests.providers.fuzz`): nothing breaks, and nothing is lost."""

import pytest

from tests.providers.fuzz import fuzz_parser, fuzz_receiver, parsers
from tests.service.harness.fleet import Fleet


@pytest.mark.parametrize("name", list(parsers()))
def test_no_input_breaks_a_parser(name: str) -> None:
    """A report, nothing, or an error that carries a policy; each of these comes of some."""
    outcomes = fuzz_parser(parsers()[name], 2_000, 7)
    assert outcomes.total() == 2_000
    assert outcomes["report"] > 20
    assert len(outcomes) > 1


async def test_every_authentic_request_is_found_again(fleet: Fleet) -> None:
    """In the journal or among the dead letters, however mangled; and no secret is."""
    found = await fuzz_receiver(fleet, 600, 7)
    assert found["requests"] == 600
