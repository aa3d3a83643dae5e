"""Settings of tokens and certificates: which go together, and which exclude each other."""

from pathlib import Path

import pytest

from bridge.core.errors import ConfigurationError
from tests.support.settings import settings_of


def test_oauth_token_among_the_secrets_stays_a_file(tmp_path: Path) -> None:
    """It may be renewed there; a token in the environment or in another file has priority."""
    token = tmp_path / "SMS_BRIDGE_KAFKA__SASL_PASSWORD"
    token.write_text("from-a-file\n")
    oauth = {"SECRETS_DIR": str(tmp_path), "KAFKA__SASL_MECHANISM": "OAUTHBEARER"}
    for changes, file in (
        ({}, token),
        ({"KAFKA__SASL_PASSWORD": "from-the-environment"}, None),
        ({"KAFKA__SASL_MECHANISM": "PLAIN"}, None),
    ):
        kafka = settings_of(**{**oauth, **changes}).kafka
        assert kafka.oauth.token_file == file
        assert (kafka.sasl_password is None) == (file is not None)
    with pytest.raises(ConfigurationError, match="KAFKA__OAUTH__TOKEN_FILE"):
        settings_of(**oauth, KAFKA__OAUTH__TOKEN_FILE="other")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"CLIENT_ID": "x"}, "KAFKA__OAUTH__TOKEN_URL is needed when KAFKA__OAUTH__CLIENT_ID"),
        ({"TOKEN_URL": "https://x/token", "CLIENT_ID": "x"}, "KAFKA__OAUTH__CLIENT_SECRET is needed"),
        ({"TOKEN_URL": "x/token"}, "KAFKA__OAUTH__TOKEN_URL should be a URL"),
        ({"TOKEN_URL": "https://user:word@x/token"}, "KAFKA__OAUTH__TOKEN_URL should be a URL"),
        (
            {"TOKEN_URL": "https://x/token", "CLIENT_ID": "x", "CLIENT_SECRET": "x", "TOKEN_FILE": "x"},
            "KAFKA__OAUTH__TOKEN_URL and KAFKA__OAUTH__TOKEN_FILE are both set",
        ),
    ],
)
def test_incomplete_oauth_settings_are_named(changes: dict[str, str], named: str) -> None:
    """The error names the setting that is missing or superfluous, and no secret."""
    with pytest.raises(ConfigurationError, match=named) as caught:
        settings_of(**{f"KAFKA__OAUTH__{name}": value for name, value in changes.items()})
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("given", ["HTTP__TLS_CERT", "HTTP__TLS_KEY"])
def test_half_a_certificate_is_named(given: str) -> None:
    """The listener would not use TLS."""
    with pytest.raises(ConfigurationError, match="HTTP__TLS_CERT and HTTP__TLS_KEY are needed together"):
        settings_of(**{given: "file"})
