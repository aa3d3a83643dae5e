"""Many due messages at a time: a provider's list, page by page, for as long as that takes fewer requests.

A page is worth its request only where many of its messages are due: after an outage, or where polls do all the work.
What no page shows is polled one by one, so nothing depends on what a list leaves out.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

from bridge.clock import now_ms
from bridge.core.entries import Report
from bridge.poller.client import ProviderClient
from bridge.poller.due_polls import DuePoll
from bridge.providers.dialect import Paged

MIN_LIST_YIELD = 3
"""Messages of a page that must be due: each of them saves a poll."""

REST_SECONDS = 60.0
"""Until a list is tried again that wasn't worth it."""

CLOCK_MARGIN_MS = 60_000
"""By which the sender's clock and the provider's may differ."""


async def list_reports(
    client: ProviderClient,
    dialect: Paged,
    polls: Collection[DuePoll],
    timeout: float,
    await_slot: Callable[[], Awaitable[None]],
) -> AsyncIterator[Sequence[Report]]:
    """Yield what a provider's list says of the time in which these messages were sent, a page's reports at a time.

    Args:
        client: Asks.
        dialect: Knows the list.
        polls: What has to be found. Ends early when all are, or when too few are.
        timeout: Seconds for a page.
        await_slot: Waits until the account's rate allows another request.

    Raises:
        PollFailedError: It gave no usable page.
        RateLimitedError: It wants to be asked less often.
        AuthenticationFailedError: It doesn't accept the credentials.
    """
    missing = {poll.provider_message_id for poll in polls}
    sent = [poll.sent_at for poll in polls]
    token: str | None = None
    while missing:
        await await_slot()
        request = dialect.build_page_request(min(sent) - CLOCK_MARGIN_MS, max(sent) + CLOCK_MARGIN_MS, token)
        page = dialect.read_page(await client.send(request, timeout), now_ms())
        found = missing.intersection(report.provider_message_id for report in page.reports)
        missing -= found
        yield page.reports
        if page.next_token is None or page.next_token == token or len(found) < MIN_LIST_YIELD:
            return
        token = page.next_token
