"""Tokens that others issue: a file is read each time, and only a token is sent."""

import sys
from pathlib import Path

import pytest

from bridge.core.errors import ConfigurationError
from bridge.kafka.security import connection_options
from bridge.kafka.tokens import MAX_TOKEN_BYTES, FileToken, FixedToken, TokenError
from tests.support.settings import settings_of

OAUTH = {"KAFKA__SECURITY_PROTOCOL": "SASL_SSL", "KAFKA__SASL_MECHANISM": "OAUTHBEARER"}


async def test_file_is_read_each_time(tmp_path: Path) -> None:
    """White space around the token doesn't belong to it."""
    file = tmp_path / "token"
    for token in ("abc.def-1_2~3+4/5==", "other"):
        file.write_text(f" {token}\n")
        assert await FileToken(file).fetch() == token


@pytest.mark.parametrize("text", ["", "\n", "two words", "a\x01auth=b", "a\nb", "ü", "x" * (MAX_TOKEN_BYTES + 1)])
async def test_what_is_no_token_is_not_sent(tmp_path: Path, text: str) -> None:
    """It could be taken for another part of Kafka's message."""
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(TokenError, match=r"^SMS_BRIDGE_KAFKA__OAUTH__TOKEN_FILE: ") as caught:
        await FileToken(file).fetch()
    assert len(str(caught.value)) < 200
    with pytest.raises(TokenError, match=r"^SMS_BRIDGE_KAFKA__SASL_PASSWORD: "):
        await FixedToken(text).fetch()


async def test_missing_file_names_the_setting(tmp_path: Path) -> None:
    """The file may come later."""
    with pytest.raises(TokenError, match=r"^SMS_BRIDGE_KAFKA__OAUTH__TOKEN_FILE: .* can't be read"):
        await FileToken(tmp_path / "none").fetch()


def test_oauth_needs_a_source() -> None:
    """Without one the error names the settings."""
    with pytest.raises(ConfigurationError, match="KAFKA__OAUTH__TOKEN_URL is missing"):
        connection_options(settings_of(**OAUTH).kafka)


def test_kerberos_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says how to install it."""
    monkeypatch.setitem(sys.modules, "gssapi", None)
    settings = settings_of(KAFKA__SECURITY_PROTOCOL="SASL_SSL", KAFKA__SASL_MECHANISM="GSSAPI")
    with pytest.raises(ConfigurationError, match=r"KAFKA__SASL_MECHANISM: GSSAPI needs .* pip install gssapi"):
        connection_options(settings.kafka)
