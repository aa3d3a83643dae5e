"""Interprets the HTTP status and headers of an answer, in the same way for every provider.

The dialects parse the bodies, and the error codes in them.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from bridge.core.errors import AuthenticationFailedError, PollFailedError, RateLimitedError, RequestRejectedError
from bridge.providers.dialect import PollAnswer

_SECONDS = re.compile(r"\s*([0-9]{1,9})\s*")


def check_status(answer: PollAnswer, observed_at: int) -> None:
    """Accept an answer whose body may tell about the message: 2xx, and most of 4xx.

    Args:
        answer: The HTTP response.
        observed_at: When it was received, in milliseconds since the epoch.

    Raises:
        RateLimitedError: 429.
        AuthenticationFailedError: 401.
        RequestRejectedError: 403, which may be about the one message.
        PollFailedError: Any other status outside 2xx and 4xx.
    """
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimitedError(parse_retry_after(answer.retry_after, observed_at))
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise AuthenticationFailedError("HTTP 401")
    if answer.status == HTTPStatus.FORBIDDEN:
        raise RequestRejectedError("HTTP 403")
    if not is_success(answer) and not HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise PollFailedError(f"HTTP {answer.status}")


def is_success(answer: PollAnswer) -> bool:
    """Whether the status is 2xx."""
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def parse_retry_after(header: str | None, now: int) -> float | None:
    """Parse a `Retry-After` header (RFC 9110, 10.2.3), a number or a date, into seconds; None if it can't be parsed.

    Args:
        header: Its value.
        now: The time, in milliseconds since the epoch.
    """
    if seconds := _SECONDS.fullmatch(header or ""):
        return float(seconds[1])
    try:
        moment = parsedate_to_datetime(header or "")
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now / 1000)
    except (ValueError, OverflowError):
        return None
