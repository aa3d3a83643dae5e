"""The accounts that the settings name, ready to use: each with its dialect, its secrets and its schedule."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple, TypeVar

from pydantic import SecretStr

from bridge.core.errors import ConfigurationError
from bridge.providers.dexatel import Dexatel
from bridge.providers.dexatel_v1 import DexatelV1
from bridge.providers.dialect import Dialect, Polled
from bridge.providers.generic_webhook import CallbackPointers, GenericWebhook, SignatureScheme
from bridge.providers.report_builder import FieldNames
from bridge.providers.speedocom import Speedocom
from bridge.settings import providers
from bridge.settings.model import PREFIX, Settings
from bridge.settings.providers import (
    AccountSettings,
    DexatelAccountSettings,
    PolledAccountSettings,
    SpeedocomAccountSettings,
    WebhookAccountSettings,
)

DEFAULT = "default"
DIALECTS = {"legacy": Dexatel, "v1": DexatelV1}
"""Dexatel's two interfaces."""

BUILT_IN = ("dexatel", "speedocom")

AnyAccount = TypeVar("AnyAccount", bound=AccountSettings)


class PollSettings(NamedTuple):
    """How an account is asked about its messages. Durations in milliseconds."""

    dialect: Polled
    ages: tuple[int, ...]
    concurrency: int
    timeout: int
    rate_per_second: float


class ProviderAccount(NamedTuple):
    """One account at one provider. Durations in milliseconds."""

    provider: str
    name: str
    dialect: Dialect
    secrets: tuple[SecretStr, ...]
    allowed_networks: tuple[IPv4Network | IPv6Network, ...]
    give_up_after: int
    polls: PollSettings | None
    """How it is asked; None: it isn't."""

    def variable(self, member: str) -> str:
        """The name of the variable that sets one of its members."""
        return f"{_where(self.provider, self.name)}{member}"

    @property
    def full_name(self) -> str:
        """`provider:account`, as keys of attempts begin."""
        return f"{self.provider}:{self.name}"

    @property
    def poll_ages(self) -> tuple[int, ...]:
        """When it is asked about a message; never, where it isn't asked."""
        return self.polls.ages if self.polls else ()


Accounts = dict[tuple[str, str], ProviderAccount]
"""By provider and account name."""


def build_accounts(settings: Settings) -> Accounts:
    """Every account of every provider that is on.

    Raises:
        ConfigurationError: A provider has neither polls nor secrets, polls lack what they need, two accounts share a
            secret, or no provider is set up.
    """
    accounts = {
        (account.provider, account.name): account
        for account in (*_dexatel(settings.dexatel), *_speedocom(settings.speedocom), *_webhooks(settings.webhooks))
    }
    if not accounts:
        groups = " or ".join(f"{PREFIX}{group}__..." for group in ("DEXATEL", "SPEEDOCOM", "WEBHOOKS"))
        raise ConfigurationError(f"{groups} is missing: set up at least one provider")
    _refuse_shared_secrets(accounts.values())
    return accounts


def _dexatel(settings: providers.DexatelSettings) -> Iterable[ProviderAccount]:
    for name, account in _accounts(settings, DexatelAccountSettings, settings.accounts):
        dialect = DIALECTS[account.api](
            name,
            base_url=account.base_url.rstrip("/"),
            token=_plain(account.token),
            poll_path=account.poll_path,
            webhook_secret=_plain(account.webhook_secret) or None,
            callback_names=FieldNames(**account.callback.model_dump()),
            statuses=account.statuses,
            timezone=account.timezone,
        )
        yield _polled("dexatel", name, account, account.missing_for_polls(), dialect)


def _speedocom(settings: providers.SpeedocomSettings) -> Iterable[ProviderAccount]:
    for name, account in _accounts(settings, SpeedocomAccountSettings, settings.accounts):
        dialect = Speedocom(
            name,
            base_url=account.base_url.rstrip("/"),
            api_key=_plain(account.api_key),
            partner_id=account.partner_id or "",
            statuses=account.statuses,
            timezone=account.timezone,
        )
        yield _polled("speedocom", name, account, account.missing_for_polls(), dialect)


