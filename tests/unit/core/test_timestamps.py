"""Times as text and as numbers."""

from datetime import UTC, timedelta, timezone, tzinfo

import pytest

from bridge.core.timestamps import format_rfc3339, parse_rfc3339

NAIROBI = timezone(timedelta(hours=3))
NOON = 1_769_860_800_000


@pytest.mark.parametrize(
    ("text", "zone", "milliseconds"),
    [
        ("2026-01-31T12:00:00Z", UTC, NOON),
        ("2026-01-31T12:00:00.123+00:00", UTC, NOON + 123),
        ("2026-01-31T12:00:00.1236Z", UTC, NOON + 124),
        ("2026-01-31 15:00:00", NAIROBI, NOON),
        ("2026-01-31T12:00:00Z", NAIROBI, NOON),
        ("1969-12-31T23:59:59.999Z", UTC, -1),
        ("0000-00-00 00:00:00", UTC, None),
        ("2026-01-31t12:00:00z", UTC, NOON),
        ("9999-12-31T23:59:59.999Z", UTC, 253_402_300_799_999),
        ("9999-12-31T23:59:60Z", UTC, None),
        ("9999-12-31T23:59:59.9999Z", UTC, None),
        ("9999-12-31T23:59:59-14:00", UTC, None),
        ("0001-01-01 00:00:00+14:00", UTC, None),
        ("2026-01-31 12:00:00z", NAIROBI, NOON),
        ("2026-01-31T11:59:60Z", UTC, NOON),
        ("2026-01-31t14:59:60.5+03:00", UTC, NOON + 500),
        ("2026-01-31T12:00:61Z", UTC, None),
        ("2026-01-31T12:60:60Z", UTC, None),
        ("yesterday", UTC, None),
        ("", UTC, None),
    ],
)
def test_text_becomes_milliseconds(text: str, zone: tzinfo, milliseconds: int | None) -> None:
    """The zone counts only for a time without an offset."""
    assert parse_rfc3339(text, zone) == milliseconds


@pytest.mark.parametrize("milliseconds", [0, 1, 999, NOON + 1, 253_402_300_799_999])
def test_what_is_written_is_read_again(milliseconds: int) -> None:
    """To the millisecond."""
    assert parse_rfc3339(format_rfc3339(milliseconds)) == milliseconds
