"""The interface of a provider's dialect, and the plain values that it exchanges with the HTTP server and client."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from bridge.core.entries import Report
from bridge.providers.member_paths import MemberPath


class Callback(NamedTuple):
    """An HTTP request to an account's callback URL. Its secret has been checked."""

    method: str
    query: str
    """As received, without the question mark."""
    content_type: str
    signature: str | None
    """The value of the header `signature_header`; None if the dialect or the request has none."""
    body: bytes

    @property
    def original(self) -> bytes:
        """The bytes that the provider sent: the body, or the query of a GET."""
        return self.query.encode("utf-8", "surrogateescape") if self.method == "GET" else self.body


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
    methods: frozenset[str]
    """The HTTP methods of its callbacks."""
    signature_header: str | None
    """Lower-case name of the header with a callback's signature; None if callbacks aren't signed."""
    known_paths: frozenset[MemberPath]
    """Where callbacks and answers have ids; whatever is elsewhere may be a phone number."""

    def read_callback(self, callback: Callback, observed_at: int) -> Report | None:
        """Parse a callback into a report; None if it is authentic but not about an SMS's delivery.

        Args:
            callback: The request.
            observed_at: When it was received, in milliseconds since the epoch.

        Raises:
            InvalidSignatureError: The settings require a signature, and it is wrong or missing.
            PoisonMessageError: It can't be parsed (`unreadable`).
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
