"""Reads times as senders and providers write them, in every form that can only mean one time. Pure.

A form that could mean two times, such as `01/02/2026` or ten digits that are no plausible epoch, isn't read.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime

from bridge.core.timestamps import parse_rfc3339

MIN_EPOCH_MS = 946_684_800_000
"""The year 2000: an earlier number since the epoch is something else, such as the digits of a date."""

MAX_TIME_CHARS = 64
"""No form is longer."""

MAX_EPOCH = 10**20
"""A larger number is none since the epoch, in no unit."""

_EPOCH_UNITS_MS = (1000, 1, 1e-3, 1e-6)
"""Seconds, milliseconds, microseconds and nanoseconds since the epoch. Over 999 years, their numbers never meet."""

_NUMBER = re.compile(r"([0-9]{9,19}(?:\.[0-9]{1,9})?)")
_USUAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?")
"""The form of most times: it is tried first, because it takes half the time of the others."""

_CALENDAR = re.compile(
    r"""
    ([0-9]{4}) ([-/.]) ([0-9]{2}) \2 ([0-9]{2}) [T\ ]
    ([0-9]{2}:[0-9]{2}) (:[0-9]{2} (?:[.,][0-9]+)?)?
    \ ? (Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?
    """,
    re.VERBOSE,
)
_DIGITS = re.compile(r"((?:19|20)[0-9]{6})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{3})?")
_MAIL_DATE = re.compile(
    r"(?:[A-Z]{3},\ ?)?[0-9]{1,2}\ [A-Z]{3}\ [0-9]{4}\ [0-9]{2}:[0-9]{2}(?::[0-9]{2})?"
    r"(\ (?:[+-][0-9]{4}|GMT|UTC?|Z|[ECMP][SD]T))?"
)
_DOT_NET_DATE = re.compile(r"/DATE\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/")
_INEXACT = re.compile("%[fz]")
"""Directives that are written in another way than they are read."""

_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_SAMPLE = datetime(2026, 11, 28, 15, 4)  # noqa: DTZ001 - it stands for any
_UTC_WORDS = {"Z", "UTC", "GMT"}


def parse_time(text: str, latest_ms: int, timezone: tzinfo | None = UTC, formats: Sequence[str] = ()) -> int | None:
    """Parse a time to milliseconds since the epoch; None if it can't be read, or could be two times.

    It reads RFC 3339 and its relatives (a blank for `T`, no seconds, slashes, `+0100`, `UTC`), RFC 2822, fourteen
    digits `yyyyMMddHHmmss`, and seconds, milliseconds, microseconds or nanoseconds since the epoch.

    Args:
        text: The time.
        latest_ms: Numbers since the epoch that are later aren't read: they are digits of something else.
        timezone: The zone of a time without an offset; None if such a time can't be read.
        formats: Further forms, as `strptime` takes them. They are tried first.
    """
    text = text.strip()
    if len(text) > MAX_TIME_CHARS:
        return None
    for form in formats:
        if (milliseconds := _parse_format(text, form, timezone)) is not None:
            return milliseconds
    if match := _USUAL.fullmatch(text):
        return parse_rfc3339(text, timezone or UTC) if timezone or match[1] else None
    upper = text.upper()
    for pattern, read in _READERS:
        if match := pattern.fullmatch(upper):
            return read(match, latest_ms, timezone)
    return None


def convert_epoch(number: float, latest_ms: int) -> int | None:
    """Convert a number since the epoch, in whatever unit, to milliseconds; None before 2000 or after `latest_ms`."""
    if not 0 < number <= MAX_EPOCH:
        return None
    for unit in _EPOCH_UNITS_MS:
        if MIN_EPOCH_MS <= number * unit <= latest_ms:
            return round(number * unit)
    return None


def _read_calendar(match: re.Match[str], _: int, timezone: tzinfo | None) -> int | None:
    year, _separator, month, day, minutes, seconds, offset = match.groups()
    if offset is None and timezone is None:
        return None
    suffix = "Z" if offset in _UTC_WORDS else offset or ""
    local = f"{year}-{month}-{day}T{minutes}{seconds or ':00'}".replace(",", ".")
    return parse_rfc3339(local + suffix, timezone or UTC)


def _read_digits(match: re.Match[str], _: int, timezone: tzinfo | None) -> int | None:
    date, hour, minute, second, fraction = match.groups()
    local = f"{date}T{hour}:{minute}:{second}.{fraction or 0}"
    return parse_rfc3339(local, timezone) if timezone else None


def _read_number(match: re.Match[str], latest_ms: int, _: tzinfo | None) -> int | None:
    return convert_epoch(float(match[1]), latest_ms)


def _read_mail_date(match: re.Match[str], _: int, timezone: tzinfo | None) -> int | None:
    # "-0000" stands for UTC without saying where (RFC 2822, 3.3).
    zone = UTC if match[1] else timezone
    try:
        moment = parsedate_to_datetime(match[0])
    except (ValueError, OverflowError):
        return None
    return parse_rfc3339(moment.replace(tzinfo=moment.tzinfo or zone).isoformat()) if zone else None


def _parse_format(text: str, form: str, timezone: tzinfo | None) -> int | None:
    try:
        moment = datetime.strptime(text, form)  # noqa: DTZ007 - the zone is added below
    except ValueError:
        return None
    # strptime also takes fewer digits than a form has: 18:07 for `%H%M%S` would be 18:00:07.
    if not _INEXACT.search(form) and _strip_zeros(moment.strftime(form)) != _strip_zeros(text):
        return None
    zone = moment.tzinfo or timezone
    return parse_rfc3339(moment.replace(tzinfo=zone).isoformat()) if zone else None


def _strip_zeros(text: str) -> str:
    return _LEADING_ZEROS.sub("", text).casefold()


def check_format(form: str) -> None:
    """Check that a form of times has a date and a time of day, each of them once.

    Raises:
        ValueError: It hasn't, or it has `%Z`, a zone's name, which is read without its offset.
    """
    try:
        sample = _SAMPLE.replace(tzinfo=UTC) if "%z" in form else _SAMPLE
        is_whole = datetime.strptime(sample.strftime(form), form) == sample  # noqa: DTZ007 - a form has no zone, or %z
    except (ValueError, re.error):
        is_whole = False
    if not is_whole or "%Z" in form:
        raise ValueError(
            "should be a form of dates with times, such as %d.%m.%Y %H:%M; %z is for an offset, %Z isn't read"
        )


_READERS: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str], int, tzinfo | None], int | None]]] = (
    (_DIGITS, _read_digits),
    (_NUMBER, _read_number),
    (_CALENDAR, _read_calendar),
    (_MAIL_DATE, _read_mail_date),
    (_DOT_NET_DATE, _read_number),
)
"""The forms of text in upper case, none of which matches what another one does."""
