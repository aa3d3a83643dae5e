"""Builds the providers' dialects from accounts' settings, and joins the settings with those of a preset."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import SecretStr

from bridge.core.errors import ConfigurationError
from bridge.core.id_forms import parse_id_forms
from bridge.providers.dexatel import Dexatel
from bridge.providers.dexatel_v1 import DexatelV1
from bridge.providers.dialect import Dialect, Polled
from bridge.providers.generic_polls import AnswerPointers, GenericPolled, PollTemplates
from bridge.providers.generic_webhook import CallbackPointers, GenericWebhook
from bridge.providers.presets import list_presets, load_preset
from bridge.providers.report_builder import FieldNames
from bridge.providers.report_rules import ReportRules
from bridge.providers.signatures import SCHEMES, SignatureScheme
from bridge.providers.speedocom import Speedocom
from bridge.settings.callbacks import SignatureSettings
from bridge.settings.model import PREFIX
from bridge.settings.providers import (
    AccountSettings,
    DexatelAccountSettings,
    SpeedocomAccountSettings,
    WebhookAccountSettings,
    WebhookSettings,
)
from bridge.settings.types import Group
from bridge.settings.webhook_polls import WebhookPollSettings
from bridge.text import suggest_similar

DEXATEL_DIALECTS = {"legacy": Dexatel, "v1": DexatelV1}
"""By the setting `API`."""


def build_dexatel(name: str, account: DexatelAccountSettings) -> Dexatel:
    """Build the dialect of an account at Dexatel."""
    return DEXATEL_DIALECTS[account.api](
        name,
        base_url=account.base_url.rstrip("/"),
        token=_reveal(account.token),
        poll_path=account.poll_path,
        webhook_secret=_reveal(account.webhook_secret) or None,
        accept_unsigned=account.accept_unsigned,
        callback_names=FieldNames(**account.callback.model_dump()),
        rules=_build_rules(account),
    )


def build_speedocom(name: str, account: SpeedocomAccountSettings) -> Speedocom:
    """Build the dialect of an account at Speedocom."""
    return Speedocom(
        name,
        base_url=account.base_url.rstrip("/"),
        api_key=_reveal(account.api_key),
        partner_id=account.partner_id or "",
        rules=_build_rules(account),
    )


BUILDERS: Mapping[str, Callable[[str, Any], Polled]] = {"dexatel": build_dexatel, "speedocom": build_speedocom}
"""The builders of the providers' own dialects, by provider. Its settings are a group of `Settings` of the same name."""


def build_webhook(provider: str, name: str, account: WebhookAccountSettings, public_url: str) -> Dialect:
    """Build the dialect of an account at a provider that settings describe.

    Args:
        provider: The provider.
        name: The account's name.
        account: Its settings, with its preset's.
        public_url: The URL of the bridge as providers call it.
    """
    members: dict[str, Any] = {
        "pointers": CallbackPointers(
            account.id or "", account.status or "", account.error, account.time, account.part, account.parts
        ),
        "reports": account.reports,
        "details": account.details,
        "where": account.where,
        "signature": _build_signature(account.signature, public_url),
        "rules": _build_rules(account),
    }
    if account.poll is None:
        return GenericWebhook(provider, name, **members)
    return GenericPolled(
        provider,
        name,
        templates=_build_templates(account.poll),
        answers=_build_answers(account, account.poll),
        **members,
    )


def apply_preset(provider: str, webhook: WebhookSettings) -> WebhookSettings:
    """Add what a preset says about a provider where the settings say nothing.

    Raises:
        ConfigurationError: There is no such preset.
    """
    if webhook.preset is None:
        return webhook
    try:
        preset = WebhookSettings.model_validate({"preset": webhook.preset, **load_preset(webhook.preset).settings})
    except ValueError as error:
        variable = f"{PREFIX}WEBHOOKS__{provider.upper().replace('-', '_')}__PRESET"
        advice = suggest_similar(webhook.preset.lower(), list_presets())
        raise ConfigurationError("; ".join(filter(None, (f"{variable} {error}", advice)))) from None
    inherited = {name: getattr(preset, name) for name in preset.model_fields_set}
    # What an account doesn't set itself, it inherits from the provider later.
    accounts = {
        name: account.model_copy(update=_join(account, _select(inherited, account.model_fields_set)))
        for name, account in webhook.accounts.items()
    }
    joined = {**dict(webhook), **_join(webhook, inherited), "accounts": accounts}
    # A preset alone, beside named accounts, describes no account of its own.
    return WebhookSettings.model_construct(webhook.model_fields_set, **joined)


def _join(own: Group, inherited: Mapping[str, Any]) -> dict[str, Any]:
    """Join a group's members with those that it inherits; of tables, the rows."""
    joined = dict(inherited)
    for name in own.model_fields_set:
        theirs, value = joined.get(name), getattr(own, name)
        if isinstance(theirs, dict):
            value = {**theirs, **value}
        elif isinstance(theirs, Group) and isinstance(value, Group):
            members = {member: getattr(theirs, member) for member in theirs.model_fields_set}
            value = value.model_copy(update=_join(value, members))
        joined[name] = value
    return joined


def _select(members: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name in names}


def _build_signature(settings: SignatureSettings | None, public_url: str) -> SignatureScheme | None:
    if settings is None or not settings.secret:
        return None
    members: dict[str, Any] = {
        "header": settings.header,
        "algorithm": settings.algorithm,
        "encodings": settings.encoding and (settings.encoding,),
        "prefix": settings.prefix,
        "template": settings.template,
        "timestamp_header": settings.timestamp_header,
        "id_header": settings.id_header,
        "key_encodings": settings.secret_encoding and (settings.secret_encoding,),
        "secrets": tuple(map(_reveal, settings.secret)),
        "tolerance_ms": settings.tolerance,
        "public_url": public_url,
    }
    return SCHEMES[settings.scheme]._replace(**{name: value for name, value in members.items() if value is not None})


def _build_templates(poll: WebhookPollSettings) -> PollTemplates:
    secrets = {name.lower(): _reveal(secret) for name, secret in poll.secrets.items()}
    return PollTemplates(poll.method, poll.url or "", poll.headers, poll.body, secrets)


def _build_answers(account: WebhookAccountSettings, poll: WebhookPollSettings) -> AnswerPointers:
    """Say where answers have their facts: where callbacks do, unless settings say otherwise."""
    return AnswerPointers(
        poll.status or account.status or "",
        poll.error or account.error,
        poll.time or account.time,
        poll.id,
        account.details,
        poll.no_report,
        poll.unknown_id,
    )


def _build_rules(account: AccountSettings) -> ReportRules:
    return ReportRules(
        account.statuses, account.codes, account.timezone, account.time_format, parse_id_forms(account.id_form)
    )


def _reveal(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
