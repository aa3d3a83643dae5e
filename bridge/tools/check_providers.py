"""`check` of the providers: each account that is polled is asked once about a message that can't exist.

"No such message" proves that the credentials are accepted. Nothing else is asked, and nobody's message is touched.
"""

import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from uuid import uuid4

import httpx
from httpx_aiohttp import AiohttpTransport

from bridge.accounts import Accounts, PollSettings, ProviderAccount
from bridge.core.errors import (
    AuthenticationFailedError,
    BridgeError,
    PollFailedError,
    RateLimitedError,
    RequestRejectedError,
)
from bridge.providers.dialect import PollAnswer
from bridge.text import format_duration
from bridge.tools.check_finding import CheckFinding, ok

MAX_SKEW_MS = 5_000
"""By which a provider's clock and ours may differ before `check` reports it; `Date` has only seconds."""


async def check_providers(accounts: Accounts) -> AsyncIterator[CheckFinding]:
    """Check every account, a line each, and every provider's clock."""
    clocks: dict[str, CheckFinding] = {}
    async with httpx.AsyncClient(transport=AiohttpTransport(retries=0), follow_redirects=False) as client:
        for account in accounts.values():
            subject = account.full_name
            if account.polls is None:
                yield ok("providers", subject, "callbacks only, not polled")
                continue
            finding, clock = await _check_account(client, account, account.polls, subject)
            yield finding
            if clock:
                clocks.setdefault(account.provider, clock)
    for clock in clocks.values():
        yield clock


async def _check_account(
    client: httpx.AsyncClient, account: ProviderAccount, polls: PollSettings, subject: str
) -> tuple[CheckFinding, CheckFinding | None]:
    unknown_id = str(uuid4())
    question = polls.dialect.build_poll_request(unknown_id)
    began = time.time()
    try:
        response = await client.request(
            question.method,
            question.url,
            headers=dict(question.headers),
            content=question.body,
            timeout=polls.timeout_ms / 1000,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The error's text may hold the URL, which holds no secret; its type says enough.
        text = f"no answer: {type(error).__name__}"
        return CheckFinding(
            "providers", "wrong", subject, text, f"is {polls.url_variable} right, and may this machine reach it?"
        ), None
    answer = PollAnswer(response.status_code, response.headers.get("retry-after"), response.content)
    clock = _check_clock(account.provider, response.headers.get("date"), (began + time.time()) / 2)
    remedy = f"check {' and '.join(polls.credentials)}"
    try:
        polls.dialect.read_answer(answer, unknown_id, round(began * 1000))
    except (AuthenticationFailedError, PollFailedError, RateLimitedError) as error:
        if not _proves_credentials(error):
            return _report_error(error, response.status_code, subject, polls.url_variable, remedy), clock
    return ok("providers", subject, "the credentials are accepted"), clock


def _proves_credentials(error: BridgeError) -> bool:
    """Whether the provider says that there is no message of this id, as there isn't."""
    return isinstance(error, RequestRejectedError) and error.permanent


def _report_error(error: BridgeError, status: int, subject: str, url_variable: str, credentials: str) -> CheckFinding:
    if isinstance(error, RateLimitedError):
        return CheckFinding("providers", "warning", subject, "rate limited: credentials not tried", "try again later")
    if isinstance(error, AuthenticationFailedError) or status == httpx.codes.FORBIDDEN:
        return CheckFinding("providers", "wrong", subject, f"the credentials are refused: {error}", credentials)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return CheckFinding("providers", "warning", subject, f"the provider has a fault: {error}", "try again later")
    remedy = f"is {url_variable} (and the path) that of the API?"
    return CheckFinding("providers", "wrong", subject, f"no usable answer: {error}", remedy)


def _check_clock(provider: str, date: str | None, now: float) -> CheckFinding | None:
    try:
        skew = 1000 * (parsedate_to_datetime(date or "").timestamp() - now)
    except ValueError:
        return None
    if abs(skew) > MAX_SKEW_MS:
        which = "ahead of" if skew > 0 else "behind"
        text = f"{format_duration(abs(skew))} {which} this machine"
        return CheckFinding(
            "clock", "warning", provider, text, "set the clocks by NTP; times out of bounds aren't believed"
        )
    return ok("clock", provider, "agrees with this machine")
