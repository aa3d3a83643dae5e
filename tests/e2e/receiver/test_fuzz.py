"""A short cut of the long fuzz (`python -m tests.support.providers.fuzz`): nothing is lost."""

from tests.support.providers.fuzz import fuzz_receiver
from tests.support.service.fleet import Fleet


async def test_every_authentic_request_is_found_again(fleet: Fleet) -> None:
    """In the journal or among the dead letters, however mangled; and no secret is."""
    found = await fuzz_receiver(fleet, 600, 7)
    assert found["requests"] == 600
