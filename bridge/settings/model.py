"""Every setting of the service, with its default: names, kinds and what goes together. Nothing is done with them here.

Read from `SMS_BRIDGE_...` variables, `__` between group and member; secrets also from the files of a folder
(`SMS_BRIDGE_SECRETS_DIR`), named like the variables. A wrong one stops the start with a line that names it.
"""

from datetime import UTC
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bridge.core.attempt import Policy
from bridge.core.schedule import FALLBACK, HOUR, SECOND
from bridge.settings.values import Duration, Networks, Schedule, Secrets, Start, Statuses, Table, Texts, Where, Zone

PREFIX = "SMS_BRIDGE_"
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]


class Group(BaseModel):
    """A group of settings: closed, so that a typing error is found, and silent about its values in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)


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


class CallbackNames(Group):
    """Parameter names of a callback, the first that is there counts."""

    id: Texts = ("message_uuid", "uuid", "sms_unique_id", "message_id", "id")
    status: Texts = ("status", "stat")
    error: Texts = ("err", "error", "error_code")
    time: Texts = ("timestamp", "date", "time")


class Account(Group):
    """One account at a provider: what both providers' accounts have."""

    base_url: str = ""
    poll: Schedule = FALLBACK
    poll_concurrency: Count = 16
    poll_timeout: Duration = 10 * SECOND
    rate_per_second: Annotated[float, Field(gt=0)] = 10
    give_up_after: Duration = 48 * HOUR
    callback_secrets: Secrets = ()
    allowed_networks: Networks = ()
    statuses: Statuses = Field(default_factory=dict)
    timezone: Zone = UTC


class DexatelAccount(Account):
    """One account at Dexatel."""

    give_up_after: Duration = 47 * HOUR
    api: Literal["legacy", "v1"] = "legacy"
    token: SecretStr | None = None
    poll_path: str = ""
    webhook_secret: SecretStr | None = None
    callback: CallbackNames = CallbackNames()

    def missing_for_polls(self) -> list[str]:
        """The members that polling needs and that aren't set."""
        needed = {"BASE_URL": self.base_url, "TOKEN": self.token}
        if self.api == "legacy":
            needed["POLL_PATH"] = self.poll_path if "{id}" in self.poll_path else ""
        return [name for name, value in needed.items() if not value]


class SpeedocomAccount(Account):
    """One account at Speedocom."""

    api_key: SecretStr | None = None
    partner_id: str | None = None

    def missing_for_polls(self) -> list[str]:
        """The members that polling needs and that aren't set."""
        needed = {"BASE_URL": self.base_url, "API_KEY": self.api_key, "PARTNER_ID": self.partner_id}
        return [name for name, value in needed.items() if not value]


class Dexatel(DexatelAccount):
    """The account `default` at Dexatel, and others by name."""

    enabled: bool | None = None
    accounts: dict[str, DexatelAccount] = Field(default_factory=dict)


class Speedocom(SpeedocomAccount):
    """The account `default` at Speedocom, and others by name."""

    enabled: bool | None = None
    accounts: dict[str, SpeedocomAccount] = Field(default_factory=dict)


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
    log: LogSettings = LogSettings()
    events: EventSettings = EventSettings()

    @property
    def event_source(self) -> str:
        """The `ce_source` of every event."""
        return self.events.source or f"/sms-bridge/{self.kafka.group_id}"
