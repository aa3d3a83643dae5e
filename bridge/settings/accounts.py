"""The accounts that the settings name, ready to use: each with its dialect, its secrets and its schedule."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple, TypeVar

from pydantic import SecretStr

from bridge.core.errors import Misconfigured
from bridge.providers.dexatel import Dexatel
from bridge.providers.dexatel_v1 import DexatelV1
from bridge.providers.dialect import Dialect, Polled
from bridge.providers.reports import Names
from bridge.providers.speedocom import Speedocom
from bridge.providers.webhook import Pointers, Signature, Webhook
from bridge.settings import providers
from bridge.settings.model import PREFIX, Settings
from bridge.settings.providers import Account, DexatelAccount, PolledAccount, SpeedocomAccount, WebhookAccount

DEFAULT = "default"
DIALECTS = {"legacy": Dexatel, "v1": DexatelV1}
"""Dexatel's two interfaces."""

BUILT_IN = ("dexatel", "speedocom")

AnyAccount = TypeVar("AnyAccount", bound=Account)


class Polls(NamedTuple):
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
    polls: Polls | None
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
        Misconfigured: A provider has neither polls nor secrets, or polls lack what they need, or two accounts share a
            secret, or there is no provider at all.
    """
    accounts = {
        (account.provider, account.name): account
        for account in (*_dexatel(settings.dexatel), *_speedocom(settings.speedocom), *_webhooks(settings.webhooks))
    }
    if not accounts:
        groups = " or ".join(f"{PREFIX}{group}__..." for group in ("DEXATEL", "SPEEDOCOM", "WEBHOOKS"))
        raise Misconfigured(f"{groups} is missing: set up at least one provider")
    _refuse_shared_secrets(accounts.values())
    return accounts


def _dexatel(settings: providers.Dexatel) -> Iterable[ProviderAccount]:
    for name, account in _accounts(settings, DexatelAccount, settings.accounts):
        dialect = DIALECTS[account.api](
            name,
            base_url=account.base_url.rstrip("/"),
            token=_plain(account.token),
            poll_path=account.poll_path,
            webhook_secret=_plain(account.webhook_secret) or None,
            callback_names=Names(**account.callback.model_dump()),
            statuses=account.statuses,
            timezone=account.timezone,
        )
        yield _polled("dexatel", name, account, account.missing_for_polls(), dialect)


def _speedocom(settings: providers.Speedocom) -> Iterable[ProviderAccount]:
    for name, account in _accounts(settings, SpeedocomAccount, settings.accounts):
        dialect = Speedocom(
            name,
            base_url=account.base_url.rstrip("/"),
            api_key=_plain(account.api_key),
            partner_id=account.partner_id or "",
            statuses=account.statuses,
            timezone=account.timezone,
        )
        yield _polled("speedocom", name, account, account.missing_for_polls(), dialect)


def _webhooks(settings: dict[str, providers.Webhook]) -> Iterable[ProviderAccount]:
    for provider, webhook in settings.items():
        if provider in BUILT_IN:
            raise Misconfigured(f"{PREFIX}WEBHOOKS__{provider.upper()}: {provider} is built in; choose another name")
        for name, account in _accounts(webhook, WebhookAccount, webhook.accounts):
            if missing := account.missing():
                raise Misconfigured(f"{_where(provider, name)}{missing[0]} is missing: callbacks can't be read without")
            signed = account.signature
            dialect = Webhook(
                provider,
                name,
                pointers=Pointers(account.id or "", account.status or "", account.error, account.time),
                statuses=account.statuses,
                details=account.details,
                where=account.where,
                signature=Signature(signed.header, _plain(signed.secret), signed.encoding) if signed else None,
                timezone=account.timezone,
            )
            yield _account(provider, name, account, dialect, None)


def _accounts(
    settings: providers.Dexatel | providers.Speedocom | providers.Webhook,
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


def _polled(provider: str, name: str, account: PolledAccount, missing: list[str], dialect: Polled) -> ProviderAccount:
    where = _where(provider, name)
    if not account.poll:
        return _account(provider, name, account, dialect, None)
    if missing:
        raise Misconfigured(f"{where}{missing[0]} is missing: polls need it; or set {where}POLL to never")
    polls = Polls(dialect, account.poll, account.poll_concurrency, account.poll_timeout, account.rate_per_second)
    return _account(provider, name, account, dialect, polls)


def _account(provider: str, name: str, account: Account, dialect: Dialect, polls: Polls | None) -> ProviderAccount:
    if not polls and not account.callback_secrets:
        raise Misconfigured(
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
                raise Misconfigured(
                    f"{_where(account.provider, DEFAULT)}: the accounts {owner} and {account.name} share a secret of"
                    " CALLBACK_SECRETS; give each its own, for the secret tells the account"
                )


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
