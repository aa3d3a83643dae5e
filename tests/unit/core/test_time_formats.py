"""Times in the forms that senders and providers write."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.core.time_formats import MIN_EPOCH_MS, check_format, convert_epoch, parse_time

NAIROBI = timezone(timedelta(hours=3))
NOON = 1_769_860_800_000
LATEST = NOON + 86_400_000


@pytest.mark.parametrize(
    ("text", "zone", "milliseconds"),
    [
        ("2026-01-31T12:00:00Z", NAIROBI, NOON),
        ("2026-01-31T12:00:00.123+00:00", UTC, NOON + 123),
        ("2026-01-31T13:00:00.000+0100", UTC, NOON),
        ("2026-01-31T13:00:00+01", UTC, NOON),
        ("2026-01-31 17:30:00 +0530", UTC, NOON),
        ("2026-01-31t12:00:00z", UTC, NOON),
        ("2026-01-31T11:59:60Z", UTC, NOON),
        ("2026-01-31 12:00:00,5", UTC, NOON + 500),
        ("2026-01-31 12:00:00.000 UTC", NAIROBI, NOON),
        ("2026-01-31 12:00", UTC, NOON),
        ("2026/01/31 15:00:00", NAIROBI, NOON),
        ("2026.01.31 12:00:00", UTC, NOON),
        ("20260131120000", UTC, NOON),
        ("20260131120000250", UTC, NOON + 250),
        ("Sat, 31 Jan 2026 12:00:00 GMT", NAIROBI, NOON),
        ("Sat, 31 Jan 2026 13:00:00 +0100", UTC, NOON),
        ("31 Jan 2026 12:00 -0000", NAIROBI, NOON),
        ("31 Jan 2026 15:00:00", NAIROBI, NOON),
        ("/Date(1769860800000)/", NAIROBI, NOON),
        (" 1769860800 ", NAIROBI, NOON),
        ("1769860800.5", UTC, NOON + 500),
        ("1769860800000", UTC, NOON),
        ("1769860800000000", UTC, NOON),
        ("1769860800000000000", UTC, NOON),
    ],
)
def test_each_form_is_read(text: str, zone: tzinfo, milliseconds: int) -> None:
    """The zone counts only for a time without an offset."""
    assert parse_time(text, LATEST, zone) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "260131120000",  # yyMMddHHmmss: as milliseconds, 1978
        "2601311200",  # yyMMddHHmm: as seconds, 2052
        "01/02/2026 10:00:00",
        "2026-01-31",
        "2026-01/31 12:00:00",
        "2026-02-30 12:00:00",
        "Sat, 32 Jan 2026 12:00:00 GMT",
        "31 Jan 2026 12:00:00 XYZ",
        "20261331120000",
        "0000-00-00 00:00:00",
        "12:00:00",
        "yesterday",
        "-1",
        "0",
        "1e12",
        "",
        "\u0661\u0667\u0666\u0669\u0668\u0666\u0660\u0668\u0660\u0660",
        "1" * 100_000,
    ],
)
def test_no_other_time_is_read_instead(text: str) -> None:
    """Of two possible times, none is taken."""
    assert parse_time(text, LATEST) is None


@pytest.mark.parametrize("text", ["2026-01-31 12:00:00", "2026-01-31 12:00", "20260131120000", "31 Jan 2026 12:00:00"])
def test_without_a_zone_an_offset_is_needed(text: str) -> None:
    """A time of nowhere isn't one."""
    assert parse_time(text, LATEST, None) is None


def test_formats_come_first() -> None:
    """As a setting gives them; the built-in forms follow."""
    assert parse_time("2601311200", LATEST, UTC, ["%d/%m/%Y", "%y%m%d%H%M"]) == NOON
    assert parse_time("31.01.2026 13:00 +0100", LATEST, NAIROBI, ["%d.%m.%Y %H:%M %z"]) == NOON
    assert parse_time("2026-01-31 12:00:00", LATEST, UTC, ["%y%m%d%H%M"]) == NOON
    assert parse_time("2601311200", LATEST, None, ["%y%m%d%H%M"]) is None
    assert parse_time("2601311200", LATEST, UTC, ["%y%m%d%H%M%S"]) is None
    assert parse_time("2601311200", LATEST, UTC, ["%y%m%d%H%M%S", "%y%m%d%H%M"]) == NOON


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2026, 1, 31)), st.sampled_from([1000, 1]))  # noqa: DTZ001
def test_numbers_of_all_units_mean_the_same(moment: datetime, step: int) -> None:
    """Whatever unit an epoch is counted in."""
    milliseconds = int(moment.replace(tzinfo=UTC).timestamp()) * 1000
    for digits in (0, 3, 6, 9):
        assert convert_epoch(milliseconds // 1000 * 10**digits, LATEST) == milliseconds
    assert convert_epoch(milliseconds * step, LATEST) == milliseconds


@given(st.floats() | st.integers())
@example(10**400)
def test_any_number_is_in_range_or_none(number: float) -> None:
    """Not a number and infinity too."""
    milliseconds = convert_epoch(number, LATEST)
    assert milliseconds is None or MIN_EPOCH_MS <= milliseconds <= LATEST


@given(st.text(max_size=80))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """Nothing is raised."""
    parse_time(text, LATEST, UTC, ["%y%m%d%H%M", "%d/%m/%Y %z"])


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("20260131 1907", "%Y%m%d %H%M%S"),
        ("2026013-190700", "%Y%m%d-%H%M%S"),
        ("260131T1907", "%y%m%dT%H%M%S"),
    ],
)
def test_no_digit_is_taken_for_two(text: str, form: str) -> None:
    """A form of digits that stand together needs all of them."""
    assert parse_time(text, LATEST, UTC, [form]) is None


def test_single_digits_may_lack_a_zero() -> None:
    """Where something stands between the numbers."""
    for text in ("31/1/2026 9:05", "31/01/2026 09:05"):
        assert parse_time(text, LATEST, UTC, ["%d/%m/%Y %H:%M"]) == NOON - 10_500_000


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M %Z", "%H:%M", "%Y-%m-%d", "%I:%M %d.%m.%Y", "%Q", "", "12:00"])
def test_a_form_needs_a_date_and_a_time(form: str) -> None:
    """Otherwise times would be read as others, or never."""
    with pytest.raises(ValueError, match="form of dates with times"):
        check_format(form)


@pytest.mark.parametrize("form", ["%y%m%d%H%M", "%d.%m.%Y %I:%M %p", "%d %b %Y %H:%M:%S %z", "%d.%m.%y %H:%M:%S.%f"])
def test_usual_forms_are_taken(form: str) -> None:
    """With an offset and fractions, too."""
    check_format(form)
