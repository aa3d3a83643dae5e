"""The accounts of the shared bridge, one for each kind of configuration, and their settings."""

from datetime import UTC, datetime, timedelta

from tests.support.service.bridge import Message, message
from tests.support.service.providers import API_KEY, PARTNER_ID, TOKEN

WEBHOOK_SECRET = "hook-secret-of-the-signed-account"
ROTATED = "the-next-secret-of-dexatel"
SECRETS = {
    (provider, account): f"secret-{provider}-{account}-0123"
    for provider, accounts in {
        "dexatel": ("default", "signed", "second", "walled", "brief", "polled"),
        "speedocom": ("default", "second", "brief", "polled"),
    }.items()
    for account in accounts
}


def secrets(provider: str, account: str = "default") -> dict[str, str]:
    """Return the setting of one account's callback secret."""
    place = "" if account == "default" else f"ACCOUNTS__{account.upper()}__"
    return {f"{provider.upper()}__{place}CALLBACK_SECRETS": SECRETS[provider, account]}


CALLBACKS_ONLY = {
    "DEXATEL__POLL": "never",
    "SPEEDOCOM__POLL": "never",
    **secrets("dexatel"),
    **secrets("speedocom"),
}
"""Settings of a bridge with both providers' default accounts, which doesn't poll."""

ACME_SECRET, ACME_KEY = "the-secret-of-acme-0123", "the-signing-key-of-acme"
ACME = {
    "WEBHOOKS__ACME_SMS__CALLBACK_SECRETS": ACME_SECRET,
    "WEBHOOKS__ACME_SMS__ID": "/message/id",
    "WEBHOOKS__ACME_SMS__STATUS": "/message/state",
    "WEBHOOKS__ACME_SMS__TIME": "/message/done",
    "WEBHOOKS__ACME_SMS__TIMEZONE": "Africa/Nairobi",
    "WEBHOOKS__ACME_SMS__STATUSES": '{"ACCEPTD":"pending","DELIVRD":"delivered"}',
    "WEBHOOKS__ACME_SMS__WHERE": '{"/event":["dlr"]}',
    "WEBHOOKS__ACME_SMS__SIGNATURE__HEADER": "X-Acme-Signature",
    "WEBHOOKS__ACME_SMS__SIGNATURE__SECRET": ACME_KEY,
    "WEBHOOKS__ACME_SMS__ACCOUNTS__BRIEF__CALLBACK_SECRETS": "the-brief-secret-of-acme",
    "WEBHOOKS__ACME_SMS__ACCOUNTS__BRIEF__GIVE_UP_AFTER": "3s",
}
"""Settings of a provider that settings alone describe."""


def shared_settings(url: str) -> dict[str, str]:
    """Return the settings of every account; `url` is the providers' server."""
    settings = {
        "DEXATEL__TOKEN": TOKEN,
        "DEXATEL__POLL_PATH": "/dlr/{id}",
        "DEXATEL__POLL": "never",
        "DEXATEL__ACCOUNTS__SIGNED__WEBHOOK_SECRET": WEBHOOK_SECRET,
        "DEXATEL__ACCOUNTS__WALLED__ALLOWED_NETWORKS": "192.0.2.0/24,2001:db8::/32",
        "DEXATEL__ACCOUNTS__BRIEF__GIVE_UP_AFTER": "3s",
        "DEXATEL__ACCOUNTS__POLLED__POLL": "1s,2s,3s,4s,5s,6s",
        "DEXATEL__ACCOUNTS__V1__API": "v1",
        "DEXATEL__ACCOUNTS__V1__POLL": "1s,2s,3s",
        "DEXATEL__ACCOUNTS__REFUSED__POLL": "1s",
        "DEXATEL__ACCOUNTS__LIMITED__POLL": "500ms,1s,1500ms,2s,2500ms,3s",
        "DEXATEL__ACCOUNTS__FLAKY__POLL": "1s",
        "DEXATEL__ACCOUNTS__FLAKY__POLL_TIMEOUT": "500ms",
        "DEXATEL__ACCOUNTS__LAST__POLL": "1h",
        "DEXATEL__ACCOUNTS__LAST__GIVE_UP_AFTER": "7s",
        "DEXATEL__ACCOUNTS__OUTLIVED__POLL": "1h",
        "DEXATEL__ACCOUNTS__OUTLIVED__GIVE_UP_AFTER": "6s",
        "SPEEDOCOM__API_KEY": API_KEY,
        "SPEEDOCOM__PARTNER_ID": PARTNER_ID,
        "SPEEDOCOM__POLL": "never",
        "SPEEDOCOM__ACCOUNTS__BRIEF__GIVE_UP_AFTER": "3s",
        "SPEEDOCOM__ACCOUNTS__POLLED__POLL": "1s,2s,3s,4s,5s,6s",
        "SPEEDOCOM__ACCOUNTS__REFUSED__POLL": "1s",
        "SPEEDOCOM__ACCOUNTS__ALWAYS__POLL": "always",
    }
    for provider, account in SECRETS:
        settings |= secrets(provider, account)
    settings["DEXATEL__CALLBACK_SECRETS"] += f",{ROTATED}"
    for provider, names in {
        "DEXATEL": "SIGNED SECOND WALLED BRIEF POLLED V1 REFUSED LIMITED FLAKY LAST OUTLIVED",
        "SPEEDOCOM": "SECOND BRIEF POLLED REFUSED ALWAYS",
    }.items():
        settings[f"{provider}__BASE_URL"] = f"{url}/default"
        for name in names.split():
            settings[f"{provider}__ACCOUNTS__{name}__BASE_URL"] = f"{url}/{provider.lower()}-{name.lower()}"
            settings[f"{provider}__ACCOUNTS__{name}__RATE_PER_SECOND"] = "400"
    return settings


OLD = message(age=timedelta(hours=49))
RECENT = message(age=timedelta(hours=1))
"""Sent events that the topic holds before the shared bridge is started for the first time."""


def milliseconds(one: Message) -> int:
    """Return when a message was sent, as a Kafka timestamp."""
    return round(datetime.fromisoformat(one.sent_at).astimezone(UTC).timestamp() * 1000)
