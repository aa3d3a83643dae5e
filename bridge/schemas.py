"""Loads the published schemas."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from jsonschema_rs import Draft202012Validator

_HERE = Path(__file__).parent
_FOLDERS = (_HERE / "schema_files", _HERE.parent / "schemas")
"""The schemas' folder in an installed package, and in a checkout."""


@lru_cache
def load_schema(name: str) -> Any:
    """Load a schema by its name, such as `sms.sent.v1`."""
    path = next(folder / f"{name}.json" for folder in _FOLDERS if (folder / f"{name}.json").is_file())
    return orjson.loads(path.read_bytes())


@lru_cache
def load_validator(name: str) -> Draft202012Validator:
    """Load a compiled schema. It checks formats such as `date-time`."""
    return Draft202012Validator(load_schema(name), validate_formats=True)
