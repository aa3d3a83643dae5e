"""Sent events for unit tests, and the parser that settings describe."""

from typing import Any

import orjson

from bridge.accounts import build_accounts
from bridge.core.errors import PoisonMessageError
from bridge.intake.sent_parser import ParsedRecord, SentParser, make_sent_parser
from bridge.intake.source_event import SentRecord
from bridge.privacy import Privacy
from tests.support.settings import settings_of

SENT_AT = 1_769_850_000_000
NOW = SENT_AT + 60_000
TIMESTAMP = SENT_AT + 5_000
"""Of the record."""

EVENT = {
    "message_id": "m-1",
    "provider": "dexatel",
    "provider_message_id": "0042",
    "sent_at": "2026-01-31T12:00:00+03:00",
}


def parser_of(**settings: Any) -> SentParser:
    """Make a parser; settings that aren't text are written as JSON."""
    texts = {name: one if isinstance(one, str) else orjson.dumps(one).decode() for name, one in settings.items()}
    config = settings_of(**texts)
    return make_sent_parser(config, build_accounts(config), Privacy(config.privacy))


def record_of(document: Any, **parts: Any) -> SentRecord:
    """Make the record of an event."""
    return SentRecord(orjson.dumps(document), **{"timestamp": TIMESTAMP, **parts})


def parse(document: Any, parser: SentParser | None = None, **parts: Any) -> ParsedRecord:
    """Parse an event."""
    return (parser or parser_of()).parse(record_of(document, **parts), NOW)


def outcome_of(document: Any, parser: SentParser | None = None) -> ParsedRecord | PoisonMessageError:
    """Parse an event: what it says, or why it can't be used."""
    try:
        return parse(document, parser)
    except PoisonMessageError as poison:
        return poison
