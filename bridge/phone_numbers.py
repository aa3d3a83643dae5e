"""Finds what looks like a phone number in any text, however it is written. Pure."""

import base64
import re
import unicodedata
from html import unescape
from urllib.parse import unquote

_DATE = r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)?"
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_HARMLESS = rf"{_UUID}|{_DATE}(?:[Tt ]{_TIME})?"
"""Shapes that phone numbers don't have."""

_ADDRESS = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?::\d{1,5})?"
"""An IPv4 address, in logs. Elsewhere it may be a number as the French write them, `06.12.34.56`."""

_NUMBER = r"\+?[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){6,}"
"""Seven digits or more, with up to three separators between two of them."""

_ALONE = rf"(?<![0-9A-Za-z])(?<!\d[^0-9A-Za-z])(?:{_HARMLESS})(?![0-9A-Za-z]|[^0-9A-Za-z]{{1,3}}\d)"
_FOUND = re.compile(rf"{_ALONE}|({_NUMBER})")
_FOUND_IN_LOGS = re.compile(rf"{_ALONE}|(?<![0-9A-Za-z.]){_ADDRESS}(?![0-9A-Za-z]|\.\d)|({_NUMBER})")
_ESCAPED = re.compile(r"%[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|&#?\w{1,40};")
_ENTITY = re.compile(r"&#?\w{1,40};?")
"""No longer ones: Python refuses to read numbers of thousands of digits."""

_SURROGATE_PAIR = r"u([dD][89abAB][0-9a-fA-F]{2})\\+u([dD][c-fC-F][0-9a-fA-F]{2})"
_UNICODE_ESCAPE = re.compile(rf"(?<!\\)\\+(?:{_SURROGATE_PAIR}|u([0-9a-fA-F]{{4}})|x([0-9a-fA-F]{{2}}))")
"""After any number of backslashes: each quoting doubles them."""
_SURROGATES = range(0xD800, 0xE000)


_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_BASE64 = re.compile(r"[0-9A-Za-z+/_-]{10,}={0,2}")

MAX_DECODINGS = 3
"""How often a text is decoded at most, to find numbers that are encoded several times."""


def extract_digits(number: str) -> str:
    """Extract the digits of a phone number."""
    return "".join(filter(str.isdigit, number))


def has_number(text: str) -> bool:
    """Whether a text has what looks like a phone number, in plain or encoded in percent or JSON escapes."""
    return any(found[1] for found in _FOUND.finditer(_decode(text)))


def replace_numbers(text: str, mask: str) -> str:
    """Replace what looks like a phone number, also in base64; a text with an otherwise encoded one is decoded."""
    text = _BASE64.sub(lambda found: mask if _hides_number(found[0]) else found[0], _reveal(text))
    return _FOUND.sub(lambda found: mask if found[1] else found[0], text)


def shorten_numbers(text: str) -> str:
    """Shorten what looks like a phone number to its beginning and end, `374…00`."""

    def shorten(found: re.Match[str]) -> str:
        if not found[1]:
            return found[0]
        digits, plus = extract_digits(found[1]), "+" if found[1].startswith("+") else ""
        return f"{plus}{digits[:3]}…{digits[-2:]}"

    return _FOUND_IN_LOGS.sub(shorten, _reveal(text))


def _reveal(text: str) -> str:
    """Decode a text in which a number is encoded; any other one stays as it is."""
    decoded = _decode(text)
    return decoded if any(found[1] for found in _FOUND.finditer(decoded)) else text


def _hides_number(text: str) -> bool:
    """Whether a text is base64 of one with a phone number."""
    bare = text.rstrip("=")
    padded = bare + "=" * (-len(bare) % 4)
    try:
        inside = base64.b64decode(padded, altchars=b"-_" if {"-", "_"} & set(text) else None).decode()
    except ValueError:  # not base64, or not a text
        return False
    return replace_numbers(inside, "") != inside


def _decode(text: str) -> str:
    for _ in range(MAX_DECODINGS):
        if not _ESCAPED.search(text):
            break
        text = _ENTITY.sub(lambda found: unescape(found[0]), unquote(text, errors="replace"))
        text = _UNICODE_ESCAPE.sub(_decode_escape, text)
    # Digits are also written superscript, in circles or as wide as a letter.
    return text if text.isascii() else _NOT_ASCII.sub(_to_ascii_digit, text)


def _decode_escape(found: re.Match[str]) -> str:
    high, low, wide, narrow = found.groups()
    if high:
        return (bytes.fromhex(high) + bytes.fromhex(low)).decode("utf-16-be")
    code = int(wide or narrow, 16)
    return found[0] if code in _SURROGATES else chr(code)  # half a pair is no character, and can't be encoded


def _to_ascii_digit(found: re.Match[str]) -> str:
    digit = unicodedata.digit(found[0], None)
    return found[0] if digit is None else str(digit)
