"""Every command that the documentation prints is one: its options exist, its arguments parse. Snippets are well formed.

What they do is tested elsewhere: `tests/tools`, `tests/examples`, `tests/service/test_readme.py`.
"""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from bridge.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "helm/sms-bridge/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS: Any = get_command(cli)


def blocks(*kinds: str) -> Iterator[tuple[Path, str]]:
    """The fenced blocks of some kinds."""
    for page in PAGES:
        for kind, text in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            if kind in kinds:
                yield page, text


def printed() -> Iterator[tuple[Path, str]]:
    """What stands after a prompt; a line that ends in a backslash goes on in the next one."""
    for page, text in blocks("console"):
        for line in re.sub(r"\\\n\s*(>\s*)?", " ", text).splitlines():
            if line.startswith("$ "):
                yield page, line[2:]


def mentioned() -> Iterator[tuple[Path, str]]:
    """What stands in backticks within the text, where `[...]`, `|` and capitals say what may be there."""
    for page in PAGES:
        for text in re.findall(r"`((?:sms-bridge|make) [^`\n]+)`", page.read_text()):
            yield page, text.replace("\\|", "|")


def named(pairs: Iterator[tuple[Path, str]], program: str) -> list[object]:
    """Those of one program, as parameters of a test."""
    return [
        pytest.param(text, id=f"{page.relative_to(ROOT)}: {text}")
        for page, text in dict.fromkeys(pairs)
        if re.match(rf"(\w+=\S+ )*{program}\b", text)
    ]


def parsed(words: list[str]) -> None:
    """Parse a command line of ours, and run nothing."""
    name, *rest = words
    if name.startswith("--"):
        assert name in options(None)
        return
    command = COMMANDS.commands[name]
    if rest != ["--help"]:
        command.make_context(name, rest)


def options(name: str | None) -> set[str]:
    """The options of a command, or of the program."""
    command = COMMANDS.commands[name] if name else COMMANDS
    found = {option for parameter in command.params for option in parameter.opts}
    return found | {"--help"}


def words_of(text: str) -> list[str]:
    """The words of a shell's line: without settings before it, comments, and what it is piped into."""
    words = shlex.split(re.split(r"\s[|>]\s", text)[0], comments=True)
    return words[next(at for at, word in enumerate(words) if "=" not in word) :]


@pytest.mark.parametrize("text", named(printed(), "sms-bridge"))
def test_a_printed_command_parses(text: str) -> None:
    """As it stands there, whoever copies it gets no complaint about its options."""
    parsed(words_of(text)[1:])


@pytest.mark.parametrize("text", named(mentioned(), "sms-bridge"))
def test_a_mentioned_command_and_its_options_exist(text: str) -> None:
    """Also where it is only a synopsis."""
    name = text.split()[1]
    if not name.startswith("--"):
        assert name in COMMANDS.commands
    wanted = set(re.findall(r"--[a-z][a-z-]*", text))
    assert wanted <= options(None if name.startswith("--") else name)


@pytest.mark.parametrize("text", [*named(printed(), "make"), *named(mentioned(), "make")])
def test_a_make_target_exists(text: str) -> None:
    """And what it hands to a command parses there."""
    words = shlex.split(text, comments=True)
    targets = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
    assert set(targets) <= TARGETS
    for word in words:
        if word.startswith("ARGS=") and targets == ["demo"]:
            parsed(["demo", *shlex.split(word.removeprefix("ARGS="))])


def test_there_is_something_to_test() -> None:
    """The patterns above find what is printed."""
    assert len(named(printed(), "sms-bridge")) > 5
    assert len(named(mentioned(), "sms-bridge")) > 10
    assert len(named(printed(), "make")) > 1


@pytest.mark.parametrize(("page", "text"), list(blocks("json")), ids=lambda value: getattr(value, "name", ""))
def test_json_is_json(page: Path, text: str) -> None:
    """What is shown as JSON can be read as such."""
    json.loads(text)


@pytest.mark.parametrize(("page", "text"), list(blocks("python")), ids=lambda value: getattr(value, "name", ""))
def test_python_is_python(page: Path, text: str) -> None:
    """What is shown as Python can be read as such."""
    ast.parse(text)


def test_links_to_headings_lead_somewhere() -> None:
    """A link that ends in `#...` names a heading of its page."""
    lost = []
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text()):
            other = page.parent / target if target else page
            headings = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            lost += [f"{page.name}: {target}#{anchor}"] if anchor not in slugs else []
    assert not lost
