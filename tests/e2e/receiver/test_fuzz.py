"""A short version of the fuzzer (`python -m tests.support.providers.fuzz`): nothing is lost."""

from tests.support.providers.fuzz import fuzz_receiver
from tests.support.service.fleet import Fleet


async def test_authentic_requests_are_never_lost(fleet: Fleet) -> None:
    """However mangled, each is in the journal or the dead letters, and no secret is."""
    found = await fuzz_receiver(fleet, 600, 7)
    assert found["requests"] == 600
