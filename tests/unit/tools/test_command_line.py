"""The command line helps: with `-h`, with what was meant, and with a check that needs no Kafka."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from bridge.cli import cli
from tests.support.ports import find_free_ports

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


def check_offline(**settings: str) -> tuple[int, Any]:
    """Run `check --offline` with settings of a Kafka that isn't there, in a process of its own: it sets up logging."""
    needed = {
        "KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{find_free_ports(1)[0]}",
        "DEXATEL__CALLBACK_SECRETS": "0123456789abcdef",
        "DEXATEL__POLL": "never",
        "STATE__DIRECTORY": "/proc/no/such/folder",
    }
    command = [sys.executable, "-m", "bridge", "check", "--offline", "--json"]
    variables = {f"SMS_BRIDGE_{name}": value for name, value in (needed | settings).items()}
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, check=False)  # noqa: S603 - ours
    return done.returncode, json.loads(done.stdout)


def test_settings_are_checked_offline() -> None:
    """Without Kafka and without the machine that they are for: exit code 0 or 1 for CI, and each wrong setting."""
    code, found = check_offline()
    assert (code, found["ok"]) == (0, True)
    assert {finding["area"] for finding in found["findings"]} == {"settings"}
    code, found = check_offline(DEXATEL__POLL="sometimes")
    assert (code, [finding["subject"] for finding in found["findings"]]) == (1, ["SMS_BRIDGE_DEXATEL__POLL"])
