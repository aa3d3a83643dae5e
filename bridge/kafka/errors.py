"""Errors of Kafka and its client library as people read them: in one line, with the remedy where there is one."""

import re
from collections.abc import Mapping

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

_NOISE = re.compile(r"^\[Error \d+\] |, <AddressFamily[^>]*>")
"""Parts of the client library's error texts that help nobody."""

_LACKING: Mapping[type[Exception], str] = {
    TopicAuthorizationFailedError: "Read, Write or Describe on the topic",
    GroupAuthorizationFailedError: "Read on the consumer group",
    TransactionalIdAuthorizationFailed: "Write and Describe on the transactional ids",
    ClusterAuthorizationFailedError: "a right on the cluster, such as IdempotentWrite",
}
"""What a user may not do, by the broker's error."""


def format_error(error: BaseException) -> str:
    """Format an error in one line that begins with its type; Kafka's own errors already do."""
    text = _NOISE.sub("", str(error))
    text = text if text.startswith(type(error).__name__) else f"{type(error).__name__}: {text}"
    for kind, right in _LACKING.items():
        if isinstance(error, kind):
            return f"{text}; this user lacks {right}: `sms-bridge check` says which one, docs/operating.md lists all"
    return text
