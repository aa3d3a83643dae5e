"""One question to a provider, over HTTP: bounded in time and size, and whatever goes wrong is one kind of error."""

import asyncio
import time

import httpx

from bridge.core.entries import Report
from bridge.core.errors import LookupFailed
from bridge.providers.dialect import PollAnswer, Polled

LARGEST_ANSWER = 256 * 1024


async def look_up(
    client: httpx.AsyncClient, dialect: Polled, provider_message_id: str, timeout: float
) -> Report | None:
    """What a provider says of a message, within `timeout` seconds; None when it has no report yet.

    Raises:
        LookupFailed: It gave no usable answer.
        RateLimited: It wants to be asked less often.
        Refused: It doesn't accept the credentials.
    """
    question = dialect.poll_request(provider_message_id)
    try:
        async with (
            asyncio.timeout(timeout),
            client.stream(
                question.method, question.url, headers=question.headers, content=question.body, timeout=timeout
            ) as response,
        ):
            body = await _bounded(response)
    except Exception as error:  # noqa: BLE001
        # Whatever the HTTP libraries raise, it was no answer. The text of some of it holds the URL: left out.
        raise LookupFailed(type(error).__name__) from None
    answer = PollAnswer(response.status_code, response.headers.get("retry-after"), body)
    return dialect.read_answer(answer, provider_message_id, time.time_ns() // 1_000_000)


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise LookupFailed(f"an answer larger than {LARGEST_ANSWER} bytes")
    return bytes(body)
