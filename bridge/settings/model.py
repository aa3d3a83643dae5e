"""Every setting of the service: its name, type, default and meaning, and the checks across settings.

A setting is read from the variable `SMS_BRIDGE_{GROUP}__{MEMBER}`; see `loading.py`. The docstring below a member is
its row in docs/settings.md (`make docs`). The settings of the connection to Kafka are in `kafka.py`, those of the two
ports in `listeners.py`, and those of providers in `providers.py`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bridge.core.attempt import Policy
from bridge.core.schedule import HOUR
from bridge.settings.kafka import KafkaSettings
from bridge.settings.listeners import AdminSettings, HttpSettings
from bridge.settings.providers import DexatelSettings, ProviderName, SpeedocomSettings, WebhookSettings
from bridge.settings.secrets import Credential, Key
from bridge.settings.topic_names import OptionalTopicName, TopicName, TopicNames, check_distinct
from bridge.settings.types import (
    Count,
    Duration,
    Fields,
    Group,
    Pointer,
    Start,
    Table,
    TopicConfig,
    Where,
)
from bridge.settings.urls import Url
from bridge.text import suggest_similar

PREFIX = "SMS_BRIDGE_"


class TopicSettings(Group):
    """Names of the topics, and sizes of the topics that the bridge creates."""

    sent: TopicNames = ("sms.sent",)
    """Topics that sent events are read from; never created."""
    delivery: TopicName = "sms.delivery"
    """Topic that delivery events are published to."""
    latest: OptionalTopicName = ""
    """Compacted topic of each attempt's latest event, such as `sms.delivery.latest`, keyed by
    `provider:account:provider_message_id` and written in the same transaction. Empty: no such topic."""
    journal: TopicName = "sms-bridge.journal"
    """Journal: all sent events and reports, kept for 7 days."""
    state: TopicName = "sms-bridge.state"
    """State of every attempt, compacted."""
    dead_letter: TopicName = "sms-bridge.dead-letter"
    """Dead letters: input that the bridge could not use."""
    journal_partitions: Count = 24
    """Partitions of the journal and state topics when they are created; can't change later."""
    delivery_partitions: Count = 12
    """Partitions of the delivery topic when it is created."""
    replication: Annotated[int, Field(ge=-1)] = -1
    """Replication factor of created topics; -1: the broker's default."""
    config: TopicConfig = Field(default_factory=dict)
    """Kafka's settings of topics when they are created, by topic, instead of the bridge's own; null leaves one to the
    broker: `{"sms-bridge.state":{"segment.ms":null}}`."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        own = {name: getattr(self, name) for name in ("delivery", "latest", "journal", "state", "dead_letter")}
        named = [(f"TOPICS__{setting.upper()}", name) for setting, name in own.items() if name]
        check_distinct([*(("TOPICS__SENT", name) for name in self.sent), *named])
        if unknown := self.config.keys() - {name for _, name in named}:
            advice = suggest_similar(min(unknown), (name for _, name in named if not min(unknown).startswith(name)))
            raise ValueError(
                f"TOPICS__CONFIG has {min(unknown)!r}, which the bridge doesn't create; "
                + (advice or "name one of the bridge's own topics")
            )
        return self


class SentSettings(Group):
    """How to read sent events, in whatever format the sender writes them."""

    format: Literal["json", "avro"] = "json"
    """Format of the records; `avro`: as Confluent's serializers write it, with schemas from `REGISTRY__URL`."""
    fields: Fields = Field(default_factory=dict)
    """Member name → its place: a JSON pointer into your event (`{"message_id":"/data/id"}`), `key:`, `header:NAME` or
    `timestamp:`, or a list of them."""
    constants: Table = Field(default_factory=dict)
    """Members with the same value in every event: `{"provider":"dexatel"}`."""
    providers: Table = Field(default_factory=dict)
    """Your name of a provider → its name in these settings."""
    where: Where = Field(default_factory=dict)
    """Read only events with one of these values: `{"/type":["sms.sent"]}`."""
    each: Pointer = None
    """JSON pointer to an array of attempts, if a record has several: `/recipients`."""
    start: Start = "horizon"
    """Where to start without committed offsets; `horizon`: as far back as the longest `GIVE_UP_AFTER`."""


