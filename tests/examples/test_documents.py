"""The snippets of the documentation run as they are printed."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
import typer.core
import typer.main

from bridge.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def test_the_typed_event_is_used_as_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever copies the snippet gets what it promises."""
    [snippet] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/consumers.md").read_text(), re.DOTALL)
    file = ROOT / "schemas/examples/sms.delivery.v1/valid/not-delivered-by-poll.json"
    exec(snippet, {"value": file.read_bytes()})  # noqa: S102 - it is our own
    event = json.loads(file.read_bytes())
    assert capsys.readouterr().out == f"{event['message_id']} may be tried again: {event['reason']}\n"


def test_links_within_the_documentation_lead_somewhere() -> None:
    """No page points to a file that is gone."""
    links = [
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", link)
    ]
    assert links
    assert [f"{page}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def documented() -> list[str]:
    """Every command of ours that a page shows at a prompt."""
    return [
        line
        for page in PAGES
        for line in re.findall(r"^\$ (sms-bridge .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]


@pytest.mark.parametrize("line", dict.fromkeys(documented()))
def test_documented_commands_are_understood(line: str) -> None:
    """Each word of it: a command that isn't there, or an option that was renamed, is found."""
    _, name, *arguments = shlex.split(line, comments=True)
    group = typer.main.get_command(cli)
    assert isinstance(group, typer.core.TyperGroup)
    command = group.commands[name]
    command.make_context(name, arguments)


def test_every_command_is_documented() -> None:
    """A newcomer finds each one on the page."""
    group = typer.main.get_command(cli)
    assert isinstance(group, typer.core.TyperGroup)
    shown = {line.split()[1] for line in documented()}
    assert set(group.commands) - {"demo"} <= shown
