"""What every provider's dialect can do. Here live the values that cross the edge; how they travel is not known here."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from bridge.core.entries import Report


class Callback(NamedTuple):
    """An HTTP request to one account's callback URL, its secret already checked."""

    method: str
    query: str
    """Raw, without the question mark."""
    content_type: str
    signature: str | None
    """The value of the dialect's `signature_header`, where it has one and the request carried it."""
    body: bytes

    @property
    def original(self) -> bytes:
        """What the provider said, byte for byte: the body, or a GET's query."""
        return self.query.encode("utf-8", "surrogateescape") if self.method == "GET" else self.body


class PollRequest(NamedTuple):
    """One question to a provider's API."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None

    def __repr__(self) -> str:
        # Headers and body hold credentials.
        return f"PollRequest({self.method} {self.url})"


class PollAnswer(NamedTuple):
    """What came back, whatever the status code."""

    status: int
    retry_after: str | None
    body: bytes


class MessagePage(NamedTuple):
    """A part of a provider's list of messages."""

    reports: Sequence[Report]
    next_token: str | None
    """What asks for the next page; None: it is the last one."""


class Dialect(Protocol):
    """How one account at one provider calls back. Pure: every method may be called any number of times."""

    provider: str
    account: str
    methods: frozenset[str]
    """By which HTTP methods it calls."""
    signature_header: str | None
    """Lower-case name of the header that carries a callback's signature, or None."""
    recipient_members: frozenset[str]
    """Members of callbacks and answers that hold a phone number, lower-case."""

    def read_callback(self, callback: Callback, observed_at: int) -> Report | None:
        """What a callback says, or None when it is authentic but about something else (count it as ignored).

        Args:
            callback: The request.
            observed_at: When it came, in milliseconds since the epoch.

        Raises:
            InvalidSignatureError: It isn't signed as the settings demand.
            PoisonMessageError: It can't be read (`unreadable`).
        """
        ...


class Polled(Dialect, Protocol):
    """An account that can be asked, too."""

    def poll_request(self, provider_message_id: str) -> PollRequest:
        """How to ask for one message's status."""
        ...

    def read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        """What an answer says, or None when there is no report yet.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: The credentials aren't accepted.
            PollFailedError: Anything else that is no answer about this message.
        """
        ...


@runtime_checkable
class Paged(Polled, Protocol):
    """An account whose messages can be listed, too."""

    def page_request(self, since: int, until: int, token: str | None) -> PollRequest:
        """How to ask for a page of the messages that were sent between two times, in milliseconds since the epoch."""
        ...

    def read_page(self, answer: PollAnswer, observed_at: int) -> MessagePage:
        """What a page says. A message that can't be read is left out: whoever needs it asks about it alone.

        Raises:
            RateLimitedError: 429.
            AuthenticationFailedError: The credentials aren't accepted.
            PollFailedError: Anything else that is no page.
        """
        ...
