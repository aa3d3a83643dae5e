"""Loads the published schemas."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

_HERE = Path(__file__).parent
_FOLDERS = (_HERE / "schema_files", _HERE.parent / "schemas")
"""The schemas' folder in an installed package, and in a checkout."""


@lru_cache
def load_schema(name: str) -> Any:
    """Load a schema by its name, such as `sms.sent.v1`."""
    path = next(folder / f"{name}.json" for folder in _FOLDERS if (folder / f"{name}.json").is_file())
    return orjson.loads(path.read_bytes())
