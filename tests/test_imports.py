"""The import graph goes one way, and the pure parts stay pure."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "bridge"
IMPURE = {"asyncio", "time", "socket", "os", "random", "threading", "subprocess", "pathlib", "logging"}
"""Modules that no pure part imports: I/O, clocks, chance."""


def name_of(path: Path) -> str:
    """A file's module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


GRAPH = {name_of(path): set(imports(path)) for path in PACKAGE.rglob("*.py")}


def test_there_is_no_cycle() -> None:
    """No module imports, over any way, itself."""
    ours = {module: {name for name in names if name in GRAPH} - {"bridge"} for module, names in GRAPH.items()}
    list(TopologicalSorter(ours).static_order())


def test_the_core_imports_nothing_but_itself_and_the_language() -> None:
    """What decides has no third party, no clock and no I/O in it."""
    allowed = {
        "collections",
        "collections.abc",
        "datetime",
        "enum",
        "functools",
        "hashlib",
        "re",
        "typing",
        "uuid",
        "zlib",
    }
    for module in (module for module in GRAPH if module.startswith("bridge.core")):
        strange = {name for name in GRAPH[module] if name not in allowed and not name.startswith("bridge.core")}
        assert not strange, (module, strange)


def test_the_dialects_do_no_io() -> None:
    """A provider's dialect knows the core and nothing else of ours, and does nothing by itself."""
    for module in (module for module in GRAPH if module.startswith("bridge.providers")):
        names = GRAPH[module]
        assert not names & IMPURE, module
        ours = {name for name in names if name.startswith("bridge.")}
        assert all(name.startswith(("bridge.core", "bridge.providers")) for name in ours), module


def test_the_service_never_imports_the_sandbox() -> None:
    """What simulates is not installed where it serves; only the command line reaches for it, when told to."""
    for module, names in GRAPH.items():
        if not module.startswith("bridge.sandbox") and module != "bridge.cli":
            assert not {name for name in names if name.startswith("bridge.sandbox")}, module


def test_files_are_short() -> None:
    """A file that grows hides two."""
    long = {str(path): lines for path in PACKAGE.rglob("*.py") if (lines := path.read_text().count("\n")) > 310}
    assert not long


def test_a_command_loads_only_what_it_needs() -> None:
    """Help, completion and a mistake in a command line answer at once; nothing of the service is loaded for them."""
    heavy = {"aiokafka", "granian", "httpx", "orjson", "pydantic", "rocksdict", "structlog", "uvloop"}
    told = "import sys, bridge.cli; print(*(name.partition('.')[0] for name in sys.modules))"
    command = [sys.executable, "-c", told]
    loaded = subprocess.run(command, capture_output=True, check=True, text=True).stdout  # noqa: S603 - our own
    assert not heavy & set(loaded.split())


def test_nothing_that_serves_loads_the_commands() -> None:
    """The tools stand beside the service, never below it; only the page's search does what `trace` does, when asked."""
    for module, names in GRAPH.items():
        if not module.startswith(("bridge.tools", "bridge.cli", "bridge.admin.trace_lookup")):
            assert not {name for name in names if name.startswith("bridge.tools")}, module
