"""How phone numbers are stored."""

import base64
import hmac

import orjson
import pytest
from pydantic import SecretStr

from bridge.privacy import RECIPIENTS, Privacy
from bridge.providers.dexatel import Dexatel
from bridge.providers.dialect import Dialect
from bridge.providers.speedocom import Speedocom
from bridge.settings.model import PrivacySettings

MEMBERS = frozenset({"to", "msisdn"})
HASHING = PrivacySettings(recipient="hash", hash_key=SecretStr("a key"))
HASHED = hmac.digest(b"a key", b"254700000001", "sha256").hex()


def test_numbers_are_kept_hashed_or_dropped() -> None:
    """The hash covers the digits only, so that formats of a number agree; an absent number stays absent."""
    assert Privacy(PrivacySettings()).redact_recipient("+254 700 000001") == "+254 700 000001"
    assert Privacy(HASHING).redact_recipient("+254 700 000001") == HASHED
    assert Privacy(HASHING).redact_recipient("254700000001") == HASHED
    assert Privacy(PrivacySettings(recipient="drop")).redact_recipient("254700000001") is None
    assert Privacy(HASHING).redact_recipient(None) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"data":{"To":"254700000001","id":"7"}}', f'{{"data":{{"To":"{HASHED}","id":"7"}}}}'),
        ('[{"msisdn":254700000001}]', f'[{{"msisdn":"{HASHED}"}}]'),
        ("id=7&to=%2B254700000001&status=sent", f"id=7&to={HASHED}&status=sent"),
    ],
)
def test_provider_text_is_redacted(raw: str, expected: str) -> None:
    """Members with a phone number are replaced; everything else is kept."""
    assert Privacy(HASHING).redact_raw(raw, MEMBERS) == expected


def test_kept_text_is_unchanged() -> None:
    """If numbers are kept, the provider's text isn't changed."""
    raw = '{ "to" : "254700000001" }'
    assert Privacy(PrivacySettings()).redact_raw(raw, MEMBERS) == raw


def test_dropped_number_leaves_an_empty_member() -> None:
    """The member stays, with an empty value."""
    words = Privacy(PrivacySettings(recipient="drop")).redact_raw('{"to":"254700000001"}', MEMBERS)
    assert orjson.loads(words) == {"to": ""}


@pytest.mark.parametrize("dialect", [Dexatel("default"), Speedocom("default")])
def test_dead_letters_redact_every_known_name(dialect: Dialect) -> None:
    """The names redacted in the journal are redacted in dead letters, too."""
    assert dialect.recipient_members <= RECIPIENTS


DROPPING = PrivacySettings(recipient="drop")


@pytest.mark.parametrize("settings", [HASHING, DROPPING], ids=["hash", "drop"])
@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (
            b'{"recipient":"+254 700 000001","id":"m-1234567890"}',
            b'{"recipient":null,"id":"m-1234567890"}',
        ),
        (b'{"data":[{"msisdn":254700000001}]}', b'{"data":[{"msisdn":null}]}'),
        (b'\0\0\0\0\x07{"To":"254700000001"}', b'\0\0\0\0\x07{"To":null}'),
        (b'{"customer":{"cell":"+254700000001"}}', b'{"customer":{"cell":null}}'),
        (b"message_uuid=%d&to=254700000001&x=%FF", b"message_uuid=%25d&to=&x=%FF"),
        (b'{"recipient": "+254 700 000001", ', '{"recipient": "…", '.encode()),
        (b"\xff to 254-700-000-001!", b"\xff to " + "…".encode() + b"!"),
        (b'"254700000001"', '"…"'.encode()),
        (b'{"id":7,  "x":"254700000001"}', b'{"id":7,  "x":"254700000001"}'),
    ],
)
def test_dead_letter_has_no_recipient(settings: PrivacySettings, value: bytes, kept: bytes) -> None:
    """Members are redacted by name, other text by pattern; the rest is unchanged."""
    privacy = Privacy(settings, ["cell"])
    assert privacy.redact_original(None, value).value == kept
    assert Privacy(PrivacySettings()).redact_original(b"254700000001", value) == (b"254700000001", value)


def test_encoded_data_is_redacted() -> None:
    """A CloudEvent may have its payload in Base64."""
    encoded = base64.b64encode(b'{"recipient":"254700000001"}').decode()
    kept = Privacy(DROPPING).redact_original(None, orjson.dumps({"data_base64": encoded})).value
    assert base64.b64decode(orjson.loads(kept or b"")["data_base64"]) == b'{"recipient":null}'


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        (b"254700000001", b'{"recipient":"+254 700 000001"}', None),
        (b"1234567890", b'{"recipient":"+254 700 000001"}', b"1234567890"),
        (b"+254700000001", b"not JSON", None),
        (b"order-1234567890", b"not JSON", b"order-1234567890"),
    ],
)
def test_key_may_be_a_number(key: bytes, value: bytes, kept: bytes | None) -> None:
    """Some senders use the recipient as the key."""
    assert Privacy(DROPPING).redact_original(key, value).key == kept


def test_quoted_input_has_no_number() -> None:
    """Errors quote input, and go into logs and headers."""
    assert Privacy(DROPPING).redact_text("254700000001 is no text") == "… is no text"
    assert Privacy(PrivacySettings()).redact_text("254700000001 is no text") == "254700000001 is no text"


def test_text_with_a_byte_order_mark_is_redacted() -> None:
    """The mark doesn't disable redaction."""
    words = Privacy(DROPPING).redact_raw('\ufeff{"to":"254700000001","id":"7"}', MEMBERS)
    assert orjson.loads(words) == {"to": "", "id": "7"}
