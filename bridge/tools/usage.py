"""Errors in the use of commands: what an option takes is said in one way, and which value was meant."""

import re
from typing import Any

import typer
from typer.core import TyperGroup

_CHOICE = re.compile(r"(?P<value>.*) is not one of (?P<choices>'.*')\.", re.DOTALL)
"""What typer says of a value that is none of those that an option takes."""


class PlainGroup(TyperGroup):
    """A group of commands whose errors are ours: typer repeats pydantic's words about the value of an option."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command of this group, or of a group in it; its options are parsed here, too."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = _word(error)
            raise


def _word(error: typer.BadParameter) -> str:
    from pydantic import ValidationError  # noqa: PLC0415 - typer has loaded it, but only to parse an option

    from bridge.settings.wording import add_advice, word_mistake  # noqa: PLC0415 - help is quick without it

    if not isinstance(error.__cause__, ValidationError):
        return error.message
    message = word_mistake(error.__cause__.errors()[0])
    if choice := _CHOICE.fullmatch(message):
        choices = re.findall("'([^']+)'", choice["choices"])
        return add_advice(f"should be one of {', '.join(choices)}", choice["value"].strip("'"), choices)
    return message
