"""Reads the service's variables from their sources: an env file, the folder of secrets and the environment.

Each source has the names in capitals, however it writes them, before one overrules another. No other module reads them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import Binding, parse_stream

from bridge.core.errors import ConfigurationError
from bridge.settings.model import PREFIX, Settings

SECRETS_DIR = f"{PREFIX}SECRETS_DIR"
_OF_THE_SANDBOX = f"{PREFIX}SANDBOX_"


class Variable(NamedTuple):
    """A variable of one of the sources."""

    value: str
    place: str = ""
    """Where it is set: `FILE:LINE`, or the file of a secret; empty for the environment."""


class Sources(NamedTuple):
    """The variables of all sources, by their names in capitals; a later source wins."""

    file: Mapping[str, Variable]
    secrets: Mapping[str, Variable]
    environment: Mapping[str, Variable]

    def merge(self) -> dict[str, Variable]:
        """Return each variable as the last source has it that sets it."""
        return {**self.file, **self.secrets, **self.environment}

    def find_overridden(self) -> dict[str, Variable]:
        """Return the variables of the env file that have another value in a later source."""
        merged = self.merge()
        return {name: one for name, one in self.file.items() if merged[name].value != one.value}


def read_sources(environ: Mapping[str, str], env_file: Path | None) -> Sources:
    """Read all sources.

    Args:
        environ: The environment variables.
        env_file: A file of `NAME=value` lines; None for no such file.

    Raises:
        ConfigurationError: The file or the folder can't be read; one line for each mistake.
    """
    file = _read_env_file(env_file)
    environment = _fold((name, Variable(environ[name])) for name in _order(environ))
    known = {**file, **environment}
    try:
        secrets = _read_secrets(known[SECRETS_DIR].value) if SECRETS_DIR in known else {}
    except ConfigurationError as error:
        raise locate(error, known) from None
    return Sources(file, secrets, environment)


def locate(error: ConfigurationError, variables: Mapping[str, Variable]) -> ConfigurationError:
    """Add to each line of an error where the variable that it begins with is set, unless in the environment."""
    return ConfigurationError("\n".join(_locate(line, variables) for line in str(error).splitlines()))


def _locate(line: str, variables: Mapping[str, Variable]) -> str:
    variable = variables.get(line.split(" ", maxsplit=1)[0].rstrip(":"))
    return f"{line} ({variable.place})" if variable and variable.place else line


def _fold(variables: Iterable[tuple[str, Variable]]) -> dict[str, Variable]:
    """Return the service's variables with their names in capitals; of two spellings of a name, the later one counts."""
    folded = {name.upper(): variable for name, variable in variables}
    return {
        name: variable
        for name, variable in folded.items()
        if name.startswith(PREFIX) and not name.startswith(_OF_THE_SANDBOX)
    }


def _order(names: Iterable[str]) -> list[str]:
    """Order the names of a source that has no order of its own, so that the spelling in capitals is the last one."""
    return sorted(names, reverse=True)


# --- the env file -----------------------------------------------------------------------------------------------------


def _read_env_file(path: Path | None) -> dict[str, Variable]:
    if path is None:
        return {}
    if not path.is_file():
        raise ConfigurationError(f"--env-file {path} can't be read: give the path of a file")
    try:
        with path.open(encoding="utf-8") as file:
            bindings = list(parse_stream(file))
    except UnicodeDecodeError:
        raise ConfigurationError(f"--env-file {path} isn't a text in UTF-8") from None
    if wrong := [one for one in bindings if _is_wrong(one)]:
        lines = (f"{path}:{one.original.line}: should be NAME=value, a comment or empty" for one in wrong)
        raise ConfigurationError("\n".join(lines))
    # As they are: no other variable stands in a value, least of all where a secret has a $ in it.
    return _fold((one.key, Variable(one.value or "", f"{path}:{one.original.line}")) for one in bindings if one.key)


def _is_wrong(binding: Binding) -> bool:
    return binding.error or (binding.key is not None and binding.value is None)


# --- the folder of secrets --------------------------------------------------------------------------------------------


def _read_secrets(folder: str) -> dict[str, Variable]:
    """Read a folder of secrets: one file for each variable. A newline at the end isn't part of the secret."""
    if not folder:
        return {}
    path = Path(folder)
    if not path.is_dir():
        raise ConfigurationError(f"{SECRETS_DIR} should be a folder; {folder} isn't one")
    # In a mounted secret, Kubernetes has entries of its own whose names begin with two dots.
    files = {file.name: file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")}
    if wrong := [
        name for name in sorted(files) if "__" in name and name.split("__")[0].lower() in Settings.model_fields
    ]:
        lines = (f"{SECRETS_DIR}: the file {name} should be called {PREFIX}{name.upper()}" for name in wrong)
        raise ConfigurationError("\n".join(lines))
    return _fold((name, Variable(_read_secret(files[name]), str(files[name]))) for name in _order(files))


def _read_secret(file: Path) -> str:
    try:
        return file.read_text("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file.name}: the file in {SECRETS_DIR} isn't a text in UTF-8") from None
