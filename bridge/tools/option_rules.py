"""Which options of a command go together. Pure: an option that would have no effect is refused, not ignored."""

from collections.abc import Collection, Mapping
from typing import NamedTuple


class OptionRules(NamedTuple):
    """How a command's options depend on each other."""

    alternatives: Collection[str]
    """At most one of them is given: each asks for something else."""
    needs: Mapping[str, str]
    """By option, another one without which it has no effect."""


CHECK = OptionRules(
    alternatives=("--sample", "--callback", "--offline"),
    needs={
        "--key": "--sample",
        "--header": "--sample",
        "--callback": "--provider",
        "--provider": "--callback",
        "--account": "--callback",
    },
)


def check_options(rules: OptionRules, given: Collection[str]) -> None:
    """Check the options that are given.

    Raises:
        ValueError: They don't go together.
    """
    chosen = [option for option in rules.alternatives if option in given]
    if len(chosen) > 1:
        raise ValueError(f"give {' or '.join(chosen)}, not both")
    for option, needed in rules.needs.items():
        if option in given and needed not in given:
            raise ValueError(f"{option} needs {needed}")
