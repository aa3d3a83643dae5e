"""One message's story for the page: read from the topics, as `sms-bridge trace` does, whoever owns its partition."""

from collections.abc import Awaitable, Callable
from typing import Any

from bridge.settings.model import Settings


def make_trace_lookup(settings: Settings) -> Callable[[str], Awaitable[Any]]:
    """What finds a story in the topics of these settings, as the JSON document that `trace --json` writes."""

    async def look(name: str) -> Any:
        # Loaded with the first search: it brings what a terminal needs.
        from bridge.history.document import make_document  # noqa: PLC0415
        from bridge.history.lookup import TraceQuery, find_traces  # noqa: PLC0415

        return make_document(await find_traces(settings, TraceQuery(name, recipient="", since=None, thorough=False)))

    return look
