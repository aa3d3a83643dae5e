"""A short run of the long fuzz test (`python -m tests.support.providers.fuzz`): nothing is lost."""

from tests.support.providers.fuzz import fuzz_receiver
from tests.support.service.fleet import Fleet


async def test_every_authentic_request_is_kept(fleet: Fleet) -> None:
    """Every mangled request is in the journal or the dead letters, and no secret is."""
    counts = await fuzz_receiver(fleet, 600, 7)
    assert counts["requests"] == 600
