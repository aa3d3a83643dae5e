"""What is kept of phone numbers."""

import hmac

import orjson
import pytest
from pydantic import SecretStr

from bridge.privacy import Privacy
from bridge.settings.model import PrivacySettings

MEMBERS = frozenset({"to", "msisdn"})
HASHING = PrivacySettings(recipient="hash", hash_key=SecretStr("a key"))
HASHED = hmac.digest(b"a key", b"254700000001", "sha256").hex()


def test_numbers_are_kept_hashed_or_dropped() -> None:
    """A hash is of the digits alone, so that notations of one number agree; what is absent stays absent."""
    assert Privacy(PrivacySettings()).recipient("+254 700 000001") == "+254 700 000001"
    assert Privacy(HASHING).recipient("+254 700 000001") == HASHED
    assert Privacy(HASHING).recipient("254700000001") == HASHED
    assert Privacy(PrivacySettings(recipient="drop")).recipient("254700000001") is None
    assert Privacy(HASHING).recipient(None) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"data":{"To":"254700000001","id":"7"}}', f'{{"data":{{"To":"{HASHED}","id":"7"}}}}'),
        ('[{"msisdn":254700000001}]', f'[{{"msisdn":"{HASHED}"}}]'),
        ("id=7&to=%2B254700000001&status=sent", f"id=7&to={HASHED}&status=sent"),
    ],
)
def test_a_provider_s_words_are_redacted(raw: str, expected: str) -> None:
    """Members that hold a number are replaced wherever they are; the rest stays."""
    assert Privacy(HASHING).words(raw, MEMBERS) == expected


def test_kept_words_stay_byte_for_byte() -> None:
    """Where numbers are kept, the provider's words aren't touched."""
    raw = '{ "to" : "254700000001" }'
    assert Privacy(PrivacySettings()).words(raw, MEMBERS) == raw


def test_dropped_numbers_leave_an_empty_member() -> None:
    """A dropped number's member stays, empty."""
    words = Privacy(PrivacySettings(recipient="drop")).words('{"to":"254700000001"}', MEMBERS)
    assert orjson.loads(words) == {"to": ""}
