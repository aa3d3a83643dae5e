"""A list of messages as CSV, for spreadsheets. Pure.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for a formula. As OWASP advises
("CSV Injection"), such a cell gets a single quote in front, and every cell stands in double quotes. Phone numbers begin
with `+`, so they have the quote, too.
"""

import csv
import io
from collections.abc import Iterable
from typing import Any

from bridge.core.timestamps import format_rfc3339
from bridge.history.message_rows import MessageRow

COLUMNS = (
    *("sent_at", "message_id", "recipient", "status", "outcome", "reason", "final", "corrected", "updated_at"),
    *("provider", "account", "provider_message_id"),
)

_TIMES = {"sent_at", "updated_at"}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the first ones as wide as a letter, which Excel takes for the same."""
_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel doesn't read UTF-8."""


def make_csv(rows: Iterable[MessageRow]) -> bytes:
    """Make the file, with a line of column names."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows([format_cell(name, getattr(row, name)) for name in COLUMNS] for row in rows)
    return (_BYTE_ORDER_MARK + text.getvalue()).encode("utf-8", "replace")


def format_cell(name: str, value: Any) -> str:
    """Format a value as a cell that no spreadsheet executes.

    Args:
        name: The column.
        value: What is in it.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = format_rfc3339(value) if name in _TIMES else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text
