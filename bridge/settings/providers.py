"""What can be set about providers and their accounts, with defaults. Accounts are made of it in `accounts.py`."""

import re
from datetime import UTC
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

from bridge.core.schedule import FALLBACK, HOUR, SECOND
from bridge.providers.webhook import DETAILS
from bridge.settings.values import (
    Choices,
    Duration,
    Networks,
    Pointer,
    Pointers,
    Schedule,
    Secrets,
    Statuses,
    Texts,
    Zone,
)

Count = Annotated[int, Field(ge=1)]


def _provider_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,32}", name := name.replace("_", "-")):
        raise ValueError("should name the provider in at most 32 of a-z, 0-9 and underscores")
    return name


ProviderName = Annotated[str, AfterValidator(_provider_name)]
"""A provider's name; few shells take a hyphen in a variable, so an underscore stands for one."""


class Group(BaseModel):
    """A group of settings: closed, so that a typing error is found, and silent about its values in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)


class CallbackNames(Group):
    """Parameter names of a callback, the first that is there counts."""

    id: Texts = ("message_uuid", "uuid", "sms_unique_id", "message_id", "id")
    status: Texts = ("status", "stat")
    error: Texts = ("err", "error", "error_code")
    time: Texts = ("timestamp", "date", "time")


class Account(Group):
    """One account at a provider: what all have."""

    give_up_after: Duration = 48 * HOUR
    callback_secrets: Secrets = ()
    allowed_networks: Networks = ()
    statuses: Statuses = Field(default_factory=dict)
    timezone: Zone = UTC


class PolledAccount(Account):
    """One account that can be asked about its messages."""

    base_url: str = ""
    poll: Schedule = FALLBACK
    poll_concurrency: Count = 16
    poll_timeout: Duration = 10 * SECOND
    rate_per_second: Annotated[float, Field(gt=0)] = 10


class DexatelAccount(PolledAccount):
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


class SpeedocomAccount(PolledAccount):
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


class WebhookSignature(Group):
    """How callbacks are signed."""

    header: str
    secret: SecretStr
    algorithm: Literal["sha256"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"


class WebhookAccount(Account):
    """One account at a provider that settings alone describe."""

    id: Pointer = None
    status: Pointer = None
    error: Pointer = None
    time: Pointer = None
    details: Pointers = Field(default_factory=dict)
    where: Choices = Field(default_factory=dict)
    signature: WebhookSignature | None = None

    @field_validator("details")
    @classmethod
    def _known(cls, details: dict[str, str]) -> dict[str, str]:
        if strange := details.keys() - DETAILS:
            raise ValueError(f"{min(strange)!r} should be one of {', '.join(DETAILS)}")
        return details

    def missing(self) -> list[str]:
        """The members that reading a callback needs and that aren't set."""
        needed = {"ID": self.id, "STATUS": self.status, "STATUSES": self.statuses}
        return [name for name, value in needed.items() if not value]


class Webhook(WebhookAccount):
    """The account `default` at such a provider, and others by name."""

    enabled: bool | None = None
    accounts: dict[str, WebhookAccount] = Field(default_factory=dict)
