"""The settings of providers and their accounts. `bridge/accounts.py` builds the accounts from them.

The docstring below a member is its row in docs/settings.md (`make docs`).
"""

import re
from datetime import UTC
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from bridge.core.delivery import DETAIL_NAMES
from bridge.core.schedule import FALLBACK, HOUR, SECOND
from bridge.settings.callbacks import AnswerSettings, BasicAuthSettings, HeaderAuthSettings, SignatureSettings
from bridge.settings.meanings import Codes, Statuses
from bridge.settings.secrets import Credential, Key, Secrets
from bridge.settings.types import (
    Choices,
    Count,
    Duration,
    Group,
    IdFormNames,
    Methods,
    Networks,
    Pointer,
    Pointers,
    PollAges,
    ReportsPointer,
    Texts,
    TimeFormats,
    Zone,
)
from bridge.settings.urls import PathTemplate, Url
from bridge.settings.webhook_polls import WebhookPollSettings


def _check_provider_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,32}", name := name.replace("_", "-")):
        raise ValueError("should be a provider's name: at most 32 characters out of a-z 0-9 _")
    return name


ProviderName = Annotated[str, AfterValidator(_check_provider_name)]
"""A provider's name. Few shells allow a hyphen in a variable, so an underscore stands for it."""


class CallbackNames(Group):
    """Names of a callback's parameters; the first one that is present counts."""

    id: Texts = ("message_uuid", "uuid", "sms_unique_id", "message_id", "id")
    """Parameters of a GET or form callback that may have the message id; the first one present counts."""
    status: Texts = ("status", "stat")
    """The same for the status."""
    error: Texts = ("err", "error", "error_code")
    """The same for the error code."""
    time: Texts = ("timestamp", "date", "time")
    """The same for the time of the status."""


class AccountSettings(Group):
    """An account at a provider: the settings that all accounts have."""

    signature_member: ClassVar[str]
    """The member that says that callbacks are signed; without it, they needn't be."""

    give_up_after: Duration = 48 * HOUR
    """How long to wait for a final status before the message becomes `unknown`; a sent event's `give_up_at` overrides
    it."""
    callback_secrets: Secrets = ()
    """Secrets in the callback's URL, `/dlr/{provider}/{secret}`; more than one for rotation."""
    allowed_networks: Networks = ()
    """Networks that callbacks are accepted from; empty: any."""
    statuses: Statuses = Field(default_factory=dict)
    """Statuses to add to the built-in ones, or to override them: `{"OnHold":"pending"}` or
    `{"Barred":{"status":"rejected","reason":"blocked_by_recipient","permanent":true}}`."""
    codes: Codes = Field(default_factory=dict)
    """What error codes say about a message that wasn't delivered: `{"30003":{"reason":"absent_subscriber"}}`, each with
    any of reason, permanent and status."""
    timezone: Zone = UTC
    """Time zone of the provider's times that come without one."""
    time_format: TimeFormats = ()
    """The provider's own form of times, as Python's `strptime` takes it, such as `%y%m%d%H%M`; RFC 3339, RFC 2822,
    `yyyyMMddHHmmss` and the like are read without it."""
    id_form: IdFormNames = ()
    """How the ids of sent events and reports are changed before they are compared, in this order: `casefold`,
    `strip-leading-zeros`, `strip-braces`, `cut:<character>` (leaves out the rest), `hexadecimal-sent` and
    `hexadecimal-reported` (the other side has it in decimal). Messages that are followed already keep their form."""
    methods: Methods = ("POST",)
    """HTTP methods of callbacks (Dexatel: `GET,POST`): a `GET` is read by its query, the others by body and query."""
    secret_in_path: bool = True
    """`false`: callbacks go to `/dlr/{provider}`, and `BASIC_AUTH` or `HEADER_AUTH` tells whose they are."""
    basic_auth: BasicAuthSettings | None = None
    header_auth: HeaderAuthSettings | None = None
    answer: AnswerSettings = AnswerSettings()

    @model_validator(mode="after")
    def _check_access(self) -> Self:
        if not self.secret_in_path and self.callback_secrets:
            raise ValueError("CALLBACK_SECRETS are for the path; SECRET_IN_PATH is false")
        if self.basic_auth and self.header_auth and self.header_auth.name.lower() == "authorization":
            raise ValueError("BASIC_AUTH and HEADER_AUTH__NAME=Authorization are the same header; set one of them")
        return self


class PolledAccountSettings(AccountSettings):
    """An account at a provider that has a dialect of its own, and whose messages can be polled."""

    credentials: ClassVar[tuple[str, ...]]
    """The settings with the credentials for polls."""

    base_url: Url = ""
    """Base URL of the provider's API, for polls."""
    poll: PollAges = FALLBACK
    """When to poll a message: `fallback` (15m 1h 4h 12h 24h 36h after sending), `always` (10s … 36h), or your own
    list; all also poll once shortly before the deadline."""
    poll_concurrency: Count = 16
    """Maximum number of concurrent polls."""
    poll_timeout: Duration = 10 * SECOND
    """How long a poll waits for its response."""
    rate_per_second: Annotated[float, Field(gt=0)] = 10
    """Maximum number of polls a second, over all replicas."""

    def list_missing_for_polls(self) -> list[str]:
        """List the settings that polls require and that aren't set."""
        raise NotImplementedError


