"""Character sets of callbacks, and parameters of their headers. Pure.

Only character sets of text are read: some of Python's codecs take time that grows with the square of the input.
"""

import re

from bridge.core.errors import UnsupportedMediaTypeError
from bridge.providers.parsing import make_unreadable_error

MAX_HEADER_CHARS = 1_000
"""Parameters are looked for in this much of a header."""

_CHARSET = re.compile(
    r"utf-?(?:8|16|32)(?:-?[bl]e)?|us-ascii|ascii|iso-?8859-?[0-9]{1,2}|latin-?1|(?:windows-?|cp)125[0-8]"
    r"|koi8-[rut]|gb2312|gbk|gb18030|big5|shift_jis|euc-(?:jp|kr)",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r";[ \t]*([a-z-]{1,20})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^;\s\"]*))", re.IGNORECASE)


def find_parameter(header: str, name: str) -> str | None:
    """Find a parameter of a header such as `Content-Type` (RFC 9110, 5.6.6); None if it hasn't it."""
    for found, quoted, plain in _PARAMETER.findall(header[:MAX_HEADER_CHARS]):
        if found.lower() == name:
            return re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
    return None


def decode(data: bytes, charset: str, errors: str = "strict") -> str:
    """Decode text.

    Raises:
        UnsupportedMediaTypeError: The character set isn't one of those that are read.
        PoisonMessageError: It isn't in that character set.
    """
    if not _CHARSET.fullmatch(charset):
        raise UnsupportedMediaTypeError("the character set isn't read")
    try:
        return data.decode(charset, errors)
    except UnicodeError as error:
        raise make_unreadable_error(f"the body is not {charset.upper()}") from error
    except LookupError as error:
        raise UnsupportedMediaTypeError("the character set is unknown") from error
