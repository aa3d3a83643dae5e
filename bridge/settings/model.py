"""Every setting of the service, with its default: names, kinds and what goes together. Nothing is done with them here.

Read from `SMS_BRIDGE_...` variables, `__` between group and member; secrets also from the files of a folder
(`SMS_BRIDGE_SECRETS_DIR`), named like the variables. A wrong one stops the start with a line that names it. What stands
below a member is its row in docs/settings.md (`make docs`); the providers' members are in `providers.py`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bridge.core.attempt import Policy
from bridge.core.schedule import HOUR, SECOND
from bridge.settings.providers import DexatelSettings, ProviderName, SpeedocomSettings, WebhookSettings
from bridge.settings.types import Count, Duration, Group, Networks, Port, Start, Table, Texts, Where

PREFIX = "SMS_BRIDGE_"


class KafkaSettings(Group):
    """How to reach Kafka."""

    bootstrap_servers: Texts
    """`host:port` of some brokers."""
    group_id: str = "sms-bridge"
    """Prefix of consumer groups (`.intake`, `.tracker`) and transactional ids."""
    group_instance_id: str | None = None
    """Static membership: one fixed name a replica, such as a StatefulSet's pod name."""
    create_topics: bool = True
    """Make the bridge's own topics when they are missing."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to connect."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] = "PLAIN"
    """How to log in; with `OAUTHBEARER` the password is the token."""
    sasl_username: str | None = None
    """As whom."""
    sasl_password: SecretStr | None = None
    """With what."""
    ssl_cafile: Path | None = None
    """PEM: the authorities to trust; the system's without."""
    ssl_certfile: Path | None = None
    """PEM: the client's certificate, where Kafka wants one."""
    ssl_keyfile: Path | None = None
    """PEM: its key."""
    ssl_key_password: SecretStr | None = None
    """Of that key."""
    ssl_check_hostname: bool = True
    """The broker's name must be in its certificate."""
    compression: Literal["lz4", "gzip", "snappy", "zstd", "none"] = "lz4"
    """Of all that is written."""


class TopicSettings(Group):
    """What the topics are called, and how big new ones are."""

    sent: Texts = ("sms.sent",)
    """Where sent events come from, one topic or several; never created."""
    delivery: str = "sms.delivery"
    """The events."""
    latest: str = ""
    """A compacted view beside them, such as `sms.delivery.latest`: each attempt's last event, keyed by
    `provider:account:provider_message_id`, in the same transaction. Empty: none."""
    journal: str = "sms-bridge.journal"
    """Everything learnt, for 7 days."""
    state: str = "sms-bridge.state"
    """What is known, compacted."""
    dead_letter: str = "sms-bridge.dead-letter"
    """What could not be used."""
    journal_partitions: Count = 24
    """Of journal and state when they are made; can't change later."""
    delivery_partitions: Count = 12
    """Of the events' topic when it is made."""
    replication: Annotated[int, Field(ge=-1)] = -1
    """Of new topics; -1: the broker's default."""


class SentSettings(Group):
    """How to read somebody else's sent events."""

    fields: Table = Field(default_factory=dict)
    """Our name → JSON pointer into your event: `{"message_id":"/data/id"}`."""
    constants: Table = Field(default_factory=dict)
    """Members that every event has: `{"provider":"dexatel"}`."""
    providers: Table = Field(default_factory=dict)
    """Your names of providers → ours."""
    where: Where = Field(default_factory=dict)
    """Only events with one of these values: `{"/type":["sms.sent"]}`."""
    start: Start = "horizon"
    """Where to begin without offsets; `horizon`: the give-up time ago."""


class HttpSettings(Group):
    """The public listener: callbacks and nothing else."""

    host: str = "0.0.0.0"  # noqa: S104 - it runs in a container; the port is the boundary
    """The address to listen on."""
    port: Port = 8080
    """Its port."""
    ack_timeout: Duration = 5 * SECOND
    """How long a callback waits for Kafka before it is answered 503."""
    max_waiting: Count = 1000
    """Callbacks of each provider that may wait for Kafka; more are answered 503."""
    trusted_proxies: Networks = ()
    """Whose `X-Forwarded-For` or `Forwarded` is believed; where both are there and disagree, neither is."""
    tls_cert: Path | None = None
    """PEM; with it, only TLS (1.2 or later) is spoken."""
    tls_key: Path | None = None
    """PEM."""


class AdminSettings(Group):
    """The listener for probes and metrics; not for the internet."""

    host: str = "0.0.0.0"  # noqa: S104 - the same
    """The address to listen on."""
    port: Port = 9090
    """Its port."""
    token: SecretStr | None = None
    """Opens the status page and `/api/...` from other machines; without one they are not there for them."""


class StateSettings(Group):
    """Where the cache of the state topic lives."""

    directory: Path = Path("state")
    """A folder; what is in it may be lost."""


class FollowSettings(Group):
    """How long attempts and early reports are kept."""

    max_follow: Duration = 7 * 24 * HOUR
    """The longest that any attempt is followed."""
    park_for: Duration = 6 * HOUR
    """How long a report waits for its sent event."""
    park_max: Count = 100_000
    """Attempts that may wait so, a partition."""
    remember_for: Duration = 24 * HOUR
    """How long a final status is remembered, at least until the attempt's end."""
    unmatched: Literal["dead-letter", "count"] = "dead-letter"
    """Reports that nobody sent for; `count`: for accounts that other systems use too."""
    emit: Literal["all", "final"] = "all"
    """What is published; `final`: no interim events."""

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
    """`hash`: HMAC-SHA-256 of the digits."""
    hash_key: SecretStr | None = None
    """Needed for `hash`."""

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        if self.recipient == "hash" and self.hash_key is None:
            raise ValueError("PRIVACY__HASH_KEY is needed when PRIVACY__RECIPIENT is hash")
        return self


class RegistrySettings(Group):
    """A schema registry, as Confluent's and those that speak like it."""

    url: str = ""
    """Where it is; the schema of what is published is registered at start. Empty: there is none."""
    username: str | None = None
    """As whom, where it asks."""
    password: SecretStr | None = None
    """With what."""
    wire_format: bool = False
    """Put the registry's five bytes before every value, so that Confluent's deserializers read it."""

    @model_validator(mode="after")
    def _framed(self) -> Self:
        if self.wire_format and not self.url:
            raise ValueError("REGISTRY__URL is needed when REGISTRY__WIRE_FORMAT is true")
        return self


class LogSettings(Group):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is said."""
    format: Literal["auto", "json", "console"] = "auto"
    """`auto`: JSON unless on a terminal."""


class EventSettings(Group):
    """What events say about where they come from."""

    source: str | None = None
    """The events' `ce_source`; `/sms-bridge/{group id}` without."""


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
    dexatel: DexatelSettings = DexatelSettings()
    speedocom: SpeedocomSettings = SpeedocomSettings()
    webhooks: dict[ProviderName, WebhookSettings] = Field(default_factory=dict)
    registry: RegistrySettings = RegistrySettings()
    log: LogSettings = LogSettings()
    events: EventSettings = EventSettings()

    @property
    def event_source(self) -> str:
        """The `ce_source` of every event."""
        return self.events.source or f"/sms-bridge/{self.kafka.group_id}"
