"""Makes the routes of the status page that read topics, which cover all processes: messages and dead letters."""

from collections.abc import Awaitable, Callable, Mapping

from bridge.admin.dead_letter_api import DeadLetterApi, make_letter_readers
from bridge.admin.search_api import SearchApi, make_readers
from bridge.admin.topic_reads import TopicReads
from bridge.http_server.messages import Request, Response
from bridge.privacy import Privacy
from bridge.settings.model import Settings


def make_topic_routes(settings: Settings, privacy: Privacy) -> Mapping[str, Callable[[Request], Awaitable[Response]]]:
    """Make the routes; of all their readings one runs at a time.

    Args:
        settings: Name the topics.
        privacy: Redacts what is shown of dead letters.
    """
    reads = TopicReads()
    search = SearchApi(make_readers(settings), reads)
    letters = DeadLetterApi(make_letter_readers(settings), reads, privacy)
    return {**search.routes, **letters.routes}
