"""Sends requests to providers over HTTP, limited in time and size. Every failure is raised as a `PollFailedError`."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Self
from urllib.request import getproxies_environment, proxy_bypass

import httpx
from httpx_aiohttp import AiohttpTransport

from bridge import __version__
from bridge.clock import now_ms
from bridge.core.entries import Report
from bridge.core.errors import BridgeError, PoisonMessageError, PollFailedError, RequestRejectedError, locate_error
from bridge.providers.dialect import PollAnswer, Polled, PollRequest
from bridge.tls.connection_errors import describe_connection_error

MAX_ANSWER_BYTES = 256 * 1024

CONNECT_TIMEOUT = 5.0
"""Seconds that a connection may take; a provider that is up answers a SYN at once, however slow its look-up."""

HEADERS = {"user-agent": f"sms-bridge/{__version__}", "accept-encoding": "identity"}
"""Answers are a few hundred bytes: unpacking them costs more than it saves, and hides how large they are."""

NO_LIMITS = httpx.Limits(max_connections=10_000)
"""Practically none: the account pollers limit the requests under way."""


class ProviderClient:
    """Sends requests to providers: connections are reused, TLS is verified, proxies come from the environment.

    Requests go straight to httpx's transport: by way of its client, which follows redirects, keeps cookies and reads
    the environment for every one, they cost twice as much. Use it as a context.
    """

    def __init__(self) -> None:
        self._proxies = getproxies_environment()
        self._stack = AsyncExitStack()
        self._by_proxy: dict[str, AiohttpTransport] = {}
        """By the URL of the proxy; empty: no proxy."""
        self._by_host: dict[tuple[str, str, int | None], AiohttpTransport] = {}
        """By scheme, host and port."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def look_up(self, dialect: Polled, provider_message_id: str, timeout: float) -> Report | None:
        """Look up a message, within `timeout` seconds; None when the provider has no report yet.

        Raises:
            RequestRejectedError: It answered, but not with a report of this message.
            PollFailedError: It gave no usable answer.
            RateLimitedError: It wants to be asked less often.
            AuthenticationFailedError: It doesn't accept the credentials.
        """
        with reject_on_error():
            request = dialect.build_poll_request(provider_message_id)
        answer = await self.send(request, timeout)
        with reject_on_error():
            return dialect.read_answer(answer, provider_message_id, now_ms())

    async def send(self, request: PollRequest, timeout: float) -> PollAnswer:
        """Send a request and read the answer, within `timeout` seconds, whatever its status.

        Raises:
            RequestRejectedError: The request can't be sent, or the answer is too large.
            PollFailedError: It gave no answer.
        """
        phases = {"connect": min(timeout, CONNECT_TIMEOUT), "read": timeout, "pool": timeout}
        with reject_on_error():
            message = httpx.Request(
                request.method,
                request.url,
                headers={**HEADERS, **request.headers},
                content=request.body,
                extensions={"timeout": phases},
            )
        try:
            async with asyncio.timeout(timeout):
                response = await (await self._transport(message.url)).handle_async_request(message)
                try:
                    return PollAnswer(
                        response.status_code, response.headers.get("retry-after"), await _read_body(response)
                    )
                finally:
                    await response.aclose()
        except PollFailedError:
            raise
        except Exception as error:  # noqa: BLE001
            # Whatever the HTTP libraries raise, it was no answer. The text of some of it holds the URL: left out.
            raise PollFailedError(describe_connection_error(error)) from None

    async def _transport(self, url: httpx.URL) -> AiohttpTransport:
        """Find or open the transport for a host, through a proxy if the environment names one."""
        host = url.scheme, url.host, url.port
        if host not in self._by_host:
            proxy = self._proxies.get(url.scheme, "")
            proxy = "" if proxy_bypass(url.netloc.decode("ascii")) else proxy
            if proxy not in self._by_proxy:
                transport = AiohttpTransport(limits=NO_LIMITS, proxy=httpx.Proxy(proxy) if proxy else None)
                self._by_proxy[proxy] = await self._stack.enter_async_context(transport)
            self._by_host[host] = self._by_proxy[proxy]
        return self._by_host[host]


@contextmanager
def reject_on_error() -> Iterator[None]:
    """Turn any error of pure code on a request or an answer into a `RequestRejectedError`: none may stop the poller."""
    try:
        yield
    except PoisonMessageError as poison:
        raise RequestRejectedError(poison.error) from poison
    except BridgeError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        raise RequestRejectedError(locate_error(error)) from None


async def _read_body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise RequestRejectedError(f"an answer larger than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)