class StateSettings(Group):
    """Where the cache of the state topic is kept."""

    directory: Path = Path("state")
    """Folder of the cache; it is rebuilt if its contents are lost."""
    standby: Literal["all", "none"] = "all"
    """Which other processes' partitions are cached as well, so that a takeover takes seconds; each tracker then reads
    the whole state topic and keeps all of it on its disk. The chart sets `none` for more than 3 trackers."""


class FollowSettings(Group):
    """How long attempts and early reports are followed."""

    max_follow: Duration = 7 * 24 * HOUR
    """Maximum time that any attempt is followed, from its `sent_at` on."""
    park_for: Duration = 6 * HOUR
    """How long an early report waits for its sent event."""
    park_max: Count = 100_000
    """Maximum number of attempts of a partition whose reports wait for a sent event."""
    remember_for: Duration = 24 * HOUR
    """How long a final status is remembered, but at least until the attempt's deadline."""
    unmatched: Literal["dead-letter", "count"] = "dead-letter"
    """What to do with reports without a sent event; `count`: only count them (accounts shared with other systems)."""
    emit: Literal["all", "final"] = "all"
    """Which events are published; `final`: no interim events."""

    def to_policy(self) -> Policy:
        """Collect the settings that the rules of the core depend on."""
        return Policy(
            max_follow=self.max_follow,
            park_for=self.park_for,
            remember_for=self.remember_for,
            dead_letter_unmatched=self.unmatched == "dead-letter",
            emit_interim=self.emit == "all",
        )


class PrivacySettings(Group):
    """How phone numbers are stored and published."""

    recipient: Literal["keep", "hash", "drop"] = "keep"
    """`keep`: as they are; `hash`: HMAC-SHA-256 of the digits; `drop`: not at all."""
    hash_key: Key = None
    """Key of the HMAC; required for `hash`."""

    @model_validator(mode="after")
    def _check_hash_key(self) -> Self:
        if self.recipient == "hash" and self.hash_key is None:
            raise ValueError("PRIVACY__HASH_KEY is needed when PRIVACY__RECIPIENT is hash")
        return self


class RegistrySettings(Group):
    """A schema registry: Confluent's or a compatible one."""

    url: Url = ""
    """URL of the registry: the schema of the delivery events is registered there at start, and the schemas of Avro are
    fetched from there. Empty: no registry."""
    username: str | None = None
    """Username, if the registry requires one."""
    password: Credential = None
    """Password, if the registry requires one."""
    wire_format: bool = False
    """Put Confluent's five-byte prefix before every value, so that its deserializers can read it."""

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        if self.wire_format and not self.url:
            raise ValueError("REGISTRY__URL is needed when REGISTRY__WIRE_FORMAT is true")
        return self


class LogSettings(Group):
    """What is logged, and in which format."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum level of logged lines."""
    format: Literal["auto", "json", "console"] = "auto"
    """`auto`: JSON, except on a terminal."""


class EventSettings(Group):
    """Attributes of the published events."""

    source: str | None = None
    """`ce_source` of the events; by default `/sms-bridge/{group id}`."""


class Settings(BaseSettings):
    """All settings of the service."""

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

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        if self.sent.format == "avro" and not self.registry.url:
            raise ValueError("REGISTRY__URL is needed when SENT__FORMAT is avro: it has the schemas")
        return self

    @model_validator(mode="after")
    def _check_ports(self) -> Self:
        anywhere = {"0.0.0.0", "::"}  # noqa: S104 - it is compared, and no address to bind to
        hosts = {self.http.host, self.admin.host}
        if self.http.port == self.admin.port != 0 and (len(hosts) == 1 or hosts & anywhere):
            raise ValueError("HTTP__PORT and ADMIN__PORT should be different: callbacks have a port of their own")
        return self

    @property
    def event_source(self) -> str:
        """The `ce_source` of every published event."""
        return self.events.source or f"/sms-bridge/{self.kafka.group_id}"
