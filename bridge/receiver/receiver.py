"""Writes callbacks to the journal, and answers 200 once the journal has them. It knows routes, but no HTTP server."""

import asyncio
import hmac
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

import structlog

from bridge.accounts import Accounts, ProviderAccount
from bridge.clock import now_ms
from bridge.core.errors import InvalidSignatureError, KafkaUnavailableError, PoisonMessageError, convert_to_poison
from bridge.dead_letters import DeadLetter, DeadLetters, HttpSource
from bridge.http_server.messages import BodyIncompleteError, BodyTimeoutError, BodyTooLargeError, Request, Response
from bridge.journal.writer import JournalWriter
from bridge.kafka.records import Record
from bridge.observability.metrics import ReceiverMetrics
from bridge.observability.tracing import Tracing
from bridge.privacy import Privacy
from bridge.providers.dialect import Callback
from bridge.receiver.client_address import find_client_address, is_in_networks
from bridge.receiver.clock_skew import ProviderClocks
from bridge.settings.model import HttpSettings

RETRY_AFTER_SECONDS = 5
"""How long a provider should wait before it tries again."""

log = structlog.get_logger(__name__)


class CallbackOutcome(StrEnum):
    """What became of a callback; a label of the metrics."""

    JOURNALED = "journaled"
    DEAD_LETTERED = "dead_lettered"
    IGNORED = "ignored"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"


class CallbackResult(NamedTuple):
    """What became of a callback, and the response to it."""

    outcome: CallbackOutcome
    response: Response


_ACCEPTED = Response(200, b"OK")
_UNAVAILABLE = CallbackResult(
    CallbackOutcome.UNAVAILABLE, Response(503, b"try again later", {"retry-after": str(RETRY_AFTER_SECONDS)})
)


def _make_rejection(status: int, text: bytes, headers: Mapping[str, str] = {}) -> CallbackResult:
    return CallbackResult(CallbackOutcome.REJECTED, Response(status, text, headers))


_NOT_FOUND = _make_rejection(404, b"not found")


