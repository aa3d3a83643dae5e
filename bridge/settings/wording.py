"""What is said about a wrong value, in the words of this project instead of pydantic's."""

import re
from typing import Any

from bridge.text import suggest_similar

_MESSAGES = {
    "missing": "is missing; set it",
    "bool_parsing": "should be true or false",
    "int_parsing": "should be a whole number",
    "float_parsing": "should be a number",
    "string_pattern_mismatch": "has a form that isn't taken; docs/settings.md says which one is",
    "model_type": "is a group of settings; docs/settings.md lists its members",
}
"""Messages that replace pydantic's own, by its error type."""


def word_mistake(error: Any) -> str:
    """Say what a value should be, and which one was meant.

    Args:
        error: One of `ValidationError.errors()`.
    """
    message = _MESSAGES.get(error["type"])
    if message is None:
        message = str(error["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    if error["type"] != "literal_error":  # never one of a secret
        return message
    return add_advice(message, str(error["input"]), re.findall("'([^']+)'", error["ctx"]["expected"]))


def add_advice(message: str, value: str, choices: list[str]) -> str:
    """Add to a message which of the choices was meant, if one is similar to the value."""
    advice = suggest_similar(value.lower(), choices)
    return f"{message}; {advice}" if advice else message
