"""The routes with which the status page finds messages: a list of them, that list as CSV, and one message's story."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from bridge.admin.csv_export import make_csv
from bridge.admin.page_responses import SECURITY_HEADERS, make_error, make_json
from bridge.admin.topic_reads import TopicReads
from bridge.clock import now_ms
from bridge.core.delivery import Outcome, Status
from bridge.core.timestamps import format_rfc3339
from bridge.history.document import make_document
from bridge.history.lookup import TraceQuery, find_traces
from bridge.history.message_rows import NO_REPORT, MessageRow
from bridge.history.message_search import FoundMessages, MessageQuery, list_messages
from bridge.history.topic_scanner import parse_moment
from bridge.http_server.messages import Request, Response
from bridge.settings.model import Settings

MAX_TEXT_CHARS = 300
"""Of what is searched for: an id with its provider and account."""

MAX_ROWS, MAX_CSV_ROWS = 200, 5_000

FIRST_STEPS, LAST_STEPS, MAX_LETTERS = 50, 150, 50
"""Of an attempt, in its story."""

MAX_PARAMETERS = 10

STATUSES = frozenset({*Status, *Outcome, NO_REPORT})

ALL = "all"
"""The time filter for everything that Kafka still has."""


class MessageReaders(NamedTuple):
    """What reads the topics."""

    find_story: Callable[[str, bool], Awaitable[Any]]
    """Finds what happened to a message by an id, as a JSON document; thoroughly, if asked to."""
    list_messages: Callable[[MessageQuery], Awaitable[FoundMessages]]


def make_readers(settings: Settings) -> MessageReaders:
    """Make the readers for the topics of these settings."""

    async def find_story(name: str, thorough: bool) -> Any:  # noqa: FBT001 - a question's second half
        query = TraceQuery(name, recipient="", since=None, thorough=thorough, quick=not thorough)
        found = await find_traces(settings, query)
        return {**make_document(found), "dead_letters_left": found.letters_left}

    return MessageReaders(find_story, lambda query: list_messages(settings, query))


class SearchApi:
    """Answers searches.

    Args:
        readers: Read the topics.
        reads: Runs one reading at a time.
    """

    def __init__(self, readers: MessageReaders, reads: TopicReads) -> None:
        self._readers, self._reads = readers, reads
        self.routes: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
            "/api/messages": self._serve_story,
            "/api/search": self._serve_list,
            "/api/search.csv": self._serve_csv,
        }

    async def _serve_story(self, request: Request) -> Response:
        try:
            parameters = parse_parameters(request.query)
        except ValueError as error:
            return make_error(str(error), 400)
        name = parameters.get("id", "")
        if not name or len(name) > MAX_TEXT_CHARS:
            return make_error("name a message: ?id=MESSAGE_ID or ?id=PROVIDER:[ACCOUNT:]ID", 400)

        async def read() -> Response:
            return make_json(shorten_story(await self._readers.find_story(name, "thorough" in parameters)))

        return await self._reads.answer(read, parameters.get("viewer", ""))

    async def _serve_list(self, request: Request) -> Response:
        def show(found: FoundMessages) -> Response:
            return make_json({**found._asdict(), "rows": [_show_row(row) for row in found.rows], **_show_since(found)})

        return await self._answer(request, MAX_ROWS, show)

    async def _serve_csv(self, request: Request) -> Response:
        def show(found: FoundMessages) -> Response:
            name = f"sms-bridge-{format_rfc3339(now_ms())[:19].replace(':', '')}Z.csv"
            disposition = f'attachment; filename="{name}"'
            headers = {
                **SECURITY_HEADERS,
                "content-type": "text/csv; charset=utf-8",
                "content-disposition": disposition,
            }
            return Response(200, make_csv(found.rows), headers)

        return await self._answer(request, MAX_CSV_ROWS, show)

    async def _answer(self, request: Request, limit: int, show: Callable[[FoundMessages], Response]) -> Response:
        try:
            parameters = parse_parameters(request.query)
            query = parse_query(parameters, limit)
        except ValueError as error:
            return make_error(str(error), 400)

        async def read() -> Response:
            return show(await self._readers.list_messages(query))

        return await self._reads.answer(read, parameters.get("viewer", ""))


def shorten_story(document: dict[str, Any]) -> dict[str, Any]:
    """Shorten a story to what a page can show: however often a provider reports, and whatever is in dead letters."""
    for one in document["attempts"]:
        steps = one["timeline"]
        one["left_out_steps"] = max(0, len(steps) - FIRST_STEPS - LAST_STEPS)
        if one["left_out_steps"]:
            one["timeline"] = steps[:FIRST_STEPS] + steps[-LAST_STEPS:]
        one["events"] = one["events"][-LAST_STEPS:]
        one["dead_letters"] = one["dead_letters"][-MAX_LETTERS:]
    document["dead_letters"] = document["dead_letters"][-MAX_LETTERS:]
    return document


def parse_query(parameters: Mapping[str, str], limit: int) -> MessageQuery:
    """Parse a URL's parameters into a search.

    Raises:
        ValueError: It isn't one.
    """
    typed, status, provider = (parameters.get(name, "") for name in ("text", "status", "provider"))
    if len(typed) > MAX_TEXT_CHARS or len(provider) > MAX_TEXT_CHARS:
        raise ValueError(f"search for at most {MAX_TEXT_CHARS} characters")
    if status and status not in STATUSES:
        raise ValueError(f"status should be one of {', '.join(sorted(STATUSES))}")
    return MessageQuery(typed, status, provider, parse_since(parameters.get("since", "")), limit)


def parse_since(text: str) -> int | None:
    """Parse a time filter: a duration such as `24h`, a time, or `all`; None for none.

    Raises:
        ValueError: It isn't one.
    """
    if not text:
        return None
    try:
        return 0 if text == ALL else parse_moment(text)
    except ValueError as error:
        raise ValueError(f"since {error}, or {ALL}") from None


def parse_parameters(text: str) -> dict[str, str]:
    """Parse a URL's query; of a parameter that comes twice the first one counts.

    Raises:
        ValueError: There are too many.
    """
    try:
        found = parse_qs(text, max_num_fields=MAX_PARAMETERS, keep_blank_values=True)
    except ValueError:
        raise ValueError(f"give at most {MAX_PARAMETERS} parameters") from None
    return {name: values[0].strip() for name, values in found.items()}


def _show_row(row: MessageRow) -> dict[str, Any]:
    updated_at = None if row.updated_at is None else format_rfc3339(row.updated_at)
    return {**row._asdict(), "sent_at": format_rfc3339(row.sent_at), "updated_at": updated_at}


def _show_since(found: FoundMessages) -> dict[str, Any]:
    return {"since": format_rfc3339(max(0, found.since)), "seconds": round(found.seconds, 3)}
