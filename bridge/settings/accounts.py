"""The accounts that the settings name, ready to use: each with its dialect, its secrets and its schedule."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple, TypeVar

from pydantic import SecretStr

from bridge.core.errors import Misconfigured
from bridge.providers.dexatel import CallbackNames, Dexatel
from bridge.providers.dialect import Dialect
from bridge.providers.speedocom import Speedocom
from bridge.settings.model import PREFIX, Account, DexatelAccount, Settings, SpeedocomAccount
from bridge.settings.model import Dexatel as DexatelSettings
from bridge.settings.model import Speedocom as SpeedocomSettings

DEFAULT = "default"

AnyAccount = TypeVar("AnyAccount", bound=Account)


class ProviderAccount(NamedTuple):
    """One account at one provider. Durations in milliseconds."""

    provider: str
    name: str
    dialect: Dialect
    secrets: tuple[SecretStr, ...]
    allowed_networks: tuple[IPv4Network | IPv6Network, ...]
    poll_ages: tuple[int, ...]
    poll_concurrency: int
    poll_timeout: int
    rate_per_second: float
    give_up_after: int


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
        for account in (*_dexatel(settings.dexatel), *_speedocom(settings.speedocom))
    }
    if not accounts:
        raise Misconfigured(f"{PREFIX}DEXATEL__... or {PREFIX}SPEEDOCOM__... is missing: set up at least one provider")
    _refuse_shared_secrets(accounts.values())
    return accounts


def _dexatel(settings: DexatelSettings) -> Iterable[ProviderAccount]:
    for name, account in _accounts(settings, DexatelAccount, settings.accounts):
        dialect = Dexatel(
            name,
            api=account.api,
            base_url=account.base_url.rstrip("/"),
            token=_plain(account.token),
            poll_path=account.poll_path,
            webhook_secret=_plain(account.webhook_secret) or None,
            callback_names=CallbackNames(**account.callback.model_dump()),
            statuses=account.statuses,
            timezone=account.timezone,
        )
        yield _account("dexatel", name, account, account.missing_for_polls(), dialect)


def _speedocom(settings: SpeedocomSettings) -> Iterable[ProviderAccount]:
    for name, account in _accounts(settings, SpeedocomAccount, settings.accounts):
        dialect = Speedocom(
            name,
            base_url=account.base_url.rstrip("/"),
            api_key=_plain(account.api_key),
            partner_id=account.partner_id or "",
            statuses=account.statuses,
            timezone=account.timezone,
        )
        yield _account("speedocom", name, account, account.missing_for_polls(), dialect)


def _accounts(
    settings: DexatelSettings | SpeedocomSettings, kind: type[AnyAccount], named: dict[str, AnyAccount]
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


def _account(provider: str, name: str, account: Account, missing: list[str], dialect: Dialect) -> ProviderAccount:
    where = f"{PREFIX}{provider.upper()}__" + ("" if name == DEFAULT else f"ACCOUNTS__{name.upper()}__")
    if account.poll and missing:
        raise Misconfigured(f"{where}{missing[0]} is missing: polls need it; or set {where}POLL to never")
    if not account.poll and not account.callback_secrets:
        raise Misconfigured(f"{where}CALLBACK_SECRETS is missing: without polls, callbacks are the only way to learn")
    return ProviderAccount(
        provider=provider,
        name=name,
        dialect=dialect,
        secrets=account.callback_secrets,
        allowed_networks=account.allowed_networks,
        poll_ages=account.poll,
        poll_concurrency=account.poll_concurrency,
        poll_timeout=account.poll_timeout,
        rate_per_second=account.rate_per_second,
        give_up_after=account.give_up_after,
    )


def _refuse_shared_secrets(accounts: Iterable[ProviderAccount]) -> None:
    owners: dict[tuple[str, str], str] = {}
    for account in accounts:
        for secret in account.secrets:
            owner = owners.setdefault((account.provider, secret.get_secret_value()), account.name)
            if owner != account.name:
                raise Misconfigured(
                    f"{PREFIX}{account.provider.upper()}: the accounts {owner} and {account.name} share a secret of"
                    " CALLBACK_SECRETS; give each its own, for the secret tells the account"
                )


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
