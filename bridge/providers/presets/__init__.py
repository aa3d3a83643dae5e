"""Descriptions of known providers: the settings that read their callbacks, as their documentation has them.

A file has the members of `WEBHOOKS__{NAME}__…` in lower case, and in `sources` the pages that its facts are from.
"""

import tomllib
from importlib import resources
from typing import Any, NamedTuple


class Preset(NamedTuple):
    """A known provider."""

    name: str
    sources: tuple[str, ...]
    """The pages of its documentation."""
    settings: dict[str, Any]


def list_presets() -> list[str]:
    """List the names of all presets."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_preset(name: str) -> Preset:
    """Load a preset.

    Raises:
        ValueError: There is none of this name.
    """
    if name not in (names := list_presets()):
        raise ValueError(f"should be one of {', '.join(names)}")
    settings = tomllib.loads(resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    return Preset(name, tuple(settings.pop("sources")), settings)
