"""What concerns one message is told from what concerns its account, and probes rotate."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from bridge.accounts import ProviderAccount
from bridge.core.errors import AuthenticationFailedError, PollFailedError, RateLimitedError, RequestRejectedError
from bridge.observability.metrics import PollerMetrics
from bridge.poller.account_health import AccountHealth
from bridge.poller.circuit_breaker import REJECTION_THRESHOLD
from bridge.poller.due_polls import DuePoll
from bridge.poller.retries import Retries
from bridge.providers.dexatel import Dexatel

KEYS = st.integers(0, 10 * REJECTION_THRESHOLD).map(str)


class IdleStore:
    """A store whose polls aren't moved."""

    def postpone_poll(self, key: str, at: int, now: int) -> None:
        """Do nothing."""

    def end_polling(self, key: str) -> None:
        """Do nothing."""


def make_health() -> AccountHealth:
    """Make the health of an account that was never polled."""
    account = ProviderAccount("dexatel", "main", Dexatel("main"), None, 0, None)
    return AccountHealth(account, PollerMetrics(CollectorRegistry()), random.Random(7))


@given(rejected=st.lists(st.none() | KEYS, max_size=200), permanent=st.booleans())
def test_rejections_of_few_messages_concern_no_account(*, rejected: Sequence[str | None], permanent: bool) -> None:
    """However often they come: only many different ones in a row, without a success (None), concern the account."""
    health, in_a_row = make_health(), set[str]()
    for key in rejected:
        if key is None:
            health.record_success()
            in_a_row.clear()
        else:
            in_a_row.add(key)
            error = RequestRejectedError("HTTP 403", permanent=permanent)
            assert health.record_error(error, key) == (len(in_a_row) > REJECTION_THRESHOLD)


@pytest.mark.parametrize("error", [PollFailedError("x"), RateLimitedError(None), AuthenticationFailedError("x")])
def test_other_errors_concern_the_account(error: Any) -> None:
    """An outage, a 429 and refused credentials do at once."""
    assert make_health().record_error(error, "1")


def test_refused_credentials_are_named() -> None:
    """With what the provider says, and the setting that has them."""
    with capture_logs() as logged:
        make_health().record_error(AuthenticationFailedError("HTTP 401"), "1")
    [line] = logged
    assert (line["error"], line["setting"]) == ("HTTP 401", "SMS_BRIDGE_DEXATEL__ACCOUNTS__MAIN__TOKEN")


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_probes_reach_every_message(number: int, seed: int) -> None:
    """No two probes are about the same message before every other one was tried."""
    retries, store = Retries(lambda: 0, random.Random(seed)), IdleStore()
    polls = [DuePoll(9_000, 1, f"dexatel:main:{index}", 0, store) for index in range(number)]  # type: ignore[arg-type]
    for _ in range(2):
        probed = set()
        for _ in polls:
            probe = retries.sort_by_failures(polls)[0]
            probed.add(probe.key)
            retries.postpone(probe)
        assert len(probed) == number
