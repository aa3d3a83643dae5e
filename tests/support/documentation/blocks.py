"""Parses the documentation: blocks, commands with their output, and code in backticks."""

import re
import shlex
from collections.abc import Iterator
from textwrap import dedent
from typing import NamedTuple

from tests.support.paths import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    ROOT / "helm/sms-bridge/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


FLAGS = re.MULTILINE | re.DOTALL
FENCE = r"^#+ ([^\n]+)$|^( *)```(\w*)\n(.*?)^\2```$"
"""A heading or a block. A block of a list's item is indented."""


class Block(NamedTuple):
    """A fenced block."""

    page: str
    heading: str
    """The nearest one above it."""
    kind: str
    """The word after the fence."""
    text: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Its page, heading and kind."""
        return self.page, self.heading, self.kind


class Command(NamedTuple):
    """A command after a prompt."""

    text: str
    output: str
    """What it prints, where that is shown; comments are part of the text."""

    @property
    def words(self) -> list[str]:
        """Its words as a shell splits them, without comments."""
        return shlex.split(self.text, comments=True)


def blocks(*kinds: str) -> list[Block]:
    """Return the blocks of some kinds, or all."""
    found: list[Block] = []
    for page in PAGES:
        heading = ""
        for title, _, kind, text in re.findall(FENCE, page.read_text(), FLAGS):
            heading = title or heading
            if not title and (not kinds or kind in kinds):
                found.append(Block(str(page.relative_to(ROOT)), heading, kind, dedent(text)))
    return found


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block. A line with open quotes or a final backslash continues."""
    found: list[Command] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ "), ""))
        else:
            assert found, f"{block.page}: {line!r} comes before any prompt"
            last = found[-1]
            goes_on = not last.output and _open(last.text)
            found[-1] = Command(f"{last.text}\n{line}", "") if goes_on else Command(last.text, f"{last.output}{line}\n")
    return found


def _open(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return text.endswith("\\")


def quoted() -> Iterator[tuple[str, str]]:
    """Yield the code in backticks by page, each on one line."""
    for page in PAGES:
        text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(), flags=FLAGS)
        for paragraph in re.split(r"\n\s*\n", text):
            for said in re.findall(r"`([^`]+)`", paragraph):
                yield str(page.relative_to(ROOT)), re.sub(r"\s+", " ", said).replace("\\|", "|")
