"""What the documentation names is there: commands and options in the text, files, headings, extras.

What its commands and snippets do: `test_commands.py`, `test_snippets.py`.
"""

import re
import tomllib
from typing import Any

import pytest
from typer.main import get_command

from bridge.cli import cli
from tests.support.documentation.blocks import PAGES, blocks, commands, quoted
from tests.support.paths import ROOT

COMMANDS: Any = get_command(cli)
MENTIONED = sorted({text for _, text in quoted() if text.startswith("sms-bridge ")})


def options(command: Any) -> set[str]:
    """Return the options of a command, or of the program."""
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}


@pytest.mark.parametrize("text", MENTIONED)
def test_mentioned_commands_and_options_exist(text: str) -> None:
    """Also in a synopsis with `[...]`, `|` and placeholders."""
    command = COMMANDS
    for word in text.split()[1:]:
        if word in getattr(command, "commands", {}):
            command = command.commands[word]
    assert command is not COMMANDS or text.split()[1].startswith("--")
    assert set(re.findall(r"--[a-z][a-z-]*", text)) <= options(command)


def test_every_command_is_documented() -> None:
    """Each command has an example and a row in the README's table."""
    shown = {
        command.words[1] for one in blocks("console") for command in commands(one) if "sms-bridge" in command.words
    }
    assert set(COMMANDS.commands) - {"demo"} <= shown
    assert set(COMMANDS.commands) - {"schemas"} <= {text.split()[1] for text in MENTIONED}


def test_named_extras_exist() -> None:
    """Each extra in the docs is defined by the package."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {name for _, text in quoted() for name in re.findall(r"sms-bridge\[(\w+)\]", text)} <= extras.keys()


def test_links_are_valid() -> None:
    """Each links to an existing file and heading."""
    lost: list[str] = []
    for page in PAGES:
        links = re.findall(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text())
        assert links or "](" not in page.read_text().replace("](http", ""), page
        for target, anchor in links:
            other = page.parent / target if target else page
            found = other.exists() and (not anchor or anchor in slugs(other.read_text()))
            lost += [] if found else [f"{page.name}: {target}#{anchor}"]
    assert lost == []


def slugs(text: str) -> set[str]:
    """Return the link targets of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_patterns_find_something() -> None:
    """The patterns of the tests above match the docs."""
    assert len(MENTIONED) > 10
    assert any(slugs(page.read_text()) for page in PAGES)
