"""The environment becomes settings, or one clear line for each thing that is wrong. Nothing else reads it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from bridge.core.errors import ConfigurationError
from bridge.settings.model import PREFIX, Settings

SECRETS_DIR = f"{PREFIX}SECRETS_DIR"
_NOT_SETTINGS = (SECRETS_DIR, f"{PREFIX}SANDBOX_")
"""Variables with our prefix that aren't settings of the service."""

_WORDS = {
    "missing": "is missing; set it",
    "extra_forbidden": "is no setting; is it misspelt?",
    "bool_parsing": "should be true or false",
    "int_parsing": "should be a whole number",
    "float_parsing": "should be a number",
}
"""What is said instead of pydantic's own words, by its error type."""


def load_settings(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Read the settings from variables, files of secrets and, only when asked, an env file; variables win.

    Args:
        environ: The variables; the process's own when None.
        env_file: A file of `NAME=value` lines.

    Raises:
        ConfigurationError: Something is missing or wrong; one line for each.
    """
    environ = os.environ if environ is None else environ
    variables = {**_from_file(env_file), **_from_folder(environ.get(SECRETS_DIR)), **environ}
    ours = {name.upper(): value for name, value in variables.items() if name.upper().startswith(PREFIX)}
    ours = {name: value for name, value in ours.items() if not name.startswith(_NOT_SETTINGS)}
    _refuse_strangers(ours)
    try:
        return _read(ours)
    except ValidationError as error:
        lines = dict.fromkeys(_line(problem) for problem in error.errors(include_url=False, include_input=False))
        raise ConfigurationError("\n".join(lines)) from None


def _read(variables: Mapping[str, str]) -> Settings:
    """The settings, from these variables alone."""

    class Variables(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in variables.items()}

    class Read(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (Variables(settings_cls),)

    return Read()  # type: ignore[call-arg]  # what is missing here comes from the source


def _from_file(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    if not path.is_file():
        raise ConfigurationError(f"--env-file {path} can't be read: give the path of a file")
    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _from_folder(folder: str | None) -> dict[str, str]:
    """A mounted secret: one file a variable. A trailing newline is an editor's, not the secret's."""
    if not folder:
        return {}
    path = Path(folder)
    if not path.is_dir():
        raise ConfigurationError(f"{SECRETS_DIR} should be a folder; {folder} is none")
    # Kubernetes keeps its bookkeeping in entries that begin with two dots.
    files = (file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    return {file.name: file.read_text().rstrip("\r\n") for file in files}


def _refuse_strangers(variables: Mapping[str, str]) -> None:
    groups = {name.upper() for name in Settings.model_fields}
    for name in variables:
        if name.removeprefix(PREFIX).split("__")[0] not in groups:
            raise ConfigurationError(f"{name} is no setting; is it misspelt?")


def _line(problem: Any) -> str:
    parts = (part for part in problem["loc"] if isinstance(part, str) and part != "[key]")
    name = PREFIX + "__".join(parts).upper()
    if problem["type"] == "missing" and problem["loc"] == ("kafka",):
        name += "__BOOTSTRAP_SERVERS"
    words = _WORDS.get(problem["type"])
    if words is None:
        words = problem["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f"{name} {words}"
