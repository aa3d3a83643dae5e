"""A list as CSV: no cell is a formula for a spreadsheet, and every value comes back."""

import csv
import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.admin.csv_export import COLUMNS, format_cell, make_csv
from bridge.history.message_rows import MessageRow

ROW = MessageRow(
    *("dexatel:default:7", "order-7", "dexatel", "default", "7", "+447700900123", 1_700_000_000_000),
    *("failed", "not_delivered", "network", True, False, None),
)


@pytest.mark.parametrize(
    "text", ["=1+1", "+44", "-1", "@SUM(A1)", "\tx", "\r=1", "\n=1", "\uff1d1+1", "  =1+1", '=HYPERLINK("x")']
)
def test_formulas_are_text(text: str) -> None:
    """OWASP: a cell that begins like one gets a single quote in front."""
    assert format_cell("message_id", text) == f"'{text}"


def test_other_values_stay() -> None:
    """Times are RFC 3339; what isn't known is empty."""
    [names, cells] = csv.reader(io.StringIO(make_csv([ROW]).decode("utf-8-sig")))
    assert tuple(names) == COLUMNS
    assert cells == [
        *("2023-11-14T22:13:20.000Z", "order-7", "'+447700900123", "failed", "not_delivered", "network"),
        *("true", "false", "", "dexatel", "default", "7"),
    ]


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_id_is_one_cell_and_no_formula(text: str) -> None:
    """Quotes, separators and line breaks in an id don't make another cell."""
    [_, cells] = csv.reader(io.StringIO(make_csv([ROW._replace(message_id=text)]).decode("utf-8-sig"), newline=""))
    assert cells[1].removeprefix("'") == text.removeprefix("'")
    assert cells[1].lstrip(" ")[:1] not in set("=+-@\t\r\n=") or not cells[1]
    assert set(cells[0]) <= set(string.printable)
