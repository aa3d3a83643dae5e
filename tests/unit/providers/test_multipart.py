"""Multipart forms: fields as they are, and nothing that a part could do beyond that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import BridgeError, PoisonMessageError, UnsupportedMediaTypeError
from bridge.providers.charsets import decode, find_parameter
from bridge.providers.multipart import MAX_FIELDS, MAX_HEAD_BYTES, parse_multipart

TYPE = 'multipart/form-data; charset=utf-8; boundary="B b"'


def make(*parts: tuple[str, bytes], newline: bytes = b"\r\n") -> bytes:
    """Make a form of headers and contents."""
    bodies = (head.encode() + newline * 2 + content + newline for head, content in parts)
    return b"".join(b"--B b" + newline + body for body in bodies) + b"--B b--" + newline


def field(name: str, more: str = "") -> str:
    """Make a field's headers."""
    return f'Content-Disposition: form-data; name="{name}"{more}'


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"a preamble\r\n"])
def test_fields_are_read(newline: bytes, before: bytes) -> None:
    """By any client: with other headers, encodings of mail, character sets, files; the first of a name counts."""
    body = make(
        (field("id"), b"a=b&c\r\n--\r\nd"),
        (f"X-Other: 1\r\n{field('file')}; filename=x\r\nContent-Type: application/json", b'{"a":1}'),
        (f"{field('word')}\r\nContent-Type: text/plain; charset=windows-1251", "Доставлено".encode("cp1251")),
        (f"{field('mail')}\r\nContent-Transfer-Encoding: base64", b"aGVs\r\nbG8="),
        (f"{field('printable')}\r\nContent-Transfer-Encoding: quoted-printable", b"a=3Db"),
        (field("empty"), b""),
        (field("id"), b"another"),
        newline=newline,
    )
    assert parse_multipart(before + body, TYPE) == {
        "id": "a=b&c\r\n--\r\nd",
        "file": '{"a":1}',
        "word": "Доставлено",
        "mail": "hello",
        "printable": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--C\r\n",
        make(("Content-Type: text/plain", b"x")),
        make((field("a") + ";" * MAX_HEAD_BYTES, b"x")),
        make((f"{field('a')}\r\nContent-Transfer-Encoding: base64", b"a")),
        make(*[(field("a"), b"")] * (MAX_FIELDS + 1)),
        b"--B b\r\n\r\n\r\n--B b--",
    ],
)
def test_other_forms_are_dead_letters(body: bytes) -> None:
    """Headers are bounded, and so are fields."""
    with pytest.raises(PoisonMessageError):
        parse_multipart(body, TYPE)


def test_parts_are_not_opened() -> None:
    """A form within a form is text."""
    inner = b"--C\r\n" + field("id").encode() + b"\r\n\r\n7\r\n--C--"
    body = make((f"{field('outer')}\r\nContent-Type: multipart/mixed; boundary=C", inner))
    assert parse_multipart(body, TYPE) == {"outer": inner.decode()}


@given(st.binary(max_size=400), st.text(max_size=60))
def test_any_body_gives_fields_or_an_error(body: bytes, content_type: str) -> None:
    """Nothing else is raised."""
    for given_type in (TYPE, content_type):
        try:
            fields = parse_multipart(b"--B b\r\n" + field("a").encode() + body, given_type)
        except BridgeError:
            continue
        assert all(isinstance(text, str) for text in fields.values())


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "unicode_escape", "rot13", "zlib", "cp037", "utf-7", "x", "a\0"]
)
def test_only_character_sets_of_text_are_read(charset: str) -> None:
    """The time of some codecs grows with the square of the text; others hide what it says."""
    with pytest.raises(UnsupportedMediaTypeError):
        decode(b"abc", charset)


@pytest.mark.parametrize(
    "charset", ["UTF-8", "utf8", "ISO-8859-1", "latin1", "Windows-1251", "cp1252", "koi8-r", "GBK", "Big5"]
)
def test_usual_character_sets_are_read(charset: str) -> None:
    """In any case."""
    assert decode(b"abc", charset) == "abc"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a/b; charset=utf-8", "utf-8"),
        ('a/b; x=";charset=no"; Charset="utf-8"', "utf-8"),
        ('a/b;charset="a\\"b"', 'a"b'),
        ("a/b", None),
        ("a/b; charset", None),
        ("a/b; xcharset=1", None),
        (";" * 100_000 + "charset=utf-8", None),
    ],
)
def test_parameters_are_found(header: str, expected: str | None) -> None:
    """Quoted or not, near the header's start."""
    assert find_parameter(header, "charset") == expected
