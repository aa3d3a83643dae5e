"""Where tests stand: those that need Kafka are separate, and tests share code only through `tests/support`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import TESTS

KINDS = ("unit", "integration", "e2e")
STARTS_SOMETHING = {"Sandbox", "sandbox", "Fleet", "Service", "sms_bridge"}
"""Names in the sandbox and in `tests/support` that start a Kafka or a process of the service."""


def imported(file: Path) -> Iterator[tuple[str, str]]:
    """Yield each name that a file imports, with its module."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_no_file_imports_from_a_test() -> None:
    """Nor from a conftest: shared code is in `tests/support`."""
    borrowed = [
        f"{file.relative_to(TESTS)}: {module}"
        for file in TESTS.rglob("*.py")
        for module, name in imported(file)
        if any(part == "conftest" or part.startswith("test_") for part in f"{module}.{name}".split("."))
        and module.startswith("tests")
    ]
    assert borrowed == []


def test_tests_are_in_three_folders() -> None:
    """Grouped by what they need."""
    strays = [file for file in TESTS.rglob("test_*.py") if file.relative_to(TESTS).parts[0] not in KINDS]
    assert strays == []


def test_unit_tests_start_nothing() -> None:
    """They import nothing that starts Kafka or the service."""
    found = [
        f"{file.relative_to(TESTS)}: {name}"
        for file in (TESTS / "unit").rglob("*.py")
        for module, name in imported(file)
        if name in STARTS_SOMETHING and module.startswith(("bridge.sandbox", "tests.support"))
    ]
    assert found == []


def test_unit_tests_need_no_kafka(request: pytest.FixtureRequest) -> None:
    """They don't use its fixture, directly or indirectly."""
    unit = [item for item in request.session.items if item.path.is_relative_to(TESTS / "unit")]
    asking = [item.nodeid for item in unit if isinstance(item, pytest.Function) and "kafka" in item.fixturenames]
    assert asking == []
