"""How the service logs: structured, on stderr; JSON for machines, readable on a terminal.

No secrets, by construction: settings keep them as SecretStr, and request lines are never logged. No phone number in
full: what others said is quoted in `raw` and `error`, and long runs of digits are cut short there.
"""

import asyncio
import logging
import re
import sys
from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, NamedTuple

import orjson
import structlog

QUOTED = ("raw", "error", "exception")
"""What may hold words that aren't ours."""

_LONG_NUMBER = re.compile(r"(?:(?<![\w-])|(?<=%2B))(\+?\d{3})\d{3,}(\d{2})(?![\w-])")

MAX_NOTICES = 50
NOT_MEMBERS = frozenset({"event", "level", "timestamp", "exc_info", "stack_info", "exception"})
"""What a line has beside its members; tracebacks are in the log alone."""


class Notice(NamedTuple):
    """A warning or an error that was logged."""

    at: str
    level: str
    text: str
    members: Mapping[str, Any]


class RecentNotices:
    """The last warnings and errors of a process."""

    def __init__(self) -> None:
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)

    def latest(self) -> tuple[Notice, ...]:
        """All that are kept, the latest last."""
        return tuple(self._notices)

    def remember(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Keep a warning or an error as it is logged. A processor of structlog's."""
        if event["level"] not in {"debug", "info"}:
            members = {
                name: value if isinstance(value, int | float | str) else _format_member(value)
                for name, value in event.items()
                if name not in NOT_MEMBERS and value not in (None, "")
            }
            members |= _name_exception(event)
            self._notices.append(Notice(event["timestamp"], event["level"], str(event["event"]), members))
        return event


def configure_logging(
    level: str, form: Literal["auto", "json", "console"], notices: RecentNotices | None = None
) -> None:
    """Set up logging for the process; libraries' records go the same way.

    Args:
        level: The least severe level that is logged.
        form: `auto` is JSON, unless on a terminal.
        notices: Keeps warnings and errors for whoever asks later.
    """
    readable = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_make_formatter(shared, notices, readable=readable))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # aiokafka reports every reconnection attempt as an error; what matters of it, this service says itself.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL if level != "debug" else logging.DEBUG)
    # It writes whole requests and answers: phone numbers out of sms.sent, and passwords.
    logging.getLogger("aiokafka.conn").setLevel(logging.CRITICAL)
    for quiet in ("httpx", "httpcore", "granian", "_granian", "asyncio"):
        logging.getLogger(quiet).setLevel(logging.WARNING)


def _make_formatter(shared: list[Any], notices: RecentNotices | None, *, readable: bool) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # As text: structured ones show local variables, and those may hold what must not be logged.
            *([] if readable else [structlog.processors.format_exc_info]),
            mask_numbers,
            *([notices.remember] if notices else []),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if readable
            else structlog.processors.JSONRenderer(_json),
        ],
    )


def ignore_lost_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's exception handler: a connection's end that nobody waited for is no error.

    asyncio keeps it twice: for the request under way, which fails with it, and for whoever would wait for the end of
    the stream. Nobody does, and the garbage collector tells of it when it finds the future before its stream.
    """
    future = context.get("future")
    bare = future is not None and not isinstance(future, asyncio.Task)
    if not (bare and isinstance(context.get("exception"), ConnectionError)):
        loop.default_exception_handler(context)


def mask_numbers(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut what may be a phone number short, in the words of others: `374…00`. A processor of structlog's."""
    for name in QUOTED:
        if isinstance(event.get(name), str):
            event[name] = _LONG_NUMBER.sub(r"\1…\2", event[name])
    return event


def _format_member(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _name_exception(event: Mapping[str, Any]) -> dict[str, str]:
    """What kind of exception it is about; its words are in the log alone."""
    info = event.get("exc_info")
    if kind := info[0] if isinstance(info, tuple) else sys.exc_info()[0] if info else None:
        return {"error": kind.__name__}
    last = str(event.get("exception") or "").rstrip().rpartition("\n")[2]
    return {"error": last.partition(":")[0]} if last else {}


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
