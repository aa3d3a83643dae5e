"""How the service logs: structured, on stderr; JSON for machines, readable on a terminal.

A line has the event first, then its fields; fields without a value are left out. No secrets, by construction: settings
keep them as SecretStr, and request lines are never logged. No phone number in full: whatever looks like one is
shortened, in every field that isn't known to be harmless.
"""

import asyncio
import json
import logging
import sys
from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, NamedTuple

import orjson
import structlog
from aiokafka.errors import KafkaError

from bridge.phone_numbers import shorten_numbers
from bridge.text import escape_controls, escape_line

HARMLESS_FIELDS = frozenset(
    {
        *("event", "level", "timestamp", "logger", "exc_info", "stack_info", "topic", "topics", "provider", "account"),
        *("message_id", "provider_message_id", "trace_id", "key", "entry_or_timer", "group", "partitions", "offsets"),
    }
)
"""Fields that the service makes itself; ids are logged as they are. Numbers that aren't text are harmless, too."""

MAX_VALUE_CHARS = 20_000
"""Of a value in a line; tracebacks are the longest."""

MAX_NOTICES = 50
NOT_MEMBERS = frozenset({"event", "level", "timestamp", "exc_info", "stack_info", "exception"})
"""What a line has besides its members; tracebacks are in the log alone."""


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
        """The notices that are kept, the latest last."""
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
        notices: Keeps warnings and errors, for the status page.
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
    # aiokafka logs every reconnection attempt as an error; the service logs itself what matters of it, and the last
    # error with it (`kafka/contact.py`).
    aiokafka = logging.getLogger("aiokafka")
    aiokafka.setLevel(logging.WARNING if level != "debug" else logging.DEBUG)
    aiokafka.propagate = level == "debug"
    aiokafka.addHandler(logging.NullHandler())
    # It logs whole requests and answers: phone numbers out of sms.sent, and passwords.
    logging.getLogger("aiokafka.conn").setLevel(logging.CRITICAL)
    for quiet in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(quiet).setLevel(logging.WARNING)


def _make_formatter(shared: list[Any], notices: RecentNotices | None, *, readable: bool) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # As text: structured ones show local variables, and those may hold what must not be logged.
            *([] if readable else [structlog.processors.format_exc_info]),
            arrange_fields,
            mask_numbers,
            *([notices.remember] if notices else []),
            *([escape_values] if readable else []),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if readable
            else structlog.processors.JSONRenderer(_encode_json),
        ],
    )


def ignore_lost_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's exception handler that ignores connections that ended while nobody awaited them.

    asyncio stores such an end twice: in the request under way, which fails with it, and in the future of the stream's
    end. Nobody awaits that, and the garbage collector reports it when it finds the future before its stream. In the
    same way, the Kafka client's own tasks report a request that its caller has given up.
    """
    future, error = context.get("future"), context.get("exception")
    if isinstance(future, asyncio.Task):
        code = getattr(future.get_coro(), "cr_code", None)
        is_given_up = isinstance(error, KafkaError) and "/aiokafka/" in (code.co_filename if code else "")
    else:
        is_given_up = future is not None and isinstance(error, ConnectionError)
    if not is_given_up:
        loop.default_exception_handler(context)


def arrange_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the event and its level first, and leave out fields without a value. A processor of structlog's."""
    return {name: event[name] for name in ("event", "level", *event) if event.get(name) is not None}


def mask_numbers(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Shorten what may be a phone number: `374…00`. A processor of structlog's."""
    for name, value in event.items():
        if isinstance(value, str) and name not in HARMLESS_FIELDS:
            event[name] = shorten_numbers(_shorten(value))
    return event


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}… ({len(text)} characters)"


def _format_member(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _name_exception(event: Mapping[str, Any]) -> dict[str, str]:
    """The type of the exception; its text is in the log alone."""
    info = event.get("exc_info")
    if kind := info[0] if isinstance(info, tuple) else sys.exc_info()[0] if info else None:
        return {"error": kind.__name__}
    last = str(event.get("exception") or "").rstrip().rpartition("\n")[2]
    return {"error": last.partition(":")[0]} if last else {}


def _encode_json(event: Any, **_: Any) -> str:
    try:
        line = orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a text has half a surrogate pair, which JSON can only have escaped
        line = json.dumps(event, default=str)
    return escape_controls(line)


def escape_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters, so that a value is one line on a terminal. A processor of structlog's."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = escape_line(value)
    return event
