"""Forms of ids: a provider may report a message's id in another form than the one it returned for it. Pure.

An account's forms are applied, in their order, to the ids of sent events and of reports; then both are compared.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

CUT = "cut:"
"""Begins the form that leaves out a character and all behind it, such as `cut::` for a part's number."""

MAX_HEXADECIMAL_CHARS = 16
"""A longer id of hexadecimal digits is no 64-bit number."""


MAX_DECIMAL_CHARS = 20
"""A longer id of digits is no 64-bit number."""


class IdForm(NamedTuple):
    """How an id is changed."""

    sent: Callable[[str], str]
    """In sent events."""
    reported: Callable[[str], str]
    """In reports."""


def _keep(text: str) -> str:
    return text


def _strip_leading_zeros(text: str) -> str:
    return text.lstrip("0") or text


def _strip_braces(text: str) -> str:
    return text.strip("{}") or text


def _convert_hexadecimal(text: str) -> str:
    try:
        return str(int(text, 16)) if len(text) <= MAX_HEXADECIMAL_CHARS and text.isalnum() else text
    except ValueError:
        return text


def _cut(text: str, separator: str) -> str:
    return text.partition(separator)[0] or text


FORMS: Mapping[str, IdForm] = {
    "casefold": IdForm(str.casefold, str.casefold),
    "strip-leading-zeros": IdForm(_strip_leading_zeros, _strip_leading_zeros),
    "strip-braces": IdForm(_strip_braces, _strip_braces),
    "hexadecimal-sent": IdForm(_convert_hexadecimal, _keep),
    "hexadecimal-reported": IdForm(_keep, _convert_hexadecimal),
}


class IdForms(NamedTuple):
    """The forms of an account's ids."""

    forms: tuple[IdForm, ...] = ()

    def unify_sent(self, text: str) -> str:
        """Bring the id of a sent event into the form in which ids are compared."""
        for form in self.forms:
            text = form.sent(text)
        return text

    def unify_reported(self, text: str) -> str:
        """Bring the id of a report into the form in which ids are compared."""
        for form in self.forms:
            text = form.reported(text)
        return text


def parse_id_forms(names: Sequence[str]) -> IdForms:
    """Look forms up by their names.

    Raises:
        ValueError: There is no such form.
    """
    return IdForms(tuple(_parse_form(name) for name in names))


def list_variants(reported: str) -> Iterator[tuple[str, str]]:
    """List the forms that could be missing, each with the id that the sent event would then have.

    Not every such id can be guessed: one in mixed case, or one that itself ends with what is cut, isn't found.
    """
    yield from (("casefold", text) for text in (reported.lower(), reported.upper()))
    yield from (("strip-leading-zeros", text) for text in (reported.lstrip("0"), f"0{reported}", f"00{reported}"))
    yield from ((f"{CUT}{separator}", reported.partition(separator)[0]) for separator in ":-_./")
    yield from (("strip-braces", text) for text in (reported.strip("{}"), f"{{{reported}}}"))
    yield "hexadecimal-reported", _convert_hexadecimal(reported)
    if reported.isascii() and reported.isdigit() and len(reported) <= MAX_DECIMAL_CHARS:
        yield from (("hexadecimal-sent", f"{int(reported):{case}}") for case in "xX")


def _parse_form(name: str) -> IdForm:
    if name.startswith(CUT) and len(name) > len(CUT):
        cut = partial(_cut, separator=name.removeprefix(CUT))
        return IdForm(cut, cut)
    if name not in FORMS:
        raise ValueError(f"should be a list of {', '.join(FORMS)} and {CUT}<character>")
    return FORMS[name]
