"""Tracks whether an account can be polled: its circuit breaker and its credentials."""

import random
import time
from collections.abc import Mapping

import structlog

from bridge.accounts import ProviderAccount
from bridge.core.errors import AuthenticationFailedError, PollFailedError, RateLimitedError, RequestRejectedError
from bridge.observability.metrics import PollerMetrics
from bridge.poller.circuit_breaker import CircuitBreaker

CREDENTIALS: Mapping[str, str] = {"dexatel": "TOKEN", "speedocom": "API_KEY"}
"""By provider, the setting that has the credentials; for those by settings it is `POLL__SECRETS`."""

log = structlog.get_logger(__name__)

ProviderError = RateLimitedError | AuthenticationFailedError | PollFailedError
"""The errors of a poll."""

OUTCOMES: Mapping[type[ProviderError], str] = {
    RateLimitedError: "rate_limited",
    AuthenticationFailedError: "refused",
    RequestRejectedError: "rejected",
    PollFailedError: "failed",
}
"""The metrics' label of each error."""


class AccountHealth:
    """One account's circuit and credentials.

    Args:
        account: The account.
        metrics: Shows both as gauges.
        rng: Randomises the pauses.
    """

    def __init__(self, account: ProviderAccount, metrics: PollerMetrics, rng: random.Random) -> None:
        self._labels = {"provider": account.provider, "account": account.name}
        self._setting = account.name_variable(CREDENTIALS.get(account.provider, "POLL__SECRETS"))
        self._circuit = CircuitBreaker(rng)
        self._circuit_gauge = metrics.circuit_open.labels(**self._labels)
        self._refused_gauge = metrics.credentials_refused.labels(**self._labels)
        self.credentials_refused = False
        """Whether the provider refused the credentials of the last poll."""

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._circuit.failures

    @property
    def is_half_open(self) -> bool:
        """Whether the next answer decides if polling goes on."""
        return self._circuit.is_half_open

    @property
    def is_open(self) -> bool:
        """Whether the account isn't polled now."""
        is_open = self._circuit.is_open(time.monotonic())
        self._circuit_gauge.set(is_open or self._circuit.is_rejecting)
        return is_open

    @property
    def paused_seconds(self) -> float:
        """Until polling goes on; 0: it isn't paused."""
        return self._circuit.open_for(time.monotonic())

    def record_success(self) -> None:
        """Note that the provider gave a usable answer."""
        self._circuit.record_success()
        self._set_refused(refused=False)

    def record_error(self, error: ProviderError, key: str) -> bool:
        """Note an error that a poll of an attempt met, and pause polling as it requires.

        Returns:
            Whether it concerns the account, not that attempt alone.
        """
        now = time.monotonic()
        if isinstance(error, RateLimitedError):
            self._circuit.record_rate_limit(now, error.retry_after_seconds)
        elif isinstance(error, AuthenticationFailedError):
            log.warning("provider refuses the credentials", **self._labels, error=str(error), setting=self._setting)
            self._set_refused(refused=True)
            self._circuit.record_refusal(now)
        elif isinstance(error, RequestRejectedError):
            self._circuit.record_rejection(now, key)
            return self._circuit.is_rejecting
        else:
            log.warning("poll failed", **self._labels, error=str(error))
            self._circuit.record_failure(now, key)
        return True

    def _set_refused(self, *, refused: bool) -> None:
        self.credentials_refused = refused
        self._refused_gauge.set(refused)
