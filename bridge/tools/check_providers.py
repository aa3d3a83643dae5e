"""What `check` says of the providers: each account that is polled asks once about a message that can't exist.

"No such message" proves that the credentials are accepted. Nothing else is asked, and nobody's message is touched.
"""

import time
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from uuid import uuid4

import httpx
from httpx_aiohttp import AiohttpTransport

from bridge.core.errors import LookupFailed, RateLimited, Refused
from bridge.providers.dialect import PollAnswer
from bridge.settings.accounts import DEFAULT, Accounts, Polls, ProviderAccount
from bridge.settings.model import PREFIX
from bridge.tools.findings import Finding, ok
from bridge.tools.output import lasting

SKEW = 5_000
"""Milliseconds by which a provider's clock and ours may differ before it is worth a word; `Date` has only seconds."""

CREDENTIALS: Mapping[str, str] = {"dexatel": "TOKEN", "speedocom": "API_KEY and {place}PARTNER_ID"}


async def look_at_providers(accounts: Accounts) -> AsyncIterator[Finding]:
    """A line for each account, and one for each provider's clock."""
    clocks: dict[str, Finding] = {}
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
    client: httpx.AsyncClient, account: ProviderAccount, polls: Polls, subject: str
) -> tuple[Finding, Finding | None]:
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
        return Finding(
            "providers", "wrong", subject, told, f"is {place}BASE_URL right, and may this machine reach it?"
        ), None
    answer = PollAnswer(response.status_code, response.headers.get("retry-after"), response.content)
    clock = _clock(account.provider, response.headers.get("date"), (began + time.time()) / 2)
    remedy = f"check {place}{CREDENTIALS[account.provider].format(place=place)}"
    try:
        polls.dialect.read_answer(answer, nobodys, round(began * 1000))
    except Refused as error:
        return Finding("providers", "wrong", subject, f"the credentials are refused: {error}", remedy), clock
    except RateLimited:
        return Finding("providers", "warning", subject, "rate limited: credentials not tried", "try again later"), clock
    except LookupFailed as error:
        return _unclear(response.status_code, subject, str(error), place), clock
    return ok("providers", subject, "the credentials are accepted"), clock


def _unclear(status: int, subject: str, error: str, place: str) -> Finding:
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Finding("providers", "warning", subject, f"the provider has trouble: {error}", "try again later")
    remedy = f"is {place}BASE_URL (and the path) the interface's?"
    return Finding("providers", "wrong", subject, f"no usable answer: {error}", remedy)


def _clock(provider: str, date: str | None, now: float) -> Finding | None:
    try:
        skew = 1000 * (parsedate_to_datetime(date or "").timestamp() - now)
    except ValueError:
        return None
    if abs(skew) > SKEW:
        which = "ahead of" if skew > 0 else "behind"
        told = f"{lasting(abs(skew))} {which} this machine"
        return Finding("clock", "warning", provider, told, "set the clocks by NTP; times out of bounds aren't believed")
    return ok("clock", provider, "agrees with this machine")
