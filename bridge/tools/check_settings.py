"""`check` of valid settings: which are set, and to what; of secrets only whether they are set."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from bridge.core.delivery import Reason, Verdict
from bridge.settings.model import PREFIX, Settings
from bridge.settings.types import Duration, PollAges
from bridge.text import format_duration
from bridge.tools.check_finding import CheckFinding, ok

HIDDEN = "set"
TIMED = {getattr(one, "func", None) for kind in (Duration, PollAges) for one in get_args(kind)} - {None}


def list_settings(settings: Settings) -> Iterator[CheckFinding]:
    """List each setting that isn't at its default."""
    for name, value in _list_set(settings, PREFIX.removesuffix("_")):
        yield ok("settings", name, _format_value(value))


def _list_set(model: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    separator = "_" if isinstance(model, Settings) else "__"
    for member in sorted(model.model_fields_set):
        name, value = f"{prefix}{separator}{member.upper()}", getattr(model, member)
        if isinstance(value, BaseModel):
            yield from _list_set(value, name)
        elif isinstance(value, dict) and any(isinstance(one, BaseModel) for one in value.values()):
            for key, one in value.items():
                yield from _list_set(one, f"{name}__{key.upper()}")
        else:
            # Durations are milliseconds here, and people write them with units.
            timed = any(getattr(one, "func", None) in TIMED for one in type(model).model_fields[member].metadata)
            yield name, _format_durations(value) if timed else value


def _format_durations(value: Any) -> str:
    return ", ".join(map(format_duration, value if isinstance(value, tuple) else (value,))) or "never"


def _format_value(value: Any) -> str:
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else "empty"
    if isinstance(value, Verdict):
        return f"{value.status}" if value.reason is Reason.NONE else f"{value.status} ({value.reason})"
    if isinstance(value, tuple):
        return f"{len(value)} {HIDDEN}" if any(isinstance(v, SecretStr) for v in value) else ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} → {_format_value(meaning)}" for name, meaning in value.items())
    if isinstance(value, str) and (parts := urlsplit(value)).password:
        return value.replace(f":{parts.password}@", ":…@")
    return str(value)


def check_folder(folder: Path) -> CheckFinding:
    """Check that the cache's folder can be written, or made."""
    subject = f"{PREFIX}STATE__DIRECTORY"
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK):
        return ok("settings", subject, f"{folder} can be written")
    return CheckFinding(
        "settings", "wrong", subject, f"{folder} can't be written", "give the service a folder of its own"
    )
