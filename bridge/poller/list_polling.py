"""Polls many due messages at a time, from a provider's list, page by page.

A page saves requests only if many of its messages are due: after an outage, or without callbacks. Messages that no page
contains are polled one by one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

from bridge.clock import now_ms
from bridge.core.entries import Report
from bridge.poller.client import ProviderClient, reject_on_error
from bridge.poller.due_polls import DuePoll
from bridge.providers.dialect import Paged

MIN_LIST_YIELD = 3
"""Due messages that a page must contain for the next page to be requested: each of them saves a poll."""

REST_SECONDS = 60.0
"""Until the list is tried again after it saved too few polls."""

CLOCK_MARGIN_MS = 60_000
"""Assumed largest difference between the sender's and the provider's clock."""


async def list_reports(
    client: ProviderClient,
    dialect: Paged,
    polls: Collection[DuePoll],
    timeout: float,
    await_slot: Callable[[], Awaitable[None]],
) -> AsyncIterator[Sequence[Report]]:
    """Yield the reports of a provider's list for the time in which these messages were sent, page by page.

    Args:
        client: Sends the requests.
        dialect: The format of the list.
        polls: The messages to find. Iteration ends when all are found, or when a page contains too few.
        timeout: Seconds for a page.
        await_slot: Waits until the account's rate allows another request.

    Raises:
        RequestRejectedError: It answered, but not with a usable page.
        PollFailedError: It gave no answer.
        RateLimitedError: It wants to be asked less often.
        AuthenticationFailedError: It doesn't accept the credentials.
    """
    missing = {poll.compared_id for poll in polls}
    sent = [poll.sent_at for poll in polls]
    token: str | None = None
    while missing:
        await await_slot()
        request = dialect.build_page_request(min(sent) - CLOCK_MARGIN_MS, max(sent) + CLOCK_MARGIN_MS, token)
        answer = await client.send(request, timeout)
        with reject_on_error():
            page = dialect.read_page(answer, now_ms())
        found = missing.intersection(report.provider_message_id for report in page.reports)
        missing -= found
        yield page.reports
        if page.next_token is None or page.next_token == token or len(found) < MIN_LIST_YIELD:
            return
        token = page.next_token
