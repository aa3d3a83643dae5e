"""Tokens for Amazon MSK, made by the vendor's package. Signing needs no network."""

import base64
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.core.errors import ConfigurationError
from bridge.kafka.security import connection_options
from bridge.kafka.tokens import TokenError, TokenProvider
from tests.support.settings import settings_of

BROKERS = "b-1.sms.abc123.c2.kafka.eu-west-1.amazonaws.com:9098,b-2.sms.abc123.c2.kafka.eu-west-1.amazonaws.com:9098"
SECRET = "a-secret-access-key-of-the-tests"


def provider_for(**changes: str) -> TokenProvider:
    """Return what the client library asks for tokens."""
    settings = {
        "KAFKA__BOOTSTRAP_SERVERS": BROKERS,
        "KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA__SASL_MECHANISM": "AWS_MSK_IAM",
        **changes,
    }
    options = connection_options(settings_of(**settings).kafka)
    assert options["sasl_mechanism"] == "OAUTHBEARER"
    provider: TokenProvider = options["sasl_oauth_token_provider"]
    return provider


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of this machine."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "region"),
    [
        ({}, "eu-west-1"),
        ({"KAFKA__BOOTSTRAP_SERVERS": "boot-x.c1.kafka-serverless.us-east-2.amazonaws.com:9098"}, "us-east-2"),
        ({"KAFKA__BOOTSTRAP_SERVERS": "kafka.example.com:9098", "KAFKA__AWS_REGION": "eu-north-1"}, "eu-north-1"),
    ],
)
async def test_token_is_a_signed_request(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], region: str) -> None:
    """It is for the cluster's region, and kept until shortly before its end."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    provider = provider_for(**changes)
    token = await provider.token()
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    query = parse_qs(url.query)
    assert url.hostname == f"kafka.{region}.amazonaws.com"
    assert query["Action"] == ["kafka-cluster:Connect"]
    assert query["X-Amz-Credential"][0].startswith("AKIDEXAMPLE/")
    assert query["X-Amz-Credential"][0].endswith(f"/{region}/kafka-cluster/aws4_request")
    assert SECRET not in url.query
    assert await provider.token() == token


async def test_missing_credentials_are_one_line() -> None:
    """The line names the remedy."""
    with pytest.raises(TokenError, match=r"^SMS_BRIDGE_KAFKA__SASL_MECHANISM: no AWS credentials .* give the process"):
        await provider_for().token()


def test_unknown_region_is_named() -> None:
    """A broker's name of one's own doesn't tell it."""
    with pytest.raises(ConfigurationError, match="KAFKA__AWS_REGION is missing"):
        provider_for(KAFKA__BOOTSTRAP_SERVERS="kafka.example.com:9098")


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says how to install it."""
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'sms-bridge\[msk\]'"):
        provider_for()
