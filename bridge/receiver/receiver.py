"""Writes callbacks to the journal, and answers 200 once the journal has them. It knows routes, but no HTTP server."""

import re
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from urllib.parse import unquote

from msgspec import Struct

from bridge.accounts import Accounts, CallbackAccess, ProviderAccount
from bridge.clock import now_ms
from bridge.concurrency import Deadline
from bridge.core.delivery import FastStrEnum
from bridge.core.errors import InvalidSignatureError, KafkaUnavailableError, UnsupportedMediaTypeError
from bridge.http_server.messages import BodyIncompleteError, BodyTimeoutError, BodyTooLargeError, Request, Response
from bridge.journal.writer import JournalWriter
from bridge.observability.metrics import ReceiverMetrics
from bridge.observability.tracing import Tracing
from bridge.providers.dialect import Callback
from bridge.receiver.authenticator import Authenticator
from bridge.receiver.callback_records import CallbackRecorder, CallbackRecords
from bridge.receiver.compression import inflate
from bridge.settings.listeners import HttpSettings

RETRY_AFTER_SECONDS = 5
"""How long a provider should wait before it tries again."""


class CallbackOutcome(FastStrEnum):
    """What became of a callback; a label of the metrics."""

    JOURNALED = "journaled"
    DEAD_LETTERED = "dead_lettered"
    IGNORED = "ignored"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"


class CallbackResult(Struct, frozen=True):
    """What became of a callback, and the response to it."""

    outcome: CallbackOutcome
    response: Response


_UNAVAILABLE = CallbackResult(
    CallbackOutcome.UNAVAILABLE, Response(503, b"try again later", {"retry-after": str(RETRY_AFTER_SECONDS)})
)


def _make_rejection(status: int, text: bytes, headers: Mapping[str, str] = {}) -> CallbackResult:
    return CallbackResult(CallbackOutcome.REJECTED, Response(status, text, headers))


_NOT_FOUND = _make_rejection(404, b"not found")
_UNAUTHENTICATED = _make_rejection(401, b"bad credentials", {"www-authenticate": 'Basic realm="sms-bridge"'})
_HEALTHY, _UNHEALTHY = Response(200, b"OK"), Response(503, b"not ready")

_ROUTE = re.compile(r"//?dlr/([^/]+)(?:/([^/]+))?/?")
"""Provider and secret. Consoles and proxies double the first slash or add one at the end; a redirect would lose the
body."""

_REJECTIONS: Mapping[type[Exception], int] = {
    BodyIncompleteError: 400,
    InvalidSignatureError: 401,
    BodyTimeoutError: 408,
    BodyTooLargeError: 413,
    UnsupportedMediaTypeError: 415,
}
"""The answers to errors of requests; their texts are for the sender."""

BODILESS = frozenset({204, 205})
"""Statuses of answers that have no body (RFC 9110, 15.3)."""

PROBES = frozenset({"HEAD", "OPTIONS"})
"""Methods that consoles and balancers try a URL with."""


