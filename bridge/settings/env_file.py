"""Reads an env file: lines of `NAME=value`, comments, empty lines. Each variable's line is known, for errors."""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import NamedTuple

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from bridge.core.errors import ConfigurationError


class EnvFile(NamedTuple):
    """The variables of a file."""

    values: Mapping[str, str] = {}
    places: Mapping[str, str] = {}
    """Where each variable is set, in capitals: `FILE:LINE`."""

    def locate(self, error: ConfigurationError, overridden: Container[str]) -> ConfigurationError:
        """Add to each line of an error where its variable is set, if it is in this file and not set elsewhere."""
        return ConfigurationError("\n".join(self._locate(line, overridden) for line in str(error).splitlines()))

    def _locate(self, line: str, overridden: Container[str]) -> str:
        variable = line.split(" ", maxsplit=1)[0].rstrip(":")
        place = "" if variable in overridden else self.places.get(variable, "")
        return f"{line} ({place})" if place else line


def read_env_file(path: Path | None) -> EnvFile:
    """Read a file.

    Args:
        path: The file; None for no file.

    Raises:
        ConfigurationError: It can't be read, or a line isn't `NAME=value`; one line for each.
    """
    if path is None:
        return EnvFile()
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
    values = {name: value for name, value in dotenv_values(path).items() if value is not None}
    return EnvFile(values, {one.key.upper(): f"{path}:{one.original.line}" for one in bindings if one.key})


def _is_wrong(binding: Binding) -> bool:
    return binding.error or (binding.key is not None and binding.value is None)
