"""What the HTTP status of an answer says before anybody reads its body: the same for every provider.

Status codes and headers live here; bodies and the codes inside them are read by the dialects.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from bridge.core.errors import AuthenticationFailedError, PollFailedError, RateLimitedError
from bridge.providers.dialect import PollAnswer

_SECONDS = re.compile(r"\s*([0-9]{1,9})\s*")


def check_status(answer: PollAnswer, observed_at: int) -> None:
    """Let an answer pass whose body is worth reading: 2xx, and 4xx for what it may say about the message.

    Args:
        answer: What came back.
        observed_at: When it came, in milliseconds since the epoch.

    Raises:
        RateLimitedError: 429.
        AuthenticationFailedError: 401 or 403.
        PollFailedError: Any other status outside 2xx and 4xx.
    """
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimitedError(parse_retry_after(answer.retry_after, observed_at))
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise AuthenticationFailedError(f"HTTP {answer.status}")
    if not is_success(answer) and not HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise PollFailedError(f"HTTP {answer.status}")


def is_success(answer: PollAnswer) -> bool:
    """Whether the status is 2xx."""
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def parse_retry_after(header: str | None, now: int) -> float | None:
    """The seconds that a `Retry-After` header (RFC 9110, 10.2.3) asks for, as a number or as a date.

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
