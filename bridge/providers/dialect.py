"""The interface of a provider's dialect, and the plain values that it exchanges with the HTTP server and client."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from msgspec import Struct

from bridge.core.entries import Report
from bridge.core.errors import PoisonMessageError
from bridge.providers.member_paths import MemberPath
from bridge.providers.provider_times import ProviderTimes


class CallbackHeaders(Protocol):
    """The headers of a callback; names are lower-case."""

    def get(self, key: str, default: Any = None, /) -> Any:
        """Return the first value of a header."""
        ...


class Callback(Struct, frozen=True):
    """An HTTP request to an account's callback URL. Its credentials have been checked, its signature hasn't."""

    method: str
    query: str
    """As received, without the question mark."""
    content_type: str
    body: bytes
    """Inflated, if it was compressed."""
    headers: CallbackHeaders = {}
    path: str = ""
    """As received, with the secret in it."""

    @property
    def original(self) -> bytes:
        """The bytes that the provider sent: the body, or the query if there is none."""
        return self.body or self.query.encode("utf-8", "surrogateescape")


class UnreadableReport(NamedTuple):
    """A report that can't be read."""

    callback: Callback
    """A callback with this report alone."""
    error: PoisonMessageError


CallbackReading = Sequence[Report | UnreadableReport]
"""The reports of a callback, in order; none if it is authentic but not about an SMS's delivery."""


class PollRequest(NamedTuple):
    """An HTTP request to a provider's API."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None

    def __repr__(self) -> str:
        # Headers and body may have credentials.
        return f"PollRequest({self.method} {self.url})"


class PollAnswer(NamedTuple):
    """The HTTP response to a poll, with any status code."""

    status: int
    retry_after: str | None
    body: bytes


class MessagePage(NamedTuple):
    """A page of a provider's list of messages."""

    reports: Sequence[Report]
    next_token: str | None
    """The token that requests the next page; None on the last page."""


class Dialect(Protocol):
    """Reads the callbacks of an account at a provider. Every method is pure and may be called any number of times."""

    provider: str
    account: str
    known_paths: frozenset[MemberPath]
    """Where callbacks and answers have ids; whatever is elsewhere may be a phone number."""
    times: ProviderTimes

    def read_callback(self, callback: Callback, observed_at: int) -> CallbackReading:
        """Parse a callback into its reports.

        Args:
            callback: The request.
            observed_at: When it was received, in milliseconds since the epoch.

        Raises:
            InvalidSignatureError: The settings require a signature, and it is wrong or missing.
            UnsupportedMediaTypeError: It is in a form that isn't read.
            PoisonMessageError: It can't be parsed at all (`unreadable`).
        """
        ...


class Polled(Dialect, Protocol):
    """A dialect whose messages can also be polled, one at a time."""

    def build_poll_request(self, provider_message_id: str) -> PollRequest:
        """Build the request for a message's status."""
        ...

    def read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        """Parse an answer into a report; None if there is no report yet.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: The provider doesn't accept the credentials.
            RequestRejectedError: The answer is an error about this message, can't be parsed, or is about another one.
            PollFailedError: The answer is any other error.
        """
        ...


@runtime_checkable
class Paged(Polled, Protocol):
    """A dialect whose messages can also be listed, a page at a time."""

    def build_page_request(self, since: int, until: int, token: str | None) -> PollRequest:
        """Build the request for a page of the messages sent between two times, in milliseconds since the epoch."""
        ...

    def read_page(self, answer: PollAnswer, observed_at: int) -> MessagePage:
        """Parse a page into reports. It leaves out messages that can't be parsed; the caller polls those one by one.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: The provider doesn't accept the credentials.
            RequestRejectedError: The provider rejects the request, or the answer can't be parsed.
            PollFailedError: The answer is any other error.
        """
        ...
