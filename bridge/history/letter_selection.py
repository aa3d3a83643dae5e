"""Which dead letters are about a message, and how much of them is kept. Pure."""

import re
from collections.abc import Callable, Collection, Iterable
from urllib.parse import quote

from bridge.core.entries import AttemptKey
from bridge.dead_letters import DeadLetter

MAX_LETTERS = 1_000
"""Dead letters about an attempt that are kept: the latest ones."""

MAX_VALUE_BYTES = 2_000
"""Of the value of each, in a document or on a screen."""


def cut_value(letter: DeadLetter) -> DeadLetter:
    """Cut a letter's value to what is shown."""
    return letter._replace(value=letter.value[:MAX_VALUE_BYTES])


def make_letter_selector(
    key: str, positions: Collection[tuple[str, int, int]], message_ids: Iterable[str] = ()
) -> Callable[[DeadLetter], bool]:
    """Make what tells whether a dead letter is about an attempt: names an entry's position, or holds one of the ids."""
    provider, account, short = AttemptKey.parse(key)
    mentions = compile_mention([short, *message_ids])

    def is_about(letter: DeadLetter) -> bool:
        if letter.source in positions:
            return True
        named = letter.provider or provider, letter.account or account
        return named == (provider, account) and mentions(letter.value)

    return is_about


def compile_mention(ids: Iterable[str]) -> Callable[[bytes], bool]:
    """Make what tells whether bytes hold one of these ids, plain or percent-encoded, and not in a longer one."""
    spellings = sorted({spelling for one in ids for spelling in (one, quote(one, safe="")) if spelling})
    if not spellings:
        return lambda _: False
    either = b"|".join(re.escape(spelling.encode()) for spelling in spellings)
    pattern = re.compile(rb"(?<![0-9A-Za-z_-])(?:%s)(?![0-9A-Za-z_-])" % either)
    return lambda value: pattern.search(value) is not None
