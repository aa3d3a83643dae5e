"""Parses how long a delivery took, in every format that providers are known to use. Pure."""

import re

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)")
_UNITS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]*)\.?", re.IGNORECASE)
_UNIT_MS = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1),
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1_000),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600_000),
}


def parse_turnaround(text: str | None) -> int | None:
    """Parse a duration such as `00:02:30`, `6s`, `0.24 sec` or `150` (seconds) to milliseconds; None if it is none."""
    text = (text or "").strip()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups()
        return round((int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)
    unit = _UNITS.fullmatch(text)
    factor = _UNIT_MS.get(unit[2].lower()) if unit else None
    return round(float(unit[1]) * factor) if unit and factor else None
