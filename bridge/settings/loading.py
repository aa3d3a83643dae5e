"""Loads the settings from the environment. A mistake raises an error with one line for each wrong variable.

No other module reads the environment.
"""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from bridge.core.errors import ConfigurationError
from bridge.settings.model import PREFIX, Settings
from bridge.settings.sources import SECRETS_DIR, Variable, locate, read_sources
from bridge.settings.wording import word_mistake
from bridge.text import suggest_similar

_MECHANISM = f"{PREFIX}KAFKA__SASL_MECHANISM"
_TOKEN = f"{PREFIX}KAFKA__SASL_PASSWORD"
_TOKEN_FILE = f"{PREFIX}KAFKA__OAUTH__TOKEN_FILE"
_TOKEN_SOURCES = {_TOKEN_FILE, f"{PREFIX}KAFKA__OAUTH__TOKEN_URL"}

_SETTING_NAME = re.compile("[A-Z]+(_[A-Z]+|__[A-Z]+)+ ")

_MIN_SIMILARITY = 0.75
"""Between 0 and 1: a less similar name isn't suggested for an unknown one."""


def load_settings(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Load the settings from an env file, the folder of secrets and the environment; the later source wins.

    Args:
        environ: The environment variables; None for those of the process.
        env_file: A file of `NAME=value` lines; None for no such file.

    Raises:
        ConfigurationError: A setting is missing, unknown or wrong; one line for each.
    """
    sources = read_sources(os.environ if environ is None else environ, env_file)
    variables = _keep_token_file(sources.merge(), sources.secrets)
    try:
        return _check({name: one.value for name, one in variables.items() if name != SECRETS_DIR})
    except ConfigurationError as error:
        raise locate(error, variables) from None


def find_overridden(env_file: Path | None, environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Find the variables of an env file that have another value in the folder of secrets or the environment.

    Returns:
        Where the file sets each of them, as `FILE:LINE`.

    Raises:
        ConfigurationError: The file or the folder can't be read.
    """
    sources = read_sources(os.environ if environ is None else environ, env_file)
    return {name: one.place for name, one in sources.find_overridden().items()}


def _check(variables: Mapping[str, str]) -> Settings:
    """Build the settings.

    Raises:
        ConfigurationError: A setting is missing, unknown or wrong; one line for each.
    """
    groups = {name.upper() for name in Settings.model_fields}
    known = {name: value for name, value in variables.items() if name.removeprefix(PREFIX).split("__")[0] in groups}
    lines = [_describe_unknown(name) for name in variables if name not in known]  # pydantic would ignore them
    try:
        settings = _build(known)
    except ValidationError as error:
        lines += [_format_error(details) for details in error.errors(include_url=False)]
    if lines:
        raise ConfigurationError("\n".join(dict.fromkeys(lines)))
    return settings


def _build(variables: Mapping[str, str]) -> Settings:
    """Build the settings from these variables alone."""

    class Variables(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in variables.items()}

    class FromVariables(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (Variables(settings_cls),)

    return FromVariables()  # type: ignore[call-arg]  # the source provides the arguments


def _keep_token_file(variables: Mapping[str, Variable], secrets: Mapping[str, Variable]) -> Mapping[str, Variable]:
    """Replace an OAuth token from the folder of secrets by its file, so that a renewed token is noticed."""
    token = secrets.get(_TOKEN)
    oauth = variables.get(_MECHANISM, Variable("")).value == "OAUTHBEARER"
    if token is None or variables[_TOKEN] is not token or not oauth or variables.keys() & _TOKEN_SOURCES:
        return variables
    others = {name: one for name, one in variables.items() if name != _TOKEN}
    return {**others, _TOKEN_FILE: Variable(token.place, token.place)}


def _describe_unknown(variable: str) -> str:
    """Say that a setting doesn't exist, and which similar one does."""
    name = variable.removeprefix(PREFIX)
    # Long prefixes are alike in any case: the last parts have to be similar, too.
    last = name.rpartition("__")[2]
    candidates = [
        known
        for known in _list_names(Settings, "", name)
        if known.replace("__", "_") == name.replace("__", "_") or _are_similar(last, known.rpartition("__")[2])
    ]
    advice = suggest_similar(name, candidates, prefix=PREFIX, cutoff=_MIN_SIMILARITY)
    return f"{variable}: unknown setting; {advice or 'docs/settings.md lists all settings'}"


def _are_similar(one: str, other: str) -> bool:
    return bool(get_close_matches(one, [other]))


def _list_names(group: type[BaseModel], prefix: str, unknown: str) -> Iterator[str]:
    """List the names of a group's settings; an account or a webhook is called as the unknown setting calls it."""
    for member, field in group.model_fields.items():
        name = f"{prefix}{member.upper()}"
        types = (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in types if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None:
            yield name
        elif get_origin(field.annotation) is not dict:
            yield from _list_names(inner, f"{name}__", unknown)
        elif unknown.startswith(f"{name}__"):
            key = unknown.removeprefix(f"{name}__").split("__")[0]
            yield from _list_names(inner, f"{name}__{key}__", unknown)


def _format_error(error: Any) -> str:
    parts = (part for part in error["loc"] if isinstance(part, str) and part != "[key]")
    name = PREFIX + "__".join(parts).upper()
    if error["type"] == "extra_forbidden":
        return _describe_unknown(name)
    if error["type"] == "missing" and error["loc"] == ("kafka",):
        name += "__BOOTSTRAP_SERVERS"
    message = word_mistake(error)
    if not _SETTING_NAME.match(message):
        return f"{name} {message}"
    if name == PREFIX:  # a check of all settings
        return f"{PREFIX}{message}"
    # A check of a group names the setting that is wrong, from the group on or below it.
    parent, _, group = name.rpartition("__" if "__" in name else PREFIX)
    whole = f"{parent}__" if parent else PREFIX
    return f"{whole}{message}" if message.startswith(f"{group}__") else f"{name}__{message}"
