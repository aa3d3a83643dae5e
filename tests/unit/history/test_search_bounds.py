"""What a search keeps and how long it takes is bounded, whatever is in the topics."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from bridge.history.letter_selection import MAX_LETTERS, MAX_VALUE_BYTES
from bridge.history.search import HistorySearch
from tests.support.settings import accounts, settings_of


class Scanner:
    """Hands over the values of dead letters, and then nothing more for ever."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self._records = [
            SimpleNamespace(headers=(), key=None, value=value, timestamp=0, partition=0, offset=offset)
            for offset, value in enumerate(values)
        ]

    async def spans(self, *_: Any) -> dict[Any, Any]:
        """Return no spans: `scan` needs none."""
        return {}

    async def scan(self, _spans: Any, take: Any) -> None:
        """Hand over all records, and wait."""
        for record in self._records:
            take(record)
        await asyncio.Event().wait()


async def test_dead_letters_do_not_hide_a_story() -> None:
    """When time runs out, what was found until then counts: the latest ones, cut to what is shown."""
    values = [b"7 " + b"x" * 5_000, b"8", *(b"7 %d" % number for number in range(MAX_LETTERS + 5))]
    scanner: Any = Scanner(values)
    search = HistorySearch(scanner, settings_of(), 0, accounts(), letters_timeout=0.05)
    found = await search.find_letters_with(["7"])
    assert search.letters_left
    assert [letter.value for letter in found] == values[-MAX_LETTERS:]
    short = HistorySearch(scanner, settings_of(), 0, accounts(), letters_timeout=0.05)
    [giant, *_] = await short.find_letters_with(["7 " + "x" * 5_000])
    assert len(giant.value) == MAX_VALUE_BYTES
