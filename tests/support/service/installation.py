"""The installation for tests of commands: its accounts and their secrets."""

from datetime import timedelta

from tests.support.service.providers import API_KEY, PARTNER_ID, TOKEN

HOOK_SECRET = "hook-secret-of-the-signed-account"
SECRETS = {
    ("dexatel", "default"): "secret-dexatel-default-0123",
    ("dexatel", "second"): "secret-dexatel-second-0123",
    ("dexatel", "signed"): "secret-dexatel-signed-0123",
    ("speedocom", "default"): "secret-speedocom-default-0123",
}
BRIEF = timedelta(seconds=2)
"""How long an early report waits for its sent event."""


def installation_settings(url: str) -> dict[str, str]:
    """Return the settings of both providers; `url` is the providers' server."""
    return {
        "DEXATEL__BASE_URL": f"{url}/default",
        "DEXATEL__TOKEN": TOKEN,
        "DEXATEL__POLL_PATH": "/dlr/{id}",
        "DEXATEL__POLL": "6h",
        "DEXATEL__ACCOUNTS__SIGNED__WEBHOOK_SECRET": HOOK_SECRET,
        "SPEEDOCOM__BASE_URL": f"{url}/default",
        "SPEEDOCOM__API_KEY": API_KEY,
        "SPEEDOCOM__PARTNER_ID": PARTNER_ID,
        "SPEEDOCOM__POLL": "never",
        **{_secret(*account): secret for account, secret in SECRETS.items()},
    }


def _secret(provider: str, account: str) -> str:
    place = "" if account == "default" else f"ACCOUNTS__{account.upper()}__"
    return f"{provider.upper()}__{place}CALLBACK_SECRETS"
