"""Builds the providers' accounts from the settings: each with its dialect, its secrets and its poll settings."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations
from typing import Any, NamedTuple, get_args
from zlib import crc32

from pydantic import SecretStr

from bridge.core.errors import ConfigurationError
from bridge.core.id_forms import IdForms, parse_id_forms
from bridge.dialects import BUILDERS, apply_preset, build_webhook
from bridge.providers.dialect import Dialect, Polled
from bridge.providers.generic_polls import GenericPolled
from bridge.settings.callbacks import AnswerSettings
from bridge.settings.model import PREFIX, SentSettings, Settings
from bridge.settings.providers import AccountSettings, PolledAccountSettings, WebhookSettings
from bridge.settings.webhook_polls import WebhookPollSettings

DEFAULT = "default"
"""The account of the settings that name no account."""


class PollSettings(NamedTuple):
    """How an account's messages are polled."""

    dialect: Polled
    ages: tuple[int, ...]
    """When a message is polled: milliseconds after sending, ascending."""
    concurrency: int
    timeout_ms: int
    rate_per_second: float
    credentials: tuple[str, ...]
    """The variables that have the credentials."""
    url_variable: str
    """The variable that has the URL."""


class CallbackAccess(NamedTuple):
    """Whose callbacks an account accepts, and how."""

    methods: tuple[str, ...]
    secrets: tuple[SecretStr, ...]
    """Secrets in the path; empty if it has none, and the header tells whose a callback is."""
    header: tuple[str, SecretStr] | None
    """A header that callbacks must have: its lower-case name and its value."""
    basic_auth: tuple[str, SecretStr] | None
    """User name and password that callbacks must have."""
    networks: tuple[IPv4Network | IPv6Network, ...]
    """Where callbacks may come from; empty: anywhere."""
    answer: AnswerSettings


class ProviderAccount(NamedTuple):
    """An account at a provider."""

    provider: str
    name: str
    dialect: Dialect
    access: CallbackAccess | None
    """None if it has no callbacks."""
    give_up_after_ms: int
    polls: PollSettings | None
    """How it is polled; None if it isn't."""
    id_forms: IdForms = IdForms()
    """How ids are changed before they are compared."""

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
    built = (*_build_built_in(settings), *_build_webhooks(settings.webhooks, settings.http.public_url))
    accounts = {(account.provider, account.name): account for account in built}
    if not accounts:
        groups = " or ".join(f"{PREFIX}{group.upper()}__..." for group in (*list_built_in(settings), "webhooks"))
        raise ConfigurationError(f"{groups} is missing: configure at least one provider")
    _check_callbacks_differ(accounts.values())
    return accounts


def compute_lifetimes(accounts: Accounts, sent: SentSettings, max_follow: int) -> str:
    """Compute a fingerprint of the settings that say for how long messages are followed.

    Args:
        accounts: The accounts, with their deadlines.
        sent: How sent events are read, and with it their own deadlines.
        max_follow: The longest time that an attempt is followed, in milliseconds.
    """
    durations = sorted((account.full_name, account.give_up_after_ms) for account in accounts.values())
    read: tuple[Any, ...] = (max_follow, durations, sorted(sent.fields.items()), sorted(sent.constants.items()))
    read += (sent.each,) if sent.each is not None else ()  # without it, the fingerprint is that of older versions
    return f"{crc32(repr(read).encode()):08x}"


def list_built_in(settings: Settings) -> dict[str, PolledAccountSettings]:
    """List the settings of the providers that have dialects of their own."""
    groups = ((name, getattr(settings, name)) for name in type(settings).model_fields)
    return {name: group for name, group in groups if isinstance(group, PolledAccountSettings)}


def _build_built_in(settings: Settings) -> Iterable[ProviderAccount]:
    for provider, group in list_built_in(settings).items():
        for name, account in _resolve_accounts(group):
            dialect = BUILDERS[provider](name, account)
            yield _build_account(provider, name, account, dialect, _build_polls(provider, name, account, dialect))


def _build_webhooks(settings: dict[str, WebhookSettings], public_url: str) -> Iterable[ProviderAccount]:
    for provider, own in settings.items():
        if provider in BUILDERS:
            raise ConfigurationError(
                f"{PREFIX}WEBHOOKS__{provider.upper()}: {provider} is a built-in provider; choose another name"
            )
        webhook = apply_preset(provider, own)
        for name, account in _resolve_accounts(webhook):
            if missing := account.list_missing():
                raise ConfigurationError(
                    f"{_make_prefix(provider, name)}{missing[0]} is missing: it is required to read callbacks"
                )
            dialect = build_webhook(provider, name, account, public_url)
            polls = _build_webhook_polls(provider, name, account.poll, dialect)
            yield _build_account(provider, name, account, dialect, polls)


