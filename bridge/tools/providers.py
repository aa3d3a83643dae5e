"""`sms-bridge providers`: the providers that the bridge knows, and the documentation that it knows them from."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from bridge.accounts import build_accounts
from bridge.core.errors import ConfigurationError
from bridge.dialects import BUILDERS
from bridge.providers.presets import list_presets, load_preset
from bridge.settings.model import PREFIX, Settings
from bridge.tools.output import ExitCode, make_table, stdout_console, write_json


def check_configured(settings: Settings, names: Collection[str]) -> None:
    """Check that providers which `--provider` names are configured; where none are, any name may be right.

    Raises:
        ConfigurationError: One isn't, and others are.
    """
    configured: Mapping[str, None] = {}
    with suppress(ConfigurationError):  # who only follows events may have Kafka's settings alone
        configured = dict.fromkeys(provider for provider, _ in build_accounts(settings))
    for name in names:
        if configured and name not in configured:
            raise ConfigurationError(f"--provider {name} isn't configured; there is {', '.join(configured)}")


def list_providers(*, as_json: bool) -> ExitCode:
    """List the built-in providers and the presets."""
    presets = [load_preset(name) for name in list_presets()]
    if as_json:
        document = {
            "built_in": [{"name": name, "variables": _name_group(name)} for name in BUILDERS],
            "presets": [{"name": preset.name, "sources": preset.sources} for preset in presets],
        }
        write_json(document)
        return ExitCode.FINE
    out = stdout_console()
    rows = [
        *((name, "built in", _name_group(name)) for name in BUILDERS),
        *(row for preset in presets for row in _list_sources(preset.name, preset.sources)),
    ]
    out.print(make_table(("provider", "", "settings, or the documentation that a preset is from"), rows))
    return ExitCode.FINE


def _name_group(name: str) -> str:
    return f"{PREFIX}{name.upper()}__…"


def _list_sources(name: str, sources: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    """List a preset's sources, a row each; the first has its name."""
    for number, source in enumerate(sources):
        yield ("", "", source) if number else (name, "preset", source)
