"""JSON of senders that cut texts in the middle of an emoji."""

import re
from typing import AnyStr

_ESCAPES = re.compile(
    rb"""\\(?:
        u[dD][89abAB][0-9a-fA-F]{2} \\u[dD][c-fC-F][0-9a-fA-F]{2} |  # a pair: one character
        (?P<half> u[dD][89a-fA-F][0-9a-fA-F]{2} ) |
        .
    )""",
    re.VERBOSE | re.DOTALL,
)


def replace_half_emojis(text: AnyStr) -> AnyStr:
    r"""Replace each half of a pair of surrogates in a JSON text by U+FFFD.

    A text that was cut within an emoji ends in one. `JSON.stringify` writes it as `\ud83d`, which is JSON (RFC 8259,
    section 8.2), but no Unicode: strict readers refuse the whole document for it.
    """
    if isinstance(text, bytes):
        return _ESCAPES.sub(_replace, text)
    if "\\u" not in text:
        return text
    return _ESCAPES.sub(_replace, text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _replace(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["half"] else escape[0]
