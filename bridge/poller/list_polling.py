"""Many due messages at a time: a provider's list, page by page, for as long as that takes fewer questions.

A page is worth its question only where many of its messages are due: after an outage, or where polls do all the work.
What no page shows is asked about one by one, so nothing depends on what a list leaves out.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

from bridge.core.entries import Report
from bridge.poller.client import ProviderClient
from bridge.poller.due_polls import DuePoll
from bridge.providers.dialect import Paged

WORTHWHILE = 20
"""Questions for which a list is tried."""

YIELD = 3
"""Of a page's messages, so many have to be asked about: each of them saves a question."""

REST = 60.0
"""Seconds until a list is tried again that wasn't worth it."""

MARGIN = 60_000
"""Milliseconds by which the sender's clock and the provider's may differ."""


async def list_reports(
    client: ProviderClient,
    dialect: Paged,
    questions: Collection[DuePoll],
    *,
    timeout: float,
    turn: Callable[[], Awaitable[None]],
) -> AsyncIterator[Sequence[Report]]:
    """What a provider's list says of the time in which these were sent: a page's reports at a time.

    Args:
        client: Asks.
        dialect: Knows the list.
        questions: What has to be found. Ends early when all are, or when too few are.
        timeout: Seconds for a page.
        turn: Waits until the account's rate allows another question.

    Raises:
        PollFailedError: It gave no usable page.
        RateLimitedError: It wants to be asked less often.
        AuthenticationFailedError: It doesn't accept the credentials.
    """
    missing = {question.key.split(":", 2)[2] for question in questions}
    sent = [question.sent_at for question in questions]
    token: str | None = None
    while missing:
        await turn()
        answer = await client.ask(dialect.page_request(min(sent) - MARGIN, max(sent) + MARGIN, token), timeout)
        page = dialect.read_page(answer, time.time_ns() // 1_000_000)
        found = missing.intersection(report.provider_message_id for report in page.reports)
        missing -= found
        yield page.reports
        if page.next_token is None or page.next_token == token or len(found) < YIELD:
            return
        token = page.next_token
