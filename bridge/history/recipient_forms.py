"""In which forms the topics may hold a phone number that a person typed. Pure.

Senders write recipients in any notation, and a hash can only be compared as a whole. Therefore, a number is turned into
every row of digits that a sender may have written for it.
"""

import re
from collections.abc import Callable

from bridge.phone_numbers import extract_digits
from bridge.privacy import Privacy
from bridge.settings.model import PREFIX

REGION_SETTING = f"{PREFIX}ADMIN__DEFAULT_REGION"

MIN_DIGITS = 6
"""Of what may be a phone number."""

_PHONE_NUMBER = re.compile(r"[+\d\s()./\u2010-\u2015-]{6,40}")
"""What people type for a phone number, hyphens and dashes of any width included."""

_INTERNATIONAL_PREFIX = "00"


def is_phone_number(text: str) -> bool:
    """Whether a text may be a phone number. It may be an id as well."""
    return bool(_PHONE_NUMBER.fullmatch(text.strip())) and len(extract_digits(text)) >= MIN_DIGITS


def is_national(typed: str) -> bool:
    """Whether a number looks like a national form: it begins with one zero."""
    digits = extract_digits(typed)
    return "+" not in typed and digits.startswith("0") and not digits.startswith(_INTERNATIONAL_PREFIX)


def list_recipient_forms(typed: str, region: str = "") -> frozenset[str]:
    """List the rows of digits that stand for a number: as typed, international, and national in the default region.

    Args:
        typed: The number, in any notation: `+49 170 1000007`, `0049-170-1000007`, `491701000007`, `(0170) 1000007`.
        region: The region whose national numbers are meant, as two letters; empty if none is.
    """
    digits = extract_digits(typed)
    forms = {digits} if digits else set()
    for code, national, trunk in _parse(typed, digits, region):
        forms |= {code + national, _INTERNATIONAL_PREFIX + code + national}
        forms.add(code + trunk)  # +49 (0)170 1000007
        if code == _find_country_code(region):
            forms |= {trunk, national}
    return frozenset(forms)


def make_recipient_matcher(typed: str, region: str, privacy: Privacy) -> Callable[[str], bool]:
    """Make what tells whether a recipient, as the topics have it, is the number that was typed.

    Args:
        typed: The number.
        region: The default region.
        privacy: Says how the topics have recipients. Records from before hashing was switched on hold the number.
    """
    forms = list_recipient_forms(typed, region)
    hashes = frozenset() if privacy.keeps else frozenset(map(privacy.redact_recipient, forms))
    return lambda recipient: recipient in hashes or extract_digits(recipient) in forms


def _parse(typed: str, digits: str, region: str) -> list[tuple[str, str, str]]:
    """Read a number in each way that makes sense: country code, national number, and that with its trunk prefix."""
    import phonenumbers  # noqa: PLC0415 - takes 0.2 s and 7 MB, and most processes never search for a number

    ways = [(typed, region or None)]
    if "+" not in typed:
        ways.append((f"+{digits.removeprefix(_INTERNATIONAL_PREFIX)}", None))
    numbers = []
    for text, default in ways:
        try:
            numbers.append(phonenumbers.parse(text, default))
        except phonenumbers.NumberParseException:
            continue
    possible = [number for number in numbers if phonenumbers.is_possible_number(number)]
    valid = [number for number in possible if phonenumbers.is_valid_number(number)]
    return [
        (
            str(number.country_code),
            phonenumbers.national_significant_number(number),
            extract_digits(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)),
        )
        for number in valid or possible
    ]


def _find_country_code(region: str) -> str:
    from phonenumbers import country_code_for_region  # noqa: PLC0415 - the same

    return str(country_code_for_region(region)) if region else ""