def _webhooks(settings: dict[str, providers.WebhookSettings]) -> Iterable[ProviderAccount]:
    for provider, webhook in settings.items():
        if provider in BUILT_IN:
            raise ConfigurationError(
                f"{PREFIX}WEBHOOKS__{provider.upper()}: {provider} is built in; choose another name"
            )
        for name, account in _accounts(webhook, WebhookAccountSettings, webhook.accounts):
            if missing := account.missing():
                raise ConfigurationError(
                    f"{_where(provider, name)}{missing[0]} is missing: callbacks can't be read without"
                )
            signed = account.signature
            dialect = GenericWebhook(
                provider,
                name,
                pointers=CallbackPointers(account.id or "", account.status or "", account.error, account.time),
                statuses=account.statuses,
                details=account.details,
                where=account.where,
                signature=SignatureScheme(signed.header, _plain(signed.secret), signed.encoding) if signed else None,
                timezone=account.timezone,
            )
            yield _account(provider, name, account, dialect, None)


def _accounts(
    settings: providers.DexatelSettings | providers.SpeedocomSettings | providers.WebhookSettings,
    kind: type[AnyAccount],
    named: dict[str, AnyAccount],
) -> Iterable[tuple[str, AnyAccount]]:
    """The account `default` and the named ones, each with the flat settings in place of what it doesn't set.

    Callback secrets aren't inherited: the secret in a callback's URL is what tells one account from another.
    """
    is_on = settings.enabled if settings.enabled is not None else bool(settings.model_fields_set)
    if not is_on:
        return
    flat = {name: getattr(settings, name) for name in kind.model_fields}
    if settings.model_fields_set - {"enabled", "accounts"} or not named:
        yield DEFAULT, kind.model_construct(**flat)
    del flat["callback_secrets"]
    for name, account in named.items():
        yield name, account.model_copy(update={k: v for k, v in flat.items() if k not in account.model_fields_set})


def _polled(
    provider: str, name: str, account: PolledAccountSettings, missing: list[str], dialect: Polled
) -> ProviderAccount:
    where = _where(provider, name)
    if not account.poll:
        return _account(provider, name, account, dialect, None)
    if missing:
        raise ConfigurationError(f"{where}{missing[0]} is missing: polls need it; or set {where}POLL to never")
    polls = PollSettings(dialect, account.poll, account.poll_concurrency, account.poll_timeout, account.rate_per_second)
    return _account(provider, name, account, dialect, polls)


def _account(
    provider: str, name: str, account: AccountSettings, dialect: Dialect, polls: PollSettings | None
) -> ProviderAccount:
    if not polls and not account.callback_secrets:
        raise ConfigurationError(
            f"{_where(provider, name)}CALLBACK_SECRETS is missing: without polls, callbacks are the only way to learn"
        )
    return ProviderAccount(
        provider=provider,
        name=name,
        dialect=dialect,
        secrets=account.callback_secrets,
        allowed_networks=account.allowed_networks,
        give_up_after=account.give_up_after,
        polls=polls,
    )


def _where(provider: str, name: str) -> str:
    """What an account's variables begin with."""
    group = provider.upper() if provider in BUILT_IN else f"WEBHOOKS__{provider.upper().replace('-', '_')}"
    return f"{PREFIX}{group}__" + ("" if name == DEFAULT else f"ACCOUNTS__{name.upper()}__")


def _refuse_shared_secrets(accounts: Iterable[ProviderAccount]) -> None:
    owners: dict[tuple[str, str], str] = {}
    for account in accounts:
        for secret in account.secrets:
            owner = owners.setdefault((account.provider, secret.get_secret_value()), account.name)
            if owner != account.name:
                raise ConfigurationError(
                    f"{_where(account.provider, DEFAULT)}: the accounts {owner} and {account.name} share a secret of"
                    " CALLBACK_SECRETS; give each its own, for the secret tells the account"
                )


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
