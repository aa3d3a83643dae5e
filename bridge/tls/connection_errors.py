"""Why a connection failed, in words: HTTP libraries wrap the cause, and their own texts may have a secret in a URL."""

import socket
import ssl
from collections.abc import Iterator, Sequence

REASONS: Sequence[tuple[tuple[type[BaseException], ...], str]] = (
    ((socket.gaierror, UnicodeError), "the name isn't found"),
    ((ConnectionRefusedError,), "the connection is refused"),
    ((ssl.SSLCertVerificationError,), "its certificate isn't trusted: {reason}"),
    ((ssl.SSLError,), "TLS failed: {reason}"),
    ((TimeoutError,), "no answer in time"),
    ((ConnectionError,), "the connection was closed by the other side"),
)
"""What is told about an error, by its type; the first that fits."""


def describe_connection_error(error: BaseException) -> str:
    """Describe an error by its cause; one that is none of these, by the type of what caused it first."""
    causes = tuple(list_causes(error))
    for kinds, text in REASONS:
        for cause in causes:
            if isinstance(cause, kinds):
                reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
                return text.format(reason=reason or type(cause).__name__)
    return type(causes[-1]).__name__


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
