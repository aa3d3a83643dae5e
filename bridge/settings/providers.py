"""What can be set about providers and their accounts, with defaults. Accounts are made of it in `accounts.py`.

What stands below a member is its row in docs/settings.md (`make docs`).
"""

import re
from datetime import UTC
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator

from bridge.core.delivery import DETAIL_NAMES
from bridge.core.schedule import FALLBACK, HOUR, SECOND
from bridge.settings.types import (
    Choices,
    Count,
    Duration,
    Group,
    Networks,
    Pointer,
    Pointers,
    Schedule,
    Secrets,
    Statuses,
    Texts,
    Zone,
)


def _provider_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,32}", name := name.replace("_", "-")):
        raise ValueError("should name the provider in at most 32 of a-z, 0-9 and underscores")
    return name


ProviderName = Annotated[str, AfterValidator(_provider_name)]
"""A provider's name; few shells take a hyphen in a variable, so an underscore stands for one."""


class CallbackNames(Group):
    """Parameter names of a callback, the first that is there counts."""

    id: Texts = ("message_uuid", "uuid", "sms_unique_id", "message_id", "id")
    """Of the classic callback's parameters, the first that is there: the provider's id."""
    status: Texts = ("status", "stat")
    """The same: the status."""
    error: Texts = ("err", "error", "error_code")
    """The same: the error code."""
    time: Texts = ("timestamp", "date", "time")
    """The same: when it was."""


class AccountSettings(Group):
    """One account at a provider: what all have."""

    give_up_after: Duration = 48 * HOUR
    """When silence becomes `unknown`; `give_up_at` of a sent event overrules it."""
    callback_secrets: Secrets = ()
    """Parts of the callback's URL, `/dlr/{provider}/{secret}`; several at once for rotation."""
    allowed_networks: Networks = ()
    """From where callbacks may come; empty: anywhere."""
    statuses: Statuses = Field(default_factory=dict)
    """Words that the tables don't have: `{"OnHold":"pending"}` or
    `{"Barred":{"status":"rejected","reason":"blocked_by_recipient","permanent":true}}`."""
    timezone: Zone = UTC
    """Of times that come without one."""


class PolledAccountSettings(AccountSettings):
    """One account that can be asked about its messages."""

    base_url: str = ""
    """Of the provider's API, for questions."""
    poll: Schedule = FALLBACK
    """When to ask: `fallback` (15m 1h 4h 12h 24h 36h), `always` (10s … 36h), or your own ages; each also once
    before the end."""
    poll_concurrency: Count = 16
    """Questions at a time."""
    poll_timeout: Duration = 10 * SECOND
    """How long an answer may take."""
    rate_per_second: Annotated[float, Field(gt=0)] = 10
    """Questions a second, over all replicas together."""


class DexatelAccountSettings(PolledAccountSettings):
    """One account at Dexatel."""

    give_up_after: Duration = 47 * HOUR
    api: Literal["legacy", "v1"] = "legacy"
    """Which API is asked; with `v1`, where many messages are due, they are read from its list."""
    token: SecretStr | None = None
    """For questions: the `token` header, or `X-Dexatel-Key` with `v1`."""
    poll_path: str = ""
    """`legacy`: the path of a question, with `{id}` in it."""
    webhook_secret: SecretStr | None = None
    """With it, JSON webhooks must be signed."""
    callback: CallbackNames = CallbackNames()

    def missing_for_polls(self) -> list[str]:
        """The members that polling needs and that aren't set."""
        needed = {"BASE_URL": self.base_url, "TOKEN": self.token}
        if self.api == "legacy":
            needed["POLL_PATH"] = self.poll_path if "{id}" in self.poll_path else ""
        return [name for name, value in needed.items() if not value]


class SpeedocomAccountSettings(PolledAccountSettings):
    """One account at Speedocom."""

    api_key: SecretStr | None = None
    """For questions."""
    partner_id: str | None = None
    """The same."""

    def missing_for_polls(self) -> list[str]:
        """The members that polling needs and that aren't set."""
        needed = {"BASE_URL": self.base_url, "API_KEY": self.api_key, "PARTNER_ID": self.partner_id}
        return [name for name, value in needed.items() if not value]


class DexatelSettings(DexatelAccountSettings):
    """The account `default` at Dexatel, and others by name."""

    enabled: bool | None = None
    """`false` turns a provider off that is otherwise set up."""
    accounts: dict[str, DexatelAccountSettings] = Field(default_factory=dict)


class SpeedocomSettings(SpeedocomAccountSettings):
    """The account `default` at Speedocom, and others by name."""

    enabled: bool | None = None
    """`false` turns a provider off that is otherwise set up."""
    accounts: dict[str, SpeedocomAccountSettings] = Field(default_factory=dict)


class SignatureSettings(Group):
    """How callbacks are signed."""

    header: str
    """With it and a secret, callbacks must be signed: the header that the signature comes in."""
    secret: SecretStr
    """Of the HMAC of the raw body."""
    algorithm: Literal["sha256"] = "sha256"
    """Of the HMAC."""
    encoding: Literal["hex", "base64"] = "hex"
    """Of the signature; `sha256=` before it is fine."""


class WebhookAccountSettings(AccountSettings):
    """One account at a provider that settings alone describe."""

    id: Pointer = None
    """JSON pointer to the message id: `/data/id`; of a form's parameters, `/name`. Required."""
    status: Pointer = None
    """The same, to the status. Required; so is `STATUSES`, for there is no other table."""
    error: Pointer = None
    """The same, to the error code."""
    time: Pointer = None
    """The same, to the provider's time."""
    details: Pointers = Field(default_factory=dict)
    """Pointers to extras: `{"price":"/cost"}`; of `mccmnc`, `segments`, `price`, `network_id`, `tat`."""
    where: Choices = Field(default_factory=dict)
    """Only callbacks with one of these values: `{"/event":["delivery"]}`; others are accepted and ignored."""
    signature: SignatureSettings | None = None

    @field_validator("details")
    @classmethod
    def _known(cls, details: dict[str, str]) -> dict[str, str]:
        if strange := details.keys() - DETAIL_NAMES:
            raise ValueError(f"{min(strange)!r} should be one of {', '.join(DETAIL_NAMES)}")
        return details

    def missing(self) -> list[str]:
        """The members that reading a callback needs and that aren't set."""
        needed = {"ID": self.id, "STATUS": self.status, "STATUSES": self.statuses}
        return [name for name, value in needed.items() if not value]


class WebhookSettings(WebhookAccountSettings):
    """The account `default` at such a provider, and others by name."""

    enabled: bool | None = None
    accounts: dict[str, WebhookAccountSettings] = Field(default_factory=dict)
