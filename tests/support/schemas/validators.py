"""Compiled schemas. They check formats such as `date-time`."""

from functools import lru_cache

from jsonschema_rs import Draft202012Validator

from bridge.schemas import load_schema


@lru_cache
def load_validator(name: str) -> Draft202012Validator:
    """Load a compiled schema by its name, such as `sms.sent.v1`."""
    return Draft202012Validator(load_schema(name), validate_formats=True)