class Receiver:
    """Handles the requests of the public listener.

    Args:
        accounts: The accounts whose callbacks are accepted.
        settings: The limits.
        journal: Takes reports and dead letters.
        recorder: Makes the records of callbacks.
        metrics: Counts callbacks.
        tracing: Traces reports.
    """

    def __init__(
        self,
        accounts: Accounts,
        settings: HttpSettings,
        *,
        journal: JournalWriter,
        recorder: CallbackRecorder,
        metrics: ReceiverMetrics,
        tracing: Tracing,
    ) -> None:
        self._authenticator = Authenticator(accounts, settings.trusted_proxies)
        providers = frozenset(self._authenticator.providers)
        self._health_path = settings.health_path
        self._deadline = Deadline(settings.ack_timeout / 1000)
        # The limit is for each provider, so that slow callbacks of one leave room for the others.
        self._max_waiting = settings.max_waiting
        self._journal, self._recorder, self._tracing = journal, recorder, tracing
        # Looked up once, because looking up a label takes longer than counting.
        self._received = {
            (provider, outcome): metrics.callbacks_received.labels(provider, outcome.value)
            for provider in providers
            for outcome in CallbackOutcome
        }
        self._durations = {provider: metrics.callback_duration.labels(provider) for provider in providers}
        self._counts: Counter[tuple[str, CallbackOutcome]] = Counter()
        self._waiting: Counter[str] = Counter()
        self._end_waiting = {provider: partial(self._count_settled, provider) for provider in providers}
        self._in_flight = 0
        metrics.callbacks_in_flight.set_function(lambda: self._in_flight)

    @property
    def ready(self) -> bool:
        """Whether Kafka accepts callbacks."""
        return self._journal.ready

    def snapshot(self) -> Mapping[tuple[str, ...], int]:
        """Count the callbacks that this process has answered, by provider and outcome."""
        return {(provider, str(outcome)): number for (provider, outcome), number in self._counts.items()}

    def count_refused(self) -> int:
        """Count the callbacks that weren't accepted because Kafka was away, or too many waited for it."""
        return sum(count for (_, outcome), count in self._counts.items() if outcome == CallbackOutcome.UNAVAILABLE)

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        started = time.perf_counter()
        provider, secret = _parse_route(request.path)
        if not self._authenticator.knows_route(provider, secret):
            return self._answer_other(request)
        self._in_flight += 1
        try:
            result = await self._answer(provider, secret, request)
        finally:
            self._in_flight -= 1
        self._counts[provider, result.outcome] += 1
        self._received[provider, result.outcome].inc()
        self._durations[provider].observe(time.perf_counter() - started)
        return result.response

    def _answer_other(self, request: Request) -> Response:
        """Answer what isn't a callback: a balancer's check."""
        if self._health_path and request.path == self._health_path and request.method in {"GET", "HEAD"}:
            return _HEALTHY if self.ready else _UNHEALTHY
        return _NOT_FOUND.response

    async def _answer(self, provider: str, secret: str | None, request: Request) -> CallbackResult:
        account = self._authenticator.find_account(provider, secret, request.headers)
        access = account and account.access
        if account is None or access is None:
            return _UNAUTHENTICATED if secret is None else _NOT_FOUND
        if rejection := self._check_request(account, access, request):
            return rejection
        accepted = _make_answer(access)
        if _is_probe(request):
            return CallbackResult(CallbackOutcome.IGNORED, accepted)
        try:
            return await self._accept(account, request, accepted)
        except tuple(_REJECTIONS) as error:
            return _make_rejection(_REJECTIONS[type(error)], str(error).encode())

    def _check_request(
        self, account: ProviderAccount, access: CallbackAccess, request: Request
    ) -> CallbackResult | None:
        """Reject a request by what is known before its body is read; None to accept it."""
        if request.method not in access.methods and not _is_probe(request):
            return _make_rejection(405, b"method not allowed", {"allow": ", ".join(sorted(access.methods))})
        if not self._authenticator.is_allowed(access, request):
            return _make_rejection(403, b"forbidden")
        return None if self._authenticator.has_credentials(account, request.headers) else _UNAUTHENTICATED

    async def _accept(self, account: ProviderAccount, request: Request, accepted: Response) -> CallbackResult:
        header = request.headers.get
        body = b"" if request.method == "GET" else inflate(await request.body(), header("content-encoding") or "")
        if not body and not request.query:
            return CallbackResult(CallbackOutcome.IGNORED, accepted)
        if self._waiting[account.provider] >= self._max_waiting:
            return _UNAVAILABLE
        content_type = header("content-type") or ""
        callback = Callback(request.method, request.query, content_type, body, request.headers, request.path)
        now = now_ms()
        recorded = self._recorder.record(account, callback, now)
        if not recorded.records:
            return CallbackResult(CallbackOutcome.IGNORED, accepted)
        if not await self._store(account.provider, recorded):
            return _UNAVAILABLE
        for report in recorded.reports:
            self._tracing.trace_callback(report, now * 1_000_000)
        outcome = CallbackOutcome.JOURNALED if recorded.reports else CallbackOutcome.DEAD_LETTERED
        return CallbackResult(outcome, accepted)

    async def _store(self, provider: str, recorded: CallbackRecords) -> bool:
        """Write a callback to the journal; return whether Kafka has all of it."""
        # A record that still waits for Kafka after its callback was answered counts as waiting until then.
        self._waiting[provider] += 1
        try:
            await self._deadline.wait(self._journal.append(recorded.records, self._end_waiting[provider]))
        except (KafkaUnavailableError, TimeoutError):
            return False
        return True

    def _count_settled(self, provider: str) -> None:
        self._waiting[provider] -= 1


def _parse_route(path: str) -> tuple[str, str | None]:
    """Parse a callback's path into provider and secret; an empty provider if it is no callback's."""
    route = _ROUTE.fullmatch(path)
    if route is None:
        return "", None
    provider, secret = route.groups()
    return unquote(provider), secret and unquote(secret)


def _is_probe(request: Request) -> bool:
    """Whether somebody tries the URL, without content."""
    return request.method in PROBES or (request.method == "GET" and not request.query)


def _make_answer(access: CallbackAccess) -> Response:
    answer = access.answer
    if answer.status in BODILESS:
        return Response(answer.status)
    return Response(answer.status, answer.body.encode(), {"content-type": answer.content_type})
