"""The settings of the documentation's examples read the events that the page describes."""

import json

from bridge.intake.sent_parser import SentParser
from tests.support.documentation.blocks import blocks, commands
from tests.support.sent_events import EVENT, TIMESTAMP, parse, parser_of

PREFIX = "SMS_BRIDGE_"


def documented_parser(heading: str, **more: object) -> SentParser:
    """Make a parser with the settings that a section of the page exports."""
    [block] = [one for one in blocks("console") if one.place[:2] == ("docs/sent-events.md", heading)]
    exports = [command.words[1].partition("=") for command in commands(block)]
    settings = {name.removeprefix(PREFIX): value for name, _, value in exports}
    assert settings
    return parser_of(**settings, **more)


def test_an_outbox_is_read() -> None:
    """The key, a header, the timestamp and text that is JSON; other types are filtered out."""
    parser = documented_parser("Other layouts")
    row = {"payload": json.dumps({"reference": "0042"})}
    headers = [("eventType", b"SmsSent"), ("provider", b"dexatel")]
    (entry,) = parse(row, parser, key=b"order-4712", headers=headers).entries
    assert (entry.message_id, entry.provider_message_id, entry.sent_at) == ("order-4712", "0042", TIMESTAMP)
    assert parse(row, parser, key=b"order-4712", headers=[("eventType", b"SmsPlanned")]).skipped


def test_recipients_are_read() -> None:
    """Each with its own id, and the message's id from the top."""
    parser = documented_parser("Several attempts in a record")
    record = {
        "order": {"no": "order-4712"},
        "provider": "dexatel",
        "sent_at": EVENT["sent_at"],
        "recipients": [{"to": "+1", "id": "a"}, {"to": "+2", "id": "b"}],
    }
    found = parse(record, parser)
    assert [(one.message_id, one.provider_message_id, one.recipient) for one in found.entries] == [
        ("order-4712", "a", "+1"),
        ("order-4712", "b", "+2"),
    ]
    assert not found.ignored
