"""What happened to a message, for the status page: read from the topics, whichever process owns its partition."""

from collections.abc import Awaitable, Callable
from typing import Any

from bridge.history.document import make_document
from bridge.history.lookup import TraceQuery, find_traces
from bridge.settings.model import Settings


def make_trace_lookup(settings: Settings) -> Callable[[str], Awaitable[Any]]:
    """Make what looks a message up in the topics of these settings, as the document that `trace --json` writes."""

    async def look_up(name: str) -> Any:
        return make_document(await find_traces(settings, TraceQuery(name, recipient="", since=None, thorough=False)))

    return look_up
