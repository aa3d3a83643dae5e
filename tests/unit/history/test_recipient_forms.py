"""A phone number is found in whatever notation a person types it, and a sender wrote it."""

import pytest
from pydantic import SecretStr

from bridge.history.recipient_forms import is_national, is_phone_number, list_recipient_forms, make_recipient_matcher
from bridge.privacy import Privacy
from bridge.settings.listeners import AdminSettings
from bridge.settings.model import PrivacySettings

KEEP = Privacy(PrivacySettings())
HASH = Privacy(PrivacySettings(recipient="hash", hash_key=SecretStr("a key for the hashes 0123456789")))
WRITTEN = ("+447700900123", "447700900123", "0044 7700 900123", "+44 (0)7700 900-123", "+44.7700.900123")


@pytest.mark.parametrize("privacy", [KEEP, HASH], ids=["keep", "hash"])
@pytest.mark.parametrize("written", [*WRITTEN, "07700 900123"])
@pytest.mark.parametrize(
    "typed", ["07700 900123", "(07700) 900-123", "7700900123", "+44 7700 900123", "0044/7700/900123", "447700900123"]
)
def test_any_notation_finds_any_other(typed: str, written: str, privacy: Privacy) -> None:
    """With a default region, national forms find international ones and the other way round, hashed or not."""
    assert is_phone_number(typed)
    kept = privacy.redact_recipient(written)
    assert make_recipient_matcher(typed, "GB", privacy)(kept or "")


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("typed", ["+44 7700 900123", "00447700900123", "(+44) 7700 900123", "44 7700‑900123"])  # noqa: RUF001 - that hyphen comes from documents
def test_international_forms_need_no_region(typed: str, written: str) -> None:
    """They say themselves which country is meant."""
    assert is_phone_number(typed)
    assert make_recipient_matcher(typed, "", KEEP)(written)


@pytest.mark.parametrize(
    ("typed", "region", "other"),
    [
        ("07700 900123", "", "+447700900123"),
        ("07700 900123", "DE", "+447700900123"),
        ("+44 7700 900123", "DE", "07700900123"),  # a national number is one of the default region
        ("+447700900123", "GB", "+447700900124"),
        ("+44 7700 900123", "GB", "+4477009001234"),
    ],
)
def test_other_numbers_are_not_found(typed: str, region: str, other: str) -> None:
    """A national form means the default region's number, and no other."""
    assert not make_recipient_matcher(typed, region, KEEP)(other)


def test_hashed_numbers_match_exactly() -> None:
    """Another number's hash doesn't match; a number from before hashing does."""
    is_one = make_recipient_matcher("07700 900123", "GB", HASH)
    assert not is_one(HASH.redact_recipient("+447700900124") or "")
    assert is_one("+44 7700 900123")


@pytest.mark.parametrize("text", ["order-4711", "12345", "dexatel:1234567", "", "+", "()()()", "7" * 41, "²"])
def test_other_texts_are_no_numbers(text: str) -> None:
    """Ids with letters, and what is too short or too long."""
    assert not is_phone_number(text)


@pytest.mark.parametrize("digits", ["1" * 7, "0" * 30, "00", "9" * 40])
def test_impossible_numbers_are_compared_as_they_are(digits: str) -> None:
    """Nothing is refused: a sender may have written it."""
    assert digits in list_recipient_forms(digits, "DE")


def test_region_is_one_that_the_library_knows() -> None:
    """In either case; anything else is refused."""
    assert AdminSettings(default_region="de").default_region == "DE"
    assert AdminSettings().default_region == ""
    for wrong in ("XX", "Germany", "D", "001"):
        with pytest.raises(ValueError, match="ISO 3166"):
            AdminSettings(default_region=wrong)


@pytest.mark.parametrize(
    ("typed", "expected"), [("07700 900123", True), ("(0170) 12", True), ("0044 7700", False), ("+44 (0)7700", False)]
)
def test_national_forms_are_recognised(typed: str, expected: bool) -> None:  # noqa: FBT001 - a row of a table
    """Without a default region, the page says that they need one."""
    assert is_national(typed) is expected
