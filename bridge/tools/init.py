"""`sms-bridge init`: writes commented settings for the providers that are named, as an env file or as Helm values."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bridge.dialects import BUILDERS
from bridge.providers.presets import list_presets, load_preset
from bridge.settings.model import PREFIX
from bridge.text import suggest_similar
from bridge.tools.output import ExitCode

POLLING = {
    "dexatel": {"BASE_URL": "https://…", "POLL_PATH": "/…/{id}", "TOKEN": "…"},
    "speedocom": {"BASE_URL": "https://…", "API_KEY": "…", "PARTNER_ID": "…"},
}
"""What polling needs of each built-in provider, with examples."""

KAFKA = "kafka:9092"
"""The bootstrap servers, to be replaced."""

SECRETS = ("CALLBACK_SECRETS", "TOKEN", "API_KEY", "SASL_PASSWORD")
"""Last parts of the names of secrets: in Helm values they have a place of their own."""


class InitialSetting(NamedTuple):
    """A setting, without the prefix of its variable."""

    name: str
    value: str
    given: bool = True
    """Whether it is set; otherwise it is an example in a comment."""

    @property
    def secret(self) -> bool:
        """Whether it is a secret."""
        return self.name.endswith(SECRETS)


class Section(NamedTuple):
    """Settings that belong together, with their explanation."""

    lines: Sequence[str]
    settings: Sequence[InitialSetting]


def list_known() -> list[str]:
    """List the names of all providers for which settings can be written."""
    return [*BUILDERS, *list_presets()]


def check_known(names: Iterable[str]) -> None:
    """Check that all providers are known.

    Raises:
        ValueError: One isn't.
    """
    for name in names:
        if name not in list_known():
            advice = suggest_similar(name.lower(), list_known())
            raise ValueError(f"{name} is unknown; {advice or '`sms-bridge providers` lists those that are known'}")


def write_settings(names: Sequence[str], *, helm: bool) -> ExitCode:
    """Print settings for these providers."""
    sections = [_describe_kafka(helm=helm), *(_describe_provider(name) for name in names)]
    print("\n".join(_format_values(names, sections) if helm else _format_env(names, sections)))  # noqa: T201 - its result
    return ExitCode.FINE


def _describe_kafka(*, helm: bool) -> Section:
    topic = InitialSetting("TOPICS__SENT", "sms.sent", given=False)
    if helm:
        return Section(("The topic of sent messages, which must exist.",), [topic])
    login = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "SCRAM-SHA-512", "SASL_USERNAME": "…"}
    return Section(
        ("Your Kafka, how to log in if it requires that, and the topic of sent messages, which must exist.",),
        [
            InitialSetting("KAFKA__BOOTSTRAP_SERVERS", KAFKA),
            *(InitialSetting(f"KAFKA__{name}", value, given=False) for name, value in login.items()),
            InitialSetting("KAFKA__SASL_PASSWORD", "…", given=False),
            topic,
        ],
    )


def _describe_provider(name: str) -> Section:
    callbacks = f"Callbacks of {name} go to https://your.host/dlr/{name}/{{its secret}}."
    secret = secrets.token_hex(16)
    if name not in BUILDERS:
        group = f"WEBHOOKS__{name.upper()}"
        settings = [InitialSetting(f"{group}__PRESET", name), InitialSetting(f"{group}__CALLBACK_SECRETS", secret)]
        return Section((callbacks, f"They are read as {load_preset(name).sources[0]} describes them."), settings)
    group = name.upper()
    examples = [InitialSetting(f"{group}__{member}", value, given=False) for member, value in POLLING[name].items()]
    return Section(
        (callbacks, f"To poll as well, remove POLL, and set {', '.join(POLLING[name])}."),
        [InitialSetting(f"{group}__CALLBACK_SECRETS", secret), InitialSetting(f"{group}__POLL", "never"), *examples],
    )


def _format_env(names: Sequence[str], sections: Iterable[Section]) -> Iterator[str]:
    yield f"# Settings of sms-bridge, from `sms-bridge init {' '.join(names)}`. docs/settings.md has all settings."
    yield "# To check them: sms-bridge check --env-file FILE"
    for section in sections:
        yield ""
        yield from (f"# {line}" for line in section.lines)
        for setting in section.settings:
            yield f"{'' if setting.given else '# '}{PREFIX}{setting.name}={setting.value}"


def _format_values(names: Sequence[str], sections: Sequence[Section]) -> Iterator[str]:
    yield f"# Values of sms-bridge's chart, from `sms-bridge init --helm {' '.join(names)}`."
    yield "# The chart's README has TLS and logins; docs/settings.md all settings, here without the prefix SMS_BRIDGE_."
    yield f"kafka:\n  bootstrapServers: {KAFKA}\nconfig:"
    for section in sections:
        yield from (f"  # {line}" for line in section.lines)
        yield from (_format_value(setting) for setting in section.settings if not setting.secret)
    yield "secrets:\n  # For a first try. In production, create a Secret and name it in `existingSecret`."
    for section in sections:
        yield from (_format_value(setting) for setting in section.settings if setting.secret)


def _format_value(setting: InitialSetting) -> str:
    return f'  {"" if setting.given else "# "}{setting.name}: "{setting.value}"'
