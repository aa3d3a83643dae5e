"""The settings of the connection to Kafka."""

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from bridge.settings.types import Credential, Group, Texts


class OAuthSettings(Group):
    """Where the token for `OAUTHBEARER` comes from."""

    token_file: Path | None = None
    """File of the token, which another program renews. It is read anew for each connection."""


class KafkaSettings(Group):
    """How to connect to Kafka."""

    bootstrap_servers: Texts
    """`host:port` of one or more brokers."""
    group_id: str = "sms-bridge"
    """Prefix of consumer groups (`.intake`, `.tracker`) and transactional ids."""
    group_instance_id: str | None = None
    """Static membership: a fixed name for each replica, such as a StatefulSet's pod name."""
    create_topics: bool = True
    """Create the bridge's own topics if they are missing."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Kafka security protocol."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] = "PLAIN"
    """SASL mechanism; see [operating](operating.md#connect-to-a-secured-kafka)."""
    sasl_username: str | None = None
    """SASL username."""
    sasl_password: Credential = None
    """SASL password. With `OAUTHBEARER`: the token. In the folder of secrets it is read anew for each connection."""
    oauth: OAuthSettings = OAuthSettings()
    ssl_cafile: Path | None = None
    """PEM file of the trusted certificate authorities; by default the system's."""
    ssl_certfile: Path | None = None
    """PEM file of the client certificate, if Kafka requires one."""
    ssl_keyfile: Path | None = None
    """PEM file of the client certificate's private key."""
    ssl_key_password: Credential = None
    """Passphrase of the private key."""
    ssl_check_hostname: bool = True
    """Verify that the broker's certificate has the broker's host name."""
    compression: Literal["lz4", "gzip", "snappy", "zstd", "none"] = "lz4"
    """Compression of all records that the bridge writes."""

    @model_validator(mode="after")
    def _check_token_source(self) -> Self:
        if self.sasl_password is not None and self.oauth.token_file is not None:
            raise ValueError("KAFKA__SASL_PASSWORD and KAFKA__OAUTH__TOKEN_FILE are both set; unset one of them")
        return self
