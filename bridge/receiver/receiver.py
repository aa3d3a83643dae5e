"""Callbacks into the journal. 200 only when the journal has it. Knows routes and answers, and no HTTP server."""

import asyncio
import hmac
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import structlog

from bridge.accounts import Accounts, ProviderAccount
from bridge.core.entries import Report
from bridge.core.errors import InvalidSignatureError, KafkaUnavailableError, PoisonMessageError
from bridge.dead_letters import DeadLetters
from bridge.http_server import BodyTimeoutError, BodyTooLargeError, Request, Response
from bridge.journal.writer import JournalWriter
from bridge.kafka.records import Record
from bridge.observability.metrics import Metrics
from bridge.observability.tracing import Tracing
from bridge.privacy import Privacy
from bridge.providers.dialect import Callback
from bridge.receiver.client_address import find_client_address, in_networks
from bridge.receiver.clock_skew import ClockSkewDetector
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


class ProviderMetrics(NamedTuple):
    """One provider's metrics, found once: finding them takes longer than telling them something."""

    received: Mapping[CallbackOutcome, Any]
    duration: Any


class AccountClock(NamedTuple):
    """One account's clock, beside ours."""

    gauge: Any
    skew: ClockSkewDetector


class CallbackResult(NamedTuple):
    """An outcome and how it is told."""

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
    """Handles the requests of the public listener."""

    def __init__(
        self,
        accounts: Accounts,
        settings: HttpSettings,
        *,
        journal: JournalWriter,
        letters: DeadLetters,
        privacy: Privacy,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        self._secrets: dict[str, list[tuple[bytes, ProviderAccount]]] = {}
        for account in accounts.values():
            for secret in account.secrets:
                entry = (secret.get_secret_value().encode(), account)
                self._secrets.setdefault(account.provider, []).append(entry)
        self._proxies = settings.trusted_proxies
        self._ack_timeout = settings.ack_timeout / 1000
        # Each provider has as many places of its own: the calls of one, however slow, leave the others theirs.
        self._max_waiting = settings.max_waiting
        self._journal, self._letters = journal, letters
        self._privacy, self._tracing = privacy, tracing
        self._dead_letters, self._clock_skew = metrics.dead_letters_written, metrics.provider_clock_skew
        self._meters = {provider: _meters(provider, metrics) for provider in self._secrets}
        self._clocks: dict[tuple[str, str], AccountClock] = {}
        self._waiting: Counter[str] = Counter()
        self._in_flight = 0
        metrics.callbacks_in_flight.set_function(lambda: self._in_flight)

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
            answer = await self._answer(provider, secret.encode(), request)
        finally:
            self._in_flight -= 1
        meters = self._meters[provider]
        meters.received[answer.outcome].inc()
        meters.duration.observe(time.perf_counter() - started)
        return answer.response

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
        now = time.time_ns() // 1_000_000
        try:
            report = dialect.read_callback(callback, now)
        except InvalidSignatureError:
            return _rejected(401, b"bad signature")
        except PoisonMessageError as poison:
            return await self._store(
                account.provider, [self._letter(account, callback, poison, now)], CallbackOutcome.DEAD_LETTERED
            )
        if report is None:
            return CallbackResult(CallbackOutcome.IGNORED, _ACCEPTED)
        self._compare_clocks(account, report, now)
        kept = report._replace(raw=self._privacy.words(report.raw, dialect.recipient_members))
        answer = await self._store(account.provider, [self._journal.record(kept)], CallbackOutcome.JOURNALED)
        if answer.outcome is CallbackOutcome.JOURNALED:
            self._tracing.called(kept, now * 1_000_000)
        return answer

    def _compare_clocks(self, account: ProviderAccount, report: Report, now: int) -> None:
        if report.provider_time is None:
            return
        seconds, place = (report.provider_time - now) / 1000, (account.provider, account.name)
        if place not in self._clocks:
            self._clocks[place] = AccountClock(self._clock_skew.labels(account.provider), ClockSkewDetector())
        clock = self._clocks[place]
        clock.gauge.set(seconds)
        hours = clock.skew.observe(seconds)
        if hours is not None:
            log.warning(
                "the provider's times are whole hours off: set its time zone",
                provider=account.provider,
                account=account.name,
                hours=hours,
                setting=account.variable("TIMEZONE"),
            )

    def _letter(self, account: ProviderAccount, callback: Callback, poison: PoisonMessageError, now: int) -> Record:
        log.warning(
            "callback goes to the dead letters", provider=account.provider, account=account.name, error=poison.error
        )
        self._dead_letters.labels(poison.reason.value).inc()
        return self._letters.record(
            poison.reason,
            poison.error,
            key=None,
            value=callback.original,
            origin={
                "http_method": callback.method,
                "http_route": f"/dlr/{account.provider}/{{secret}}",
                "content_type": callback.content_type or None,
                "provider": account.provider,
                "account": account.name,
            },
            received_at=now,
        )

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


def _meters(provider: str, metrics: Metrics) -> ProviderMetrics:
    return ProviderMetrics(
        {outcome: metrics.callbacks_received.labels(provider, outcome.value) for outcome in CallbackOutcome},
        metrics.callback_duration.labels(provider),
    )
