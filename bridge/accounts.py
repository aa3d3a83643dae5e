"""Builds the providers' accounts from the settings: each with its dialect, its secrets and its poll settings."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple, TypeVar
from zlib import crc32

from pydantic import SecretStr

from bridge.core.errors import ConfigurationError
from bridge.providers.dexatel import Dexatel
from bridge.providers.dexatel_v1 import DexatelV1
from bridge.providers.dialect import Dialect, Polled
from bridge.providers.generic_webhook import CallbackPointers, GenericWebhook, SignatureScheme
from bridge.providers.report_builder import FieldNames
from bridge.providers.speedocom import Speedocom
from bridge.settings.model import PREFIX, SentSettings, Settings
from bridge.settings.providers import (
    AccountSettings,
    DexatelAccountSettings,
    DexatelSettings,
    PolledAccountSettings,
    SpeedocomAccountSettings,
    SpeedocomSettings,
    WebhookAccountSettings,
    WebhookSettings,
)

DEFAULT = "default"
"""The account of the settings that name no account."""

DEXATEL_DIALECTS = {"legacy": Dexatel, "v1": DexatelV1}
"""By the setting `API`."""

BUILT_IN_PROVIDERS = ("dexatel", "speedocom")

AnyAccount = TypeVar("AnyAccount", bound=AccountSettings)


class PollSettings(NamedTuple):
    """How an account's messages are polled."""

    dialect: Polled
    ages: tuple[int, ...]
    """When a message is polled: milliseconds after sending, ascending."""
    concurrency: int
    timeout_ms: int
    rate_per_second: float


class ProviderAccount(NamedTuple):
    """An account at a provider."""

    provider: str
    name: str
    dialect: Dialect
    secrets: tuple[SecretStr, ...]
    allowed_networks: tuple[IPv4Network | IPv6Network, ...]
    give_up_after_ms: int
    polls: PollSettings | None
    """How it is polled; None if it isn't."""

    def name_variable(self, member: str) -> str:
        """Name the variable of one of the account's settings."""
        return f"{_make_prefix(self.provider, self.name)}{member}"

    @property
    def full_name(self) -> str:
        """`provider:account`, the beginning of the keys of its attempts."""
        return f"{self.provider}:{self.name}"

    @property
    def poll_ages(self) -> tuple[int, ...]:
        """When a message is polled; empty for an account that isn't polled."""
        return self.polls.ages if self.polls else ()


Accounts = dict[tuple[str, str], ProviderAccount]
"""By provider and name of the account."""


def build_accounts(settings: Settings) -> Accounts:
    """Build every account of every provider that is enabled.

    Raises:
        ConfigurationError: An account has neither polls nor callback secrets, a setting that polls or callbacks require
            is missing, two accounts share a secret, or no provider is configured.
    """
    accounts = {
        (account.provider, account.name): account
        for account in (
            *_build_dexatel(settings.dexatel),
            *_build_speedocom(settings.speedocom),
            *_build_webhooks(settings.webhooks),
        )
    }
    if not accounts:
        groups = " or ".join(f"{PREFIX}{group}__..." for group in ("DEXATEL", "SPEEDOCOM", "WEBHOOKS"))
        raise ConfigurationError(f"{groups} is missing: configure at least one provider")
    _check_secrets_are_unique(accounts.values())
    return accounts


def compute_lifetimes(accounts: Accounts, sent: SentSettings, max_follow: int) -> str:
    """Compute a fingerprint of the settings that say for how long messages are followed.

    Args:
        accounts: The accounts, with their deadlines.
        sent: How sent events are read, and with it their own deadlines.
        max_follow: The longest time that an attempt is followed, in milliseconds.
    """
    durations = sorted((account.full_name, account.give_up_after_ms) for account in accounts.values())
    read = max_follow, durations, sorted(sent.fields.items()), sorted(sent.constants.items())
    return f"{crc32(repr(read).encode()):08x}"


def _build_dexatel(settings: DexatelSettings) -> Iterable[ProviderAccount]:
    for name, account in _resolve_accounts(settings, DexatelAccountSettings, settings.accounts):
        dialect = DEXATEL_DIALECTS[account.api](
            name,
            base_url=account.base_url.rstrip("/"),
            token=_reveal(account.token),
            poll_path=account.poll_path,
            webhook_secret=_reveal(account.webhook_secret) or None,
            accept_unsigned=account.accept_unsigned,
            callback_names=FieldNames(**account.callback.model_dump()),
            statuses=account.statuses,
            timezone=account.timezone,
        )
        yield _build_polled("dexatel", name, account, account.list_missing_for_polls(), dialect)