class Receiver:
    """Handles the requests of the public listener.

    Args:
        accounts: The accounts whose callbacks are accepted.
        settings: The limits.
        journal: Takes reports and dead letters.
        dead_letters: Makes dead letters.
        privacy: Redacts phone numbers.
        clocks: Compares the providers' clocks with the bridge's.
        metrics: Counts callbacks.
        tracing: Traces reports.
    """

    def __init__(
        self,
        accounts: Accounts,
        settings: HttpSettings,
        *,
        journal: JournalWriter,
        dead_letters: DeadLetters,
        privacy: Privacy,
        clocks: ProviderClocks,
        metrics: ReceiverMetrics,
        tracing: Tracing,
    ) -> None:
        self._secrets = _collect_secrets(accounts)
        self._proxies = settings.trusted_proxies
        self._ack_timeout_seconds = settings.ack_timeout / 1000
        # The limit is for each provider, so that slow callbacks of one leave room for the others.
        self._max_waiting = settings.max_waiting
        self._journal, self._dead_letters, self._clocks = journal, dead_letters, clocks
        self._privacy, self._tracing = privacy, tracing
        # Looked up once, because looking up a label takes longer than counting.
        self._received = {
            (provider, outcome): metrics.callbacks_received.labels(provider, outcome.value)
            for provider in self._secrets
            for outcome in CallbackOutcome
        }
        self._durations = {provider: metrics.callback_duration.labels(provider) for provider in self._secrets}
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._waiting: Counter[str] = Counter()
        self._in_flight = 0
        metrics.callbacks_in_flight.set_function(lambda: self._in_flight)

    @property
    def ready(self) -> bool:
        """Whether Kafka accepts callbacks."""
        return self._journal.ready

    def snapshot(self) -> Mapping[tuple[str, ...], int]:
        """Count the callbacks that this process has answered, by provider and outcome."""
        return dict(self._counts)

    def count_refused(self) -> int:
        """Count the callbacks that weren't accepted because Kafka was away, or too many waited for it."""
        return sum(count for (_, outcome), count in self._counts.items() if outcome == CallbackOutcome.UNAVAILABLE)

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        started = time.perf_counter()
        match request.path.split("/"):
            case ["", "dlr", provider, secret] if provider in self._secrets:
                pass
            case _:
                return _NOT_FOUND.response
        self._in_flight += 1
        try:
            outcome, response = await self._answer(provider, secret.encode(), request)
        finally:
            self._in_flight -= 1
        self._counts[provider, outcome.value] += 1
        self._received[provider, outcome].inc()
        self._durations[provider].observe(time.perf_counter() - started)
        return response

    async def _answer(self, provider: str, secret: bytes, request: Request) -> CallbackResult:
        account = self._find_account(provider, secret)
        rejection = self._check_request(account, request)
        if rejection or account is None:
            return rejection or _NOT_FOUND
        self._waiting[provider] += 1
        try:
            body = await request.body() if request.method == "POST" else b""
            return await self._accept(account, request, body)
        except BodyTooLargeError:
            return _make_rejection(413, b"too large")
        except BodyTimeoutError:
            return _make_rejection(408, b"too slow")
        except BodyIncompleteError:
            return _make_rejection(400, b"incomplete")
        finally:
            self._waiting[provider] -= 1

    def _check_request(self, account: ProviderAccount | None, request: Request) -> CallbackResult | None:
        """Reject a request by what is known before its body is read; None to accept it."""
        if account is None:
            return _NOT_FOUND
        methods = account.dialect.methods
        if request.method not in methods:
            return _make_rejection(405, b"method not allowed", {"allow": ", ".join(sorted(methods))})
        if not self._is_allowed(account, request):
            return _make_rejection(403, b"forbidden")
        return _UNAVAILABLE if self._waiting[account.provider] >= self._max_waiting else None

    def _find_account(self, provider: str, secret: bytes) -> ProviderAccount | None:
        """Find the account with a secret. It is compared with all secrets, so that the time taken reveals nothing."""
        match: ProviderAccount | None = None
        for candidate, account in self._secrets[provider]:
            if hmac.compare_digest(candidate, secret):
                match = account
        return match

    def _is_allowed(self, account: ProviderAccount, request: Request) -> bool:
        if not account.allowed_networks:
            return True
        lines = request.headers.get_all
        address = find_client_address(request.client, lines("x-forwarded-for"), lines("forwarded"), self._proxies)
        return address is not None and is_in_networks(address, account.allowed_networks)

    async def _accept(self, account: ProviderAccount, request: Request, body: bytes) -> CallbackResult:
        dialect = account.dialect
        signature = request.headers.get(dialect.signature_header) if dialect.signature_header else None
        content_type = request.headers.get("content-type") or ""
        callback = Callback(request.method, request.query, content_type, signature, body)
        now = now_ms()
        try:
            report = dialect.read_callback(callback, now)
            if report is None:
                return CallbackResult(CallbackOutcome.IGNORED, _ACCEPTED)
            self._clocks.compare(account, report.provider_time, now)
            redacted = self._privacy.redact_report(report, dialect.known_paths)
            record = self._journal.to_record(redacted)
        except InvalidSignatureError:
            return _make_rejection(401, b"bad signature")
        except Exception as error:  # noqa: BLE001 - pure code: whatever it raises, this callback is the cause
            record = self._make_dead_letter(account, callback, convert_to_poison(error), now)
            return await self._store(account.provider, [record], CallbackOutcome.DEAD_LETTERED)
        result = await self._store(account.provider, [record], CallbackOutcome.JOURNALED)
        if result.outcome is CallbackOutcome.JOURNALED:
            self._tracing.trace_callback(redacted, now * 1_000_000)
        return result

    def _make_dead_letter(
        self, account: ProviderAccount, callback: Callback, poison: PoisonMessageError, now: int
    ) -> Record:
        log.warning(
            "callback rejected",
            provider=account.provider,
            account=account.name,
            reason=poison.reason.value,
            error=poison.error,
        )
        self._dead_letters.count(poison.reason)
        letter = DeadLetter(
            reason=poison.reason.value,
            error=poison.error,
            key=None,
            value=callback.original,
            received_at=now,
            http=HttpSource(callback.method, f"/dlr/{account.provider}/{{secret}}", callback.content_type or None),
            provider=account.provider,
            account=account.name,
        )
        return self._dead_letters.to_record(letter)

    async def _store(self, provider: str, records: Iterable[Record], outcome: CallbackOutcome) -> CallbackResult:
        future = self._journal.append(records)
        done, _ = await asyncio.wait((future,), timeout=self._ack_timeout_seconds)
        if not done:
            # The record still waits for Kafka after the callback was answered, and counts as waiting until then.
            self._waiting[provider] += 1
            future.add_done_callback(lambda _: self._waiting.subtract((provider,)))
            return _UNAVAILABLE
        try:
            future.result()
        except KafkaUnavailableError:
            return _UNAVAILABLE
        return CallbackResult(outcome, _ACCEPTED)


def _collect_secrets(accounts: Accounts) -> dict[str, list[tuple[bytes, ProviderAccount]]]:
    """Collect all secrets with their accounts, by provider."""
    secrets: dict[str, list[tuple[bytes, ProviderAccount]]] = {}
    for account in accounts.values():
        for secret in account.secrets:
            secrets.setdefault(account.provider, []).append((secret.get_secret_value().encode(), account))
    return secrets
