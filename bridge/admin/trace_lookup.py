"""What happened to a message, for the status page: read from the topics, whichever process owns its partition."""

from collections.abc import Awaitable, Callable
from typing import Any

from bridge.history.document import make_document
from bridge.history.lookup import TraceQuery, find_traces
from bridge.history.recipient_forms import is_phone_number
from bridge.settings.model import Settings


def make_trace_lookup(settings: Settings) -> Callable[[str], Awaitable[Any]]:
    """Make what looks up a message or a recipient in the topics of these settings, as `trace --json` does."""

    async def look_up(name: str) -> Any:
        found = await find_traces(settings, TraceQuery(name, recipient="", since=None, thorough=False))
        # What looks like a phone number may be an id as well, so ids come first.
        nothing = not (found.traces or found.letters)
        if nothing and is_phone_number(name) and settings.privacy.recipient != "drop":
            found = await find_traces(settings, TraceQuery("", recipient=name, since=None, thorough=False))
        return make_document(found)

    return look_up
