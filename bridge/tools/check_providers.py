"""What `check` says of the providers: each account that is polled asks once about a message that can't exist.

"No such message" proves that the credentials are accepted. Nothing else is asked, and nobody's message is touched.
"""

import time
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from uuid import uuid4

import httpx
from httpx_aiohttp import AiohttpTransport

from bridge.accounts import DEFAULT, Accounts, PollSettings, ProviderAccount
from bridge.core.errors import AuthenticationFailedError, PollFailedError, RateLimitedError
from bridge.providers.dialect import PollAnswer
from bridge.settings.model import PREFIX
from bridge.text import format_duration
from bridge.tools.check_finding import CheckFinding, ok

SKEW = 5_000
"""Milliseconds by which a provider's clock and ours may differ before it is worth a word; `Date` has only seconds."""

CREDENTIALS: Mapping[str, str] = {"dexatel": "TOKEN", "speedocom": "API_KEY and {place}PARTNER_ID"}


async def check_providers(accounts: Accounts) -> AsyncIterator[CheckFinding]:
    """A line for each account, and one for each provider's clock."""
    clocks: dict[str, CheckFinding] = {}
    async with httpx.AsyncClient(transport=AiohttpTransport(retries=0), follow_redirects=False) as client:
        for account in accounts.values():
            subject = account.full_name
            if account.polls is None:
                yield ok("providers", subject, "callbacks only, nothing to ask")
                continue
            finding, clock = await _ask(client, account, account.polls, subject)
            yield finding
            if clock:
                clocks.setdefault(account.provider, clock)
    for clock in clocks.values():
        yield clock


async def _ask(
    client: httpx.AsyncClient, account: ProviderAccount, polls: PollSettings, subject: str
) -> tuple[CheckFinding, CheckFinding | None]:
    nobodys = str(uuid4())
    question = polls.dialect.poll_request(nobodys)
    place = f"{PREFIX}{account.provider.upper()}__"
    place += "" if account.name == DEFAULT else f"ACCOUNTS__{account.name.upper()}__"
    began = time.time()
    try:
        response = await client.request(
            question.method,
            question.url,
            headers=dict(question.headers),
            content=question.body,
            timeout=polls.timeout / 1000,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # An error's text may hold the URL; a URL holds no secret, but its kind says enough.
        told = f"no answer: {type(error).__name__}"
        return CheckFinding(
            "providers", "wrong", subject, told, f"is {place}BASE_URL right, and may this machine reach it?"
        ), None
    answer = PollAnswer(response.status_code, response.headers.get("retry-after"), response.content)
    clock = _clock(account.provider, response.headers.get("date"), (began + time.time()) / 2)
    remedy = f"check {place}{CREDENTIALS[account.provider].format(place=place)}"
    try:
        polls.dialect.read_answer(answer, nobodys, round(began * 1000))
    except AuthenticationFailedError as error:
        return CheckFinding("providers", "wrong", subject, f"the credentials are refused: {error}", remedy), clock
    except RateLimitedError:
        return CheckFinding(
            "providers", "warning", subject, "rate limited: credentials not tried", "try again later"
        ), clock
    except PollFailedError as error:
        return _unclear(response.status_code, subject, str(error), place), clock
    return ok("providers", subject, "the credentials are accepted"), clock


def _unclear(status: int, subject: str, error: str, place: str) -> CheckFinding:
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return CheckFinding("providers", "warning", subject, f"the provider has trouble: {error}", "try again later")
    remedy = f"is {place}BASE_URL (and the path) the interface's?"
    return CheckFinding("providers", "wrong", subject, f"no usable answer: {error}", remedy)


def _clock(provider: str, date: str | None, now: float) -> CheckFinding | None:
    try:
        skew = 1000 * (parsedate_to_datetime(date or "").timestamp() - now)
    except ValueError:
        return None
    if abs(skew) > SKEW:
        which = "ahead of" if skew > 0 else "behind"
        told = f"{format_duration(abs(skew))} {which} this machine"
        return CheckFinding(
            "clock", "warning", provider, told, "set the clocks by NTP; times out of bounds aren't believed"
        )
    return ok("clock", provider, "agrees with this machine")
