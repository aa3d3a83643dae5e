"""Callbacks into the journal. 200 only when the journal has it. Knows routes and answers, and no HTTP server."""

import asyncio
import hmac
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

import structlog
from msgspec.structs import replace

from bridge.accounts import Accounts, ProviderAccount
from bridge.clock import now_ms
from bridge.core.errors import InvalidSignatureError, KafkaUnavailableError, PoisonMessageError
from bridge.dead_letters import DeadLetter, DeadLetters, HttpSource
from bridge.http_server import BodyTimeoutError, BodyTooLargeError, Request, Response
from bridge.journal.writer import JournalWriter
from bridge.kafka.records import Record
from bridge.observability.metrics import ReceiverMetrics
from bridge.observability.tracing import Tracing
from bridge.privacy import Privacy
from bridge.providers.dialect import Callback
from bridge.receiver.client_address import find_client_address, in_networks
from bridge.receiver.clock_skew import ProviderClocks
from bridge.settings.model import HttpSettings

RETRY_AFTER = "5"
"""Seconds after which a provider may try again."""

log = structlog.get_logger(__name__)


class CallbackOutcome(StrEnum):
    """What became of a callback: a label of the metrics."""

    JOURNALED = "journaled"
    DEAD_LETTERED = "dead_lettered"
    IGNORED = "ignored"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"


class CallbackResult(NamedTuple):
    """What became of a callback, and its answer."""

    outcome: CallbackOutcome
    response: Response


_ACCEPTED = Response(200, b"OK")
_UNAVAILABLE = CallbackResult(
    CallbackOutcome.UNAVAILABLE, Response(503, b"try again later", {"retry-after": RETRY_AFTER})
)


def _rejected(status: int, text: bytes, headers: Mapping[str, str] = {}) -> CallbackResult:
    return CallbackResult(CallbackOutcome.REJECTED, Response(status, text, headers))


_NOT_FOUND = _rejected(404, b"not found")


class Receiver:
    """Handles the requests of the public listener.

    Args:
        accounts: Whose callbacks are taken.
        settings: The limits.
        journal: Where reports go, and dead letters in their place.
        dead_letters: Makes dead letters.
        privacy: What may be kept of phone numbers.
        clocks: Compares the providers' clocks with ours.
        metrics: Is told of callbacks.
        tracing: Is told of reports.
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
        self._ack_timeout = settings.ack_timeout / 1000
        # Each provider has as many places of its own: the calls of one, however slow, leave the others theirs.
        self._max_waiting = settings.max_waiting
        self._journal, self._dead_letters, self._clocks = journal, dead_letters, clocks
        self._privacy, self._tracing = privacy, tracing
        # Found once: finding a label takes longer than counting.
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
        """Whether Kafka accepts what callbacks bring."""
        return self._journal.ready

    def snapshot(self) -> Mapping[tuple[str, ...], int]:
        """How many callbacks this process has answered, by provider and outcome."""
        return dict(self._counts)

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
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
        account = self._account(provider, secret)
        refusal = self._refusal(account, request)
        if refusal or account is None:
            return refusal or _NOT_FOUND
        self._waiting[provider] += 1
        try:
            body = await request.body() if request.method == "POST" else b""
            return await self._take(account, request, body)
        except BodyTooLargeError:
            return _rejected(413, b"too large")
        except BodyTimeoutError:
            return _rejected(408, b"too slow")
        finally:
            self._waiting[provider] -= 1

    def _refusal(self, account: ProviderAccount | None, request: Request) -> CallbackResult | None:
        """What can be said before the body is read, or None."""
        if account is None:
            return _NOT_FOUND
        methods = account.dialect.methods
        if request.method not in methods:
            return _rejected(405, b"method not allowed", {"allow": ", ".join(sorted(methods))})
        if not self._allowed(account, request):
            return _rejected(403, b"forbidden")
        return _UNAVAILABLE if self._waiting[account.provider] >= self._max_waiting else None

    def _account(self, provider: str, secret: bytes) -> ProviderAccount | None:
        """Whose secret it is. Compares with every one of them, so that time tells nothing."""
        found: ProviderAccount | None = None
        for candidate, account in self._secrets[provider]:
            if hmac.compare_digest(candidate, secret):
                found = account
        return found

    def _allowed(self, account: ProviderAccount, request: Request) -> bool:
        if not account.allowed_networks:
            return True
        lines = request.headers.get_all
        address = find_client_address(request.client, lines("x-forwarded-for"), lines("forwarded"), self._proxies)
        return address is not None and in_networks(address, account.allowed_networks)

    async def _take(self, account: ProviderAccount, request: Request, body: bytes) -> CallbackResult:
        dialect = account.dialect
        signature = request.headers.get(dialect.signature_header) if dialect.signature_header else None
        content_type = request.headers.get("content-type") or ""
        callback = Callback(request.method, request.query, content_type, signature, body)
        now = now_ms()
        try:
            report = dialect.read_callback(callback, now)
        except InvalidSignatureError:
            return _rejected(401, b"bad signature")
        except PoisonMessageError as poison:
            record = self._reject(account, callback, poison, now)
            return await self._store(account.provider, [record], CallbackOutcome.DEAD_LETTERED)
        if report is None:
            return CallbackResult(CallbackOutcome.IGNORED, _ACCEPTED)
        self._clocks.compare(account, report.provider_time, now)
        redacted = replace(report, raw=self._privacy.redact_raw(report.raw, dialect.recipient_members))
        result = await self._store(account.provider, [self._journal.to_record(redacted)], CallbackOutcome.JOURNALED)
        if result.outcome is CallbackOutcome.JOURNALED:
            self._tracing.trace_callback(redacted, now * 1_000_000)
        return result

    def _reject(self, account: ProviderAccount, callback: Callback, poison: PoisonMessageError, now: int) -> Record:
        log.warning(
            "callback goes to the dead letters", provider=account.provider, account=account.name, error=poison.error
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
        done, _ = await asyncio.wait((future,), timeout=self._ack_timeout)
        if not done:
            # Giving up on an answer doesn't take the record back: it waits until Kafka has it, and holds a place.
            self._waiting[provider] += 1
            future.add_done_callback(lambda _: self._waiting.subtract((provider,)))
            return _UNAVAILABLE
        try:
            future.result()
        except KafkaUnavailableError:
            return _UNAVAILABLE
        return CallbackResult(outcome, _ACCEPTED)


def _collect_secrets(accounts: Accounts) -> dict[str, list[tuple[bytes, ProviderAccount]]]:
    """Every secret with its account, by provider."""
    secrets: dict[str, list[tuple[bytes, ProviderAccount]]] = {}
    for account in accounts.values():
        for secret in account.secrets:
            secrets.setdefault(account.provider, []).append((secret.get_secret_value().encode(), account))
    return secrets
