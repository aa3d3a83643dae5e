"""The command line helps: with `-h`, and with what was meant."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from bridge.cli import cli

COMMANDS = sorted(get_command(cli).commands)  # type: ignore[attr-defined]  # it is a group
RUNNER = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_short_help(command: str) -> None:
    """`-h` is `--help`, for every command."""
    short, long = (RUNNER.invoke(cli, [*command.split(), option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.output) == (0, long.output)
    assert "Usage:" in short.output


def test_roles_are_explained() -> None:
    """What each of them does."""
    text = " ".join(RUNNER.invoke(cli, ["run", "-h"]).output.split())
    for role in ("intake reads", "receive accepts", "track decides", "poll asks"):
        assert role in text


@pytest.mark.parametrize(
    ("line", "meant"),
    [("chek", "check"), ("run --role track", "--roles"), ("run --roles recieve,track", "receive")],
)
def test_what_was_meant_is_suggested(line: str, meant: str) -> None:
    """For commands, options and roles."""
    result = RUNNER.invoke(cli, line.split())
    assert result.exit_code == 2
    assert meant in result.output
