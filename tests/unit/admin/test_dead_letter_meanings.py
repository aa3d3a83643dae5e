"""Every reason of a dead letter is explained, and has a command or why there is none."""

from bridge.admin.dead_letter_api import MEANINGS
from bridge.core.errors import DeadLetterReason
from bridge.dead_letters import NOT_REPLAYABLE


def test_every_reason_has_a_meaning() -> None:
    """A new reason needs one."""
    assert set(MEANINGS) == set(DeadLetterReason)
    assert set(NOT_REPLAYABLE) < set(DeadLetterReason)