def _resolve_accounts(settings: Any) -> Iterable[tuple[str, Any]]:
    """List the account `default` and the named ones; a named one inherits what it doesn't set.

    Callback secrets aren't inherited, because the secret in a callback's URL identifies the account.
    """
    is_enabled = settings.enabled if settings.enabled is not None else bool(settings.model_fields_set)
    if not is_enabled:
        return
    kind = get_args(type(settings).model_fields["accounts"].annotation)[1]
    named = settings.accounts
    inherited = {name: getattr(settings, name) for name in kind.model_fields}
    if settings.model_fields_set - {"enabled", "accounts", "preset"} or not named:
        yield DEFAULT, kind.model_construct(**inherited)
    del inherited["callback_secrets"]
    for name, account in named.items():
        update = {member: value for member, value in inherited.items() if member not in account.model_fields_set}
        yield name, account.model_copy(update=update)


def _build_polls(provider: str, name: str, account: PolledAccountSettings, dialect: Polled) -> PollSettings | None:
    prefix = _make_prefix(provider, name)
    if not account.poll:
        return None
    if missing := account.list_missing_for_polls():
        raise ConfigurationError(
            f"{prefix}{missing[0]} is missing: polls require it; to disable them, set {prefix}POLL=never"
        )
    return PollSettings(
        dialect,
        account.poll,
        account.poll_concurrency,
        account.poll_timeout,
        account.rate_per_second,
        tuple(prefix + member for member in account.credentials),
        f"{prefix}BASE_URL",
    )


def _build_webhook_polls(
    provider: str, name: str, settings: WebhookPollSettings | None, dialect: Dialect
) -> PollSettings | None:
    if settings is None or not settings.ages or not isinstance(dialect, GenericPolled):
        return None
    prefix = f"{_make_prefix(provider, name)}POLL__"
    return PollSettings(
        dialect,
        settings.ages,
        settings.concurrency,
        settings.timeout,
        settings.rate_per_second,
        (f"{prefix}SECRETS__… and {prefix}HEADERS",),
        f"{prefix}URL",
    )


def _build_account(
    provider: str, name: str, account: AccountSettings, dialect: Dialect, polls: PollSettings | None
) -> ProviderAccount:
    access = _build_access(provider, name, account)
    if not polls and not access:
        raise ConfigurationError(
            f"{_make_prefix(provider, name)}CALLBACK_SECRETS is missing: without polls, the account requires callbacks"
        )
    return ProviderAccount(
        provider, name, dialect, access, account.give_up_after, polls, parse_id_forms(account.id_form)
    )


def _build_access(provider: str, name: str, account: AccountSettings) -> CallbackAccess | None:
    basic_auth, header = account.basic_auth, account.header_auth
    if not account.secret_in_path and not (basic_auth or header):
        raise ConfigurationError(
            f"{_make_prefix(provider, name)}SECRET_IN_PATH is false: set BASIC_AUTH__… or HEADER_AUTH__… instead"
        )
    if account.secret_in_path and not account.callback_secrets:
        return None
    return CallbackAccess(
        methods=account.methods,
        secrets=account.callback_secrets if account.secret_in_path else (),
        header=(header.name.lower(), header.value) if header else None,
        basic_auth=(basic_auth.username, basic_auth.password) if basic_auth else None,
        networks=account.allowed_networks,
        answer=account.answer,
    )


def _make_prefix(provider: str, name: str) -> str:
    """Make the prefix of an account's variables."""
    group = provider.upper() if provider in BUILDERS else f"WEBHOOKS__{provider.upper().replace('-', '_')}"
    return f"{PREFIX}{group}__" + ("" if name == DEFAULT else f"ACCOUNTS__{name.upper()}__")


def _check_callbacks_differ(accounts: Iterable[ProviderAccount]) -> None:
    """Check that no callback could be of two accounts."""
    for one, other in combinations([account for account in accounts if account.access], 2):
        if one.provider == other.provider and one.access and other.access and _are_alike(one.access, other.access):
            raise ConfigurationError(
                f"{_make_prefix(one.provider, DEFAULT)}: the accounts {one.name} and {other.name} share a secret of"
                " CALLBACK_SECRETS, or without one their credentials; give each its own, because it identifies the"
                " account"
            )


def _are_alike(one: CallbackAccess, other: CallbackAccess) -> bool:
    """Whether a callback could have the credentials of both."""
    if one.secrets or other.secrets:
        return not {secret.get_secret_value() for secret in one.secrets}.isdisjoint(
            secret.get_secret_value() for secret in other.secrets
        )
    pairs = ((one.basic_auth, other.basic_auth), (one.header, other.header))
    named_alike = one.header and other.header and one.header[0] == other.header[0]
    return not any(a and b and a != b and (a is one.basic_auth or named_alike) for a, b in pairs)
