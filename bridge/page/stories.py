"""One message's story for the page: read from the topics, as `sms-bridge trace` does, whoever owns its partition."""

from collections.abc import Awaitable, Callable
from typing import Any

from bridge.settings.model import Settings


def look_into(settings: Settings) -> Callable[[str], Awaitable[Any]]:
    """What finds a story in the topics of these settings, as the JSON document that `trace --json` writes."""

    async def look(name: str) -> Any:
        # Loaded with the first search: it brings what a terminal needs.
        from bridge.tools.timeline import document  # noqa: PLC0415
        from bridge.tools.trace import Question, find  # noqa: PLC0415

        return document(await find(settings, Question(name, recipient="", since=None, thorough=False)))

    return look