def _build_speedocom(settings: SpeedocomSettings) -> Iterable[ProviderAccount]:
    for name, account in _resolve_accounts(settings, SpeedocomAccountSettings, settings.accounts):
        dialect = Speedocom(
            name,
            base_url=account.base_url.rstrip("/"),
            api_key=_reveal(account.api_key),
            partner_id=account.partner_id or "",
            statuses=account.statuses,
            timezone=account.timezone,
        )
        yield _build_polled("speedocom", name, account, account.list_missing_for_polls(), dialect)


def _build_webhooks(settings: dict[str, WebhookSettings]) -> Iterable[ProviderAccount]:
    for provider, webhook in settings.items():
        if provider in BUILT_IN_PROVIDERS:
            raise ConfigurationError(
                f"{PREFIX}WEBHOOKS__{provider.upper()}: {provider} is a built-in provider; choose another name"
            )
        for name, account in _resolve_accounts(webhook, WebhookAccountSettings, webhook.accounts):
            if missing := account.list_missing():
                raise ConfigurationError(
                    f"{_make_prefix(provider, name)}{missing[0]} is missing: it is required to read callbacks"
                )
            signed = account.signature
            dialect = GenericWebhook(
                provider,
                name,
                pointers=CallbackPointers(account.id or "", account.status or "", account.error, account.time),
                statuses=account.statuses,
                details=account.details,
                where=account.where,
                signature=SignatureScheme(signed.header, _reveal(signed.secret), signed.encoding) if signed else None,
                timezone=account.timezone,
            )
            yield _build_account(provider, name, account, dialect, None)


def _resolve_accounts(
    settings: DexatelSettings | SpeedocomSettings | WebhookSettings,
    kind: type[AnyAccount],
    named: dict[str, AnyAccount],
) -> Iterable[tuple[str, AnyAccount]]:
    """List the account `default` and the named ones; a named one inherits what it doesn't set.

    Callback secrets aren't inherited, because the secret in a callback's URL identifies the account.
    """
    is_enabled = settings.enabled if settings.enabled is not None else bool(settings.model_fields_set)
    if not is_enabled:
        return
    inherited = {name: getattr(settings, name) for name in kind.model_fields}
    if settings.model_fields_set - {"enabled", "accounts"} or not named:
        yield DEFAULT, kind.model_construct(**inherited)
    del inherited["callback_secrets"]
    for name, account in named.items():
        update = {member: value for member, value in inherited.items() if member not in account.model_fields_set}
        yield name, account.model_copy(update=update)


def _build_polled(
    provider: str, name: str, account: PolledAccountSettings, missing: list[str], dialect: Polled
) -> ProviderAccount:
    prefix = _make_prefix(provider, name)
    if not account.poll:
        return _build_account(provider, name, account, dialect, None)
    if missing:
        raise ConfigurationError(
            f"{prefix}{missing[0]} is missing: polls require it; to disable them, set {prefix}POLL=never"
        )
    polls = PollSettings(dialect, account.poll, account.poll_concurrency, account.poll_timeout, account.rate_per_second)
    return _build_account(provider, name, account, dialect, polls)


def _build_account(
    provider: str, name: str, account: AccountSettings, dialect: Dialect, polls: PollSettings | None
) -> ProviderAccount:
    if not polls and not account.callback_secrets:
        raise ConfigurationError(
            f"{_make_prefix(provider, name)}CALLBACK_SECRETS is missing: without polls, the account requires callbacks"
        )
    return ProviderAccount(
        provider=provider,
        name=name,
        dialect=dialect,
        secrets=account.callback_secrets,
        allowed_networks=account.allowed_networks,
        give_up_after_ms=account.give_up_after,
        polls=polls,
    )


def _make_prefix(provider: str, name: str) -> str:
    """Make the prefix of an account's variables."""
    group = provider.upper() if provider in BUILT_IN_PROVIDERS else f"WEBHOOKS__{provider.upper().replace('-', '_')}"
    return f"{PREFIX}{group}__" + ("" if name == DEFAULT else f"ACCOUNTS__{name.upper()}__")


def _check_secrets_are_unique(accounts: Iterable[ProviderAccount]) -> None:
    owners: dict[tuple[str, str], str] = {}
    for account in accounts:
        for secret in account.secrets:
            owner = owners.setdefault((account.provider, secret.get_secret_value()), account.name)
            if owner != account.name:
                raise ConfigurationError(
                    f"{_make_prefix(account.provider, DEFAULT)}: the accounts {owner} and {account.name} share a"
                    " secret of CALLBACK_SECRETS; give each its own, because the secret identifies the account"
                )


def _reveal(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
