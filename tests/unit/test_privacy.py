"""How phone numbers are redacted."""

import base64
import hmac

import orjson
import pytest
from pydantic import SecretStr

from bridge.privacy import ALL_RECIPIENT_MEMBERS, Privacy
from bridge.providers.dexatel import Dexatel
from bridge.providers.dialect import Dialect
from bridge.providers.speedocom import Speedocom
from bridge.settings.model import PrivacySettings

MEMBERS = frozenset({"to", "msisdn"})
HASHING = PrivacySettings(recipient="hash", hash_key=SecretStr("the-key-of-hashes"))
HASHED = hmac.digest(b"the-key-of-hashes", b"254700000001", "sha256").hex()


def test_numbers_are_kept_hashed_or_dropped() -> None:
    """The hash is of the digits only, so that all notations of a number agree; a missing number stays missing."""
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
def test_a_providers_text_is_redacted(raw: str, expected: str) -> None:
    """Members that have a number are replaced at any depth; the rest stays."""
    assert Privacy(HASHING).redact_raw(raw, MEMBERS) == expected


def test_kept_text_stays_byte_for_byte() -> None:
    """If numbers are redacted, the text is not changed."""
    raw = '{ "to" : "254700000001" }'
    assert Privacy(PrivacySettings()).redact_raw(raw, MEMBERS) == raw


def test_dropped_numbers_leave_an_empty_member() -> None:
    """A dropped number's member stays, empty."""
    redacted = Privacy(PrivacySettings(recipient="drop")).redact_raw('{"to":"254700000001"}', MEMBERS)
    assert orjson.loads(redacted) == {"to": ""}


@pytest.mark.parametrize("dialect", [Dexatel("default"), Speedocom("default")])
def test_dead_letters_know_every_name_that_a_provider_uses(dialect: Dialect) -> None:
    """A member that is redacted in the journal is emptied in a dead letter."""
    assert dialect.recipient_members <= ALL_RECIPIENT_MEMBERS


DROPPING = PrivacySettings(recipient="drop")


@pytest.mark.parametrize("settings", [HASHING, DROPPING], ids=["hash", "drop"])
@pytest.mark.parametrize(
    ("value", "redacted"),
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
def test_what_a_dead_letter_holds_has_no_recipient(settings: PrivacySettings, value: bytes, redacted: bytes) -> None:
    """Members are emptied by name; without members, all that looks like a number is removed. The rest stays."""
    privacy = Privacy(settings, ["cell"])
    assert privacy.redact_original(None, value).value == redacted
    assert Privacy(PrivacySettings()).redact_original(b"254700000001", value) == (b"254700000001", value)


def test_encoded_data_is_looked_into() -> None:
    """A CloudEvent may have its data in base64."""
    encoded = base64.b64encode(b'{"recipient":"254700000001"}').decode()
    redacted = Privacy(DROPPING).redact_original(None, orjson.dumps({"data_base64": encoded})).value
    assert base64.b64decode(orjson.loads(redacted or b"")["data_base64"]) == b'{"recipient":null}'


@pytest.mark.parametrize(
    ("key", "value", "redacted"),
    [
        (b"254700000001", b'{"recipient":"+254 700 000001"}', None),
        (b"1234567890", b'{"recipient":"+254 700 000001"}', b"1234567890"),
        (b"+254700000001", b"not JSON", None),
        (b"order-1234567890", b"not JSON", b"order-1234567890"),
    ],
)
def test_a_key_may_be_a_number_too(key: bytes, value: bytes, redacted: bytes | None) -> None:
    """Some senders key their events by recipient."""
    assert Privacy(DROPPING).redact_original(key, value).key == redacted


def test_an_error_has_no_number() -> None:
    """Errors quote input, and are written to logs and headers."""
    assert Privacy(DROPPING).redact_text("254700000001 is no text") == "… is no text"
    assert Privacy(PrivacySettings()).redact_text("254700000001 is no text") == "254700000001 is no text"


def test_text_with_a_byte_order_mark_is_redacted() -> None:
    """A document with the mark is redacted like any other."""
    redacted = Privacy(DROPPING).redact_raw('\ufeff{"to":"254700000001","id":"7"}', MEMBERS)
    assert orjson.loads(redacted) == {"to": "", "id": "7"}
