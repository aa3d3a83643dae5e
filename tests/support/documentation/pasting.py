"""Pastes the commands of a runbook into a shell in which kubectl and helm only note what they are asked.

The shell expands variables and runs pipelines as a person's would. What the programs were asked is checked elsewhere.
"""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.documentation.blocks import Block, Command, blocks, commands
from tests.support.paths import ROOT

PROGRAMS = ("kubectl", "helm", "curl", "kafka-consumer-groups.sh", "kafka-console-consumer.sh", "openssl")
ASSIGNMENTS = re.compile(r"(?:\w+=\S+ *)+(?:#.*)?")
LEVELS = {"debug", "info", "warning", "error", "exception"}

STAND_INS = """
set -u
note() { printf '%s\\0' "$@" >> calls; printf '\\n' >> calls; }
kubectl() {
  note kubectl "$@"
  case " $* " in
    *" logs "*) cat log;;
    *" configmap "*" yaml "*) cat configmap;;
    *jsonpath*BOOTSTRAP_SERVERS*) echo kafka:9092;;
  esac
}
"""
"""What the programs do instead; each call is a line of words that end with a null."""


class Pasted(NamedTuple):
    """What came of a page's commands."""

    calls: list[list[str]]
    """The words of each program that was called, in order."""
    failures: list[str]
    """The commands that did not end well."""


def list_runbooks() -> dict[str, list[Block]]:
    """Return the blocks of commands of each runbook, by page."""
    pages: dict[str, list[Block]] = {}
    for block in blocks("console"):
        if block.page.startswith("docs/runbooks/"):
            pages.setdefault(block.page, []).append(block)
    return pages


def is_assignment(command: Command) -> bool:
    """Return whether a command only sets variables."""
    return bool(ASSIGNMENTS.fullmatch(command.text)) or command.text.startswith("kafka=")


def paste(page: list[Block], folder: Path, configmap: str) -> Pasted:
    """Paste all commands of a page, in a folder of its own.

    Args:
        page: The page's blocks.
        folder: Where the shell stands.
        configmap: What kubectl answers when it is asked for the ConfigMap.
    """
    (folder / "log").write_text("".join(f"{line}\n" for line in list_log_lines()))
    (folder / "configmap").write_text(configmap)
    others = "".join(f'{name}() {{ note {name} "$@"; }}\n' for name in PROGRAMS if name != "kubectl")
    script = [STAND_INS, others]
    texts = [command.text for block in page for command in commands(block)]
    for number, text in enumerate(texts):
        script.append(f"{text}\necho {number} $? >> codes\n")
    asked = ["bash", "--noprofile", "--norc", "-c", "\n".join(script)]
    done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    codes = dict(line.split() for line in (folder / "codes").read_text().splitlines())
    calls = [line.rstrip("\0").split("\0") for line in (folder / "calls").read_text().splitlines()]
    return Pasted(calls, [text for number, text in enumerate(texts) if codes.get(str(number)) != "0"])


def list_log_lines() -> Iterator[str]:
    """Make a line of JSON of each event that the service can log."""
    for file in (ROOT / "bridge").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                for level, event in _find_events(node):
                    yield json.dumps({"event": event, "level": level}, separators=(",", ":"))


def _find_events(call: ast.Call) -> Iterator[tuple[str, str]]:
    if isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS:
        for first in call.args[:1]:
            if isinstance(first, ast.Constant):
                yield call.func.attr.replace("exception", "error"), str(first.value)
    for keyword in call.keywords:
        if keyword.arg == "event" and isinstance(keyword.value, ast.Constant):
            yield "warning", str(keyword.value.value)