class DexatelAccountSettings(PolledAccountSettings):
    """An account at Dexatel."""

    signature_member = "webhook_secret"
    credentials = ("TOKEN",)

    methods: Methods = ("GET", "POST")
    give_up_after: Duration = 47 * HOUR
    api: Literal["legacy", "v1"] = "legacy"
    """Which API is polled; with `v1`, many due messages are read from its list of messages."""
    token: Credential = None
    """API token for polls: the header `token`, or `X-Dexatel-Key` with `v1`."""
    poll_path: PathTemplate = ""
    """`legacy`: path of a poll, with `{id}` for the message id."""
    webhook_secret: Key = None
    """Secret of the signature of JSON webhooks; with it, only signed webhooks are accepted."""
    accept_unsigned: bool = False
    """With a webhook secret, also accept classic callbacks (GET or form), which Dexatel doesn't sign."""
    callback: CallbackNames = CallbackNames()

    def list_missing_for_polls(self) -> list[str]:
        """List the settings that polls require and that aren't set."""
        needed = {"BASE_URL": self.base_url, "TOKEN": self.token}
        if self.api == "legacy":
            needed["POLL_PATH"] = self.poll_path
        return [name for name, value in needed.items() if not value]


class SpeedocomAccountSettings(PolledAccountSettings):
    """An account at Speedocom."""

    signature_member = ""
    credentials = ("API_KEY", "PARTNER_ID")

    api_key: Credential = None
    """API key for polls."""
    partner_id: str | None = None
    """Partner id for polls."""

    def list_missing_for_polls(self) -> list[str]:
        """List the settings that polls require and that aren't set."""
        needed = {"BASE_URL": self.base_url, "API_KEY": self.api_key, "PARTNER_ID": self.partner_id}
        return [name for name, value in needed.items() if not value]


class DexatelSettings(DexatelAccountSettings):
    """Dexatel: the account `default`, and further accounts by name."""

    enabled: bool | None = None
    """`false` turns a configured provider off."""
    accounts: dict[str, DexatelAccountSettings] = Field(default_factory=dict)


class SpeedocomSettings(SpeedocomAccountSettings):
    """Speedocom: the account `default`, and further accounts by name."""

    enabled: bool | None = None
    """`false` turns a configured provider off."""
    accounts: dict[str, SpeedocomAccountSettings] = Field(default_factory=dict)


class WebhookAccountSettings(AccountSettings):
    """An account at a generic webhook provider."""

    signature_member = "signature"

    reports: ReportsPointer = None
    """JSON pointer to the array of reports, if a callback has several; empty if the body is the array. The pointers
    below then begin at a report, or with `//` at the callback's top."""
    id: Pointer = None
    """JSON pointer to the message id: `/data/id`; for a field of a form or a query, `/name`. It goes on into text that
    is JSON. Required."""
    status: Pointer = None
    """The same for the status. Required; so is `STATUSES`, because these providers have no built-in statuses."""
    error: Pointer = None
    """The same for the error code."""
    time: Pointer = None
    """The same for the provider's time."""
    part: Pointer = None
    """JSON pointer to the number of the part that a report is about, with `PARTS`: the message is delivered when all
    parts are."""
    parts: Pointer = None
    """JSON pointer to the number of the message's parts."""
    details: Pointers = Field(default_factory=dict)
    """Pointers to further details: `{"price":"/cost"}`; any of `mccmnc`, `segments`, `price`, `network_id`, `tat`."""
    where: Choices = Field(default_factory=dict)
    """Read only callbacks with one of these values: `{"/event":["delivery"]}`; others are accepted and ignored."""
    signature: SignatureSettings | None = None
    poll: WebhookPollSettings | None = None

    @field_validator("details")
    @classmethod
    def _check_details(cls, details: dict[str, str]) -> dict[str, str]:
        if unknown := details.keys() - DETAIL_NAMES:
            raise ValueError(f"{min(unknown)!r} should be one of {', '.join(DETAIL_NAMES)}")
        return details

    def list_missing(self) -> list[str]:
        """List the settings that reading a callback requires and that aren't set."""
        needed: dict[str, object] = {"ID": self.id, "STATUS": self.status, "STATUSES": self.statuses}
        if self.poll:
            needed["POLL__URL"] = self.poll.url
        if self.part or self.parts:
            needed |= {"PART": self.part, "PARTS": self.parts}
        if self.signature and self.signature.secret and self.signature.scheme == "hmac":
            needed["SIGNATURE__HEADER"] = self.signature.header
        return [name for name, value in needed.items() if not value]


class WebhookSettings(WebhookAccountSettings):
    """A generic webhook provider: the account `default`, and further accounts by name."""

    enabled: bool | None = None
    preset: str | None = None
    """A known provider whose callbacks these settings are about (`sms-bridge providers` lists them). Each setting
    overrules the preset's; of tables, row by row."""
    accounts: dict[str, WebhookAccountSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_signature(self) -> Self:
        if self.signature and not self.signature.secret and self.preset is None:
            raise ValueError("SIGNATURE__SECRET is needed for the other settings of SIGNATURE")
        return self
