"""Settings for tests."""

from bridge.accounts import Accounts, build_accounts
from bridge.settings.loading import load_settings
from bridge.settings.model import Settings


def settings_of(**changes: str) -> Settings:
    """Return minimal settings with these changes."""
    variables = {
        "KAFKA__BOOTSTRAP_SERVERS": "one:9092",
        "DEXATEL__CALLBACK_SECRETS": "a-secret-of-16-or-more",
        "DEXATEL__POLL": "never",
        **changes,
    }
    return load_settings({f"SMS_BRIDGE_{name}": value for name, value in variables.items()})


def accounts(**changes: str) -> Accounts:
    """Return the accounts of these settings."""
    return build_accounts(settings_of(**changes))
