"""The settings of the connection to Kafka."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from bridge.settings.secrets import Credential
from bridge.settings.types import Group, Texts
from bridge.settings.urls import UrlWithQuery


def _check_addresses(addresses: tuple[str, ...]) -> tuple[str, ...]:
    for address in addresses:
        if "/" in address:
            raise ValueError("should be host:port, without a scheme such as http:// or a path")
        host, _, port = address.rpartition(":")
        if not host or not port.isascii() or not port.isdigit():
            raise ValueError("should be host:port, with commas between several brokers")
    return addresses


class OAuthSettings(Group):
    """Where the token for `OAUTHBEARER` comes from."""

    token_file: Path | None = None
    """File of the token, which another program renews. It is read anew for each connection."""
    token_url: UrlWithQuery = ""
    """URL at which an OAuth server issues tokens to a client with an id and a secret."""
    client_id: str | None = None
    """Id of the client."""
    client_secret: Credential = None
    """Secret of the client."""
    scope: str = ""
    """Scopes to ask for, separated by spaces, if the server requires some."""
    ca_file: Path | None = None
    """PEM file of the certificate authorities of the OAuth server; by default the system's."""

    @model_validator(mode="after")
    def _check_client(self) -> Self:
        for name in ("client_id", "client_secret"):
            if bool(self.token_url) != bool(getattr(self, name)):
                missing, given = (name, "token_url") if self.token_url else ("token_url", name)
                raise ValueError(f"KAFKA__OAUTH__{missing.upper()} is needed when KAFKA__OAUTH__{given.upper()} is set")
        return self


class KafkaSettings(Group):
    """How to connect to Kafka."""

    bootstrap_servers: Annotated[Texts, AfterValidator(_check_addresses)]
    """`host:port` of one or more brokers."""
    group_id: str = "sms-bridge"
    """Prefix of consumer groups (`.intake`, `.tracker`) and transactional ids."""
    group_instance_id: str | None = None
    """Static membership: a fixed name for each replica, such as a StatefulSet's pod name."""
    create_topics: bool = True
    """Create the bridge's own topics if they are missing."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Kafka security protocol."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM", "GSSAPI"] = "PLAIN"
    """SASL mechanism; see [operating](operating.md#connect-to-a-secured-kafka)."""
    sasl_username: str | None = None
    """SASL username."""
    sasl_password: Credential = None
    """SASL password. With `OAUTHBEARER`: the token. In the folder of secrets it is read anew for each connection."""
    oauth: OAuthSettings = OAuthSettings()
    aws_region: str | None = None
    """AWS region of the cluster, for `AWS_MSK_IAM`; by default the one in the brokers' names."""
    ssl_cafile: Path | None = None
    """PEM file of the trusted certificate authorities; by default the system's. New connections use a changed file."""
    ssl_certfile: Path | None = None
    """PEM file of the client certificate, if Kafka requires one. New connections use a changed file."""
    ssl_keyfile: Path | None = None
    """PEM file of the client certificate's private key."""
    ssl_key_password: Credential = None
    """Passphrase of the private key."""
    ssl_check_hostname: bool = True
    """Verify that the broker's certificate has the broker's host name."""
    compression: Literal["gzip", "lz4", "snappy", "zstd", "none"] = "gzip"
    """Compression of all records that the bridge writes. Every client reads `gzip`; the others take less CPU, but
    kafkajs and aiokafka need another package for them."""

    @property
    def tracker_group(self) -> str:
        """The trackers' consumer group, whose offsets in the journal are the transactions'."""
        return f"{self.group_id}.tracker"

    @property
    def intake_group(self) -> str:
        """The intakes' consumer group."""
        return f"{self.group_id}.intake"

    @model_validator(mode="after")
    def _check_token_source(self) -> Self:
        sources = {
            "KAFKA__OAUTH__TOKEN_URL": self.oauth.token_url,
            "KAFKA__OAUTH__TOKEN_FILE": self.oauth.token_file,
            "KAFKA__SASL_PASSWORD": self.sasl_password,
        }
        given = [name for name, value in sources.items() if value]
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} are both set; unset one of them")
        return self
