"""Every setting of the service, with its default: names, kinds and what goes together. Nothing is done with them here.

What can be set about providers stands in `providers.py`.

Read from `SMS_BRIDGE_...` variables, `__` between group and member; secrets also from the files of a folder
(`SMS_BRIDGE_SECRETS_DIR`), named like the variables. A wrong one stops the start with a line that names it.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bridge.core.attempt import Policy
from bridge.core.schedule import HOUR, SECOND
from bridge.settings.providers import Count, Dexatel, Group, ProviderName, Speedocom, Webhook
from bridge.settings.values import Duration, Networks, Start, Table, Texts, Where

PREFIX = "SMS_BRIDGE_"
Port = Annotated[int, Field(ge=0, le=65535)]


class KafkaSettings(Group):
    """How to reach Kafka."""

    bootstrap_servers: Texts
    group_id: str = "sms-bridge"
    group_instance_id: str | None = None
    create_topics: bool = True
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_key_password: SecretStr | None = None
    ssl_check_hostname: bool = True
    compression: Literal["lz4", "gzip", "snappy", "zstd", "none"] = "lz4"


class TopicSettings(Group):
    """What the topics are called, and how big new ones are."""

    sent: Texts = ("sms.sent",)
    delivery: str = "sms.delivery"
    journal: str = "sms-bridge.journal"
    state: str = "sms-bridge.state"
    dead_letter: str = "sms-bridge.dead-letter"
    journal_partitions: Count = 24
    delivery_partitions: Count = 12
    replication: Annotated[int, Field(ge=-1)] = -1


class SentSettings(Group):
    """How to read somebody else's sent events."""

    fields: Table = Field(default_factory=dict)
    constants: Table = Field(default_factory=dict)
    providers: Table = Field(default_factory=dict)
    where: Where = Field(default_factory=dict)
    start: Start = "horizon"


class HttpSettings(Group):
    """The public listener: callbacks and nothing else."""

    host: str = "0.0.0.0"  # noqa: S104 - it runs in a container; the port is the boundary
    port: Port = 8080
    ack_timeout: Duration = 5 * SECOND
    max_waiting: Count = 1000
    trusted_proxies: Networks = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None


class AdminSettings(Group):
    """The listener for probes and metrics."""

    host: str = "0.0.0.0"  # noqa: S104 - the same
    port: Port = 9090
    token: SecretStr | None = None


class StateSettings(Group):
    """Where the cache of the state topic lives."""

    directory: Path = Path("state")


class FollowSettings(Group):
    """How long attempts and early reports are kept."""

    max_follow: Duration = 7 * 24 * HOUR
    park_for: Duration = 6 * HOUR
    park_max: Count = 100_000
    remember_for: Duration = 24 * HOUR
    unmatched: Literal["dead-letter", "count"] = "dead-letter"
    emit: Literal["all", "final"] = "all"

    def policy(self) -> Policy:
        """What the rules need to know."""
        return Policy(
            max_follow=self.max_follow,
            park_for=self.park_for,
            remember_for=self.remember_for,
            dead_letter_unmatched=self.unmatched == "dead-letter",
            emit_interim=self.emit == "all",
        )


class PrivacySettings(Group):
    """What is kept of phone numbers."""

    recipient: Literal["keep", "hash", "drop"] = "keep"
    hash_key: SecretStr | None = None

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        if self.recipient == "hash" and self.hash_key is None:
            raise ValueError("PRIVACY__HASH_KEY is needed when PRIVACY__RECIPIENT is hash")
        return self


class LogSettings(Group):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class EventSettings(Group):
    """What events say about where they come from."""

    source: str | None = None


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    kafka: KafkaSettings
    topics: TopicSettings = TopicSettings()
    sent: SentSettings = SentSettings()
    http: HttpSettings = HttpSettings()
    admin: AdminSettings = AdminSettings()
    state: StateSettings = StateSettings()
    follow: FollowSettings = FollowSettings()
    privacy: PrivacySettings = PrivacySettings()
    dexatel: Dexatel = Dexatel()
    speedocom: Speedocom = Speedocom()
    webhooks: dict[ProviderName, Webhook] = Field(default_factory=dict)
    log: LogSettings = LogSettings()
    events: EventSettings = EventSettings()

    @property
    def event_source(self) -> str:
        """The `ce_source` of every event."""
        return self.events.source or f"/sms-bridge/{self.kafka.group_id}"
