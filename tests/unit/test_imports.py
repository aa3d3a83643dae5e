"""The import graph has one direction, pure parts stay pure, and names and files stay small."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

from tests.support.paths import ROOT

PACKAGE = ROOT / "bridge"
MAX_MODULE_LINES = 260
MAX_FUNCTION_LINES = 40
MAX_ROOT_FILES = 13

IMPURE = {"asyncio", "time", "socket", "os", "random", "threading", "subprocess", "pathlib", "logging", "httpx"}
"""Modules that no pure part imports: I/O, clocks, chance."""

LAYERS: Sequence[frozenset[str]] = (
    frozenset({"core", "schemas", "clock", "concurrency", "text", "phone_numbers"}),
    frozenset({"providers", "settings", "tls"}),
    frozenset({"kafka", "http_server", "observability", "dialects"}),
    frozenset({"privacy", "accounts"}),
    frozenset({"journal", "state", "dead_letters"}),
    frozenset({"intake", "receiver", "poller", "tracker", "history"}),
    frozenset({"admin", "tools", "sandbox"}),
    frozenset({"app"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""From the ground up, as in docs/architecture.md: a package imports itself and lower layers, none beside or above."""

NEVER: Mapping[str, tuple[str, ...]] = {
    "bridge.kafka": ("bridge.providers",),
    "bridge.tracker": ("bridge.providers", "bridge.accounts"),
    "bridge.state": ("bridge.accounts", "bridge.providers"),
    "bridge.journal": ("bridge.accounts", "bridge.providers"),
}
"""By package, what it doesn't import although that lies below it."""

ONLY_FROM: Mapping[str, tuple[str, ...]] = {
    "bridge.app": ("bridge.app", "bridge.cli"),
    "bridge.cli": ("bridge.cli", "bridge.__main__"),
    "bridge.sandbox": ("bridge.sandbox", "bridge.cli"),
    "bridge.tools": ("bridge.tools", "bridge.cli"),
}
"""By package, who alone imports it: what wires and what people run is never below what serves."""


def name_of(path: Path) -> str:
    """Return a file's module name."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            names = (f"{module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else module for name in names)


def within(module: str, package: str) -> bool:
    """Return whether a module is a package or in it."""
    return module == package or module.startswith(f"{package}.")


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {name_of(path) for path in FILES}
GRAPH = {name_of(path): set(imports(path)) for path in FILES}


def test_no_import_cycle() -> None:
    """No module imports itself, directly or indirectly."""
    ours = {module: {name for name in names if name in GRAPH} - {"bridge"} for module, names in GRAPH.items()}
    list(TopologicalSorter(ours).static_order())


def test_packages_import_only_lower_layers() -> None:
    """The stages stand side by side, above what they share; nothing reaches up or across."""
    height = {package: number for number, layer in enumerate(LAYERS) for package in layer}
    found = []
    for module, names in GRAPH.items():
        package = [*module.split("."), ""][1]
        for name in names & MODULES - {"bridge"}:
            other = name.split(".")[1]
            if package and other != package and height[other] >= height[package]:
                found.append(f"{module} imports {name}")
    assert found == []


def test_documented_layers_are_these() -> None:
    """The table in docs/architecture.md; its top row is the wiring."""
    rows = re.findall(r"^\| ([0-9]) [a-z ]+\| (.+) \|$", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    documented = {int(number): frozenset(re.findall(r"`(\w+)`", text)) for number, text in rows}
    top = len(rows) - 1
    wiring = frozenset[str]().union(*LAYERS[top:]) - {"__main__"}
    assert documented == {**dict(enumerate(LAYERS[:top])), top: wiring}


def test_packages_never_import_what_they_must_not() -> None:
    """The mechanics know no provider: what a report means was decided when it was written."""
    found = [
        f"{module} imports {name}"
        for package, never in NEVER.items()
        for module, names in GRAPH.items()
        for name in names
        if within(module, package) and any(within(name, other) for other in never)
    ]
    assert found == []


def test_restricted_imports() -> None:
    """Only the command line imports commands, the sandbox and the app."""
    found = [
        f"{module} imports {name}"
        for package, allowed in ONLY_FROM.items()
        for module, names in GRAPH.items()
        for name in names
        if within(name, package) and not any(within(module, one) for one in allowed)
    ]
    assert found == []


def test_kafka_package_uses_only_kafka_settings() -> None:
    """It gets a topic's, connection's or registry's settings, never all of them."""
    for path in PACKAGE.glob("kafka/*.py"):
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module == "bridge.settings.model"
            for alias in node.names
        }
        assert "Settings" not in names, path


def test_core_imports() -> None:
    """The core has no clock and no I/O; `msgspec` gives its types their wire format."""
    allowed = {
        "collections",
        "collections.abc",
        "datetime",
        "email.utils",
        "enum",
        "functools",
        "hashlib",
        "msgspec",
        "msgspec.structs",
        "re",
        "typing",
        "uuid",
        "zlib",
    }
    for module in (module for module in GRAPH if within(module, "bridge.core")):
        strange = {name for name in GRAPH[module] if name not in allowed and not within(name, "bridge.core")}
        assert not strange, (module, strange)


def test_dialects_do_no_io() -> None:
    """A provider's dialect imports the core only."""
    for module in (module for module in GRAPH if within(module, "bridge.providers")):
        names = GRAPH[module]
        assert not names & IMPURE, module
        ours = {name for name in names if within(name, "bridge")}
        assert all(within(name, "bridge.core") or within(name, "bridge.providers") for name in ours), module


def test_files_are_few_and_short() -> None:
    """Modules and the number of root files have maximum sizes."""
    long = {str(path): lines for path in FILES if (lines := path.read_text().count("\n")) > MAX_MODULE_LINES}
    assert not long
    assert len([path for path in PACKAGE.iterdir() if path.is_file()]) <= MAX_ROOT_FILES


def test_functions_are_short() -> None:
    """Without their docstrings."""
    long = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                documented = len((ast.get_docstring(node, clean=False) or "").splitlines())
                if (node.end_lineno or 0) - node.lineno + 1 - documented > MAX_FUNCTION_LINES:
                    long.append(f"{path}:{node.name}")
    assert long == []


def test_class_names_are_unique() -> None:
    """A search for a class name has one result."""
    names = Counter(
        node.name for path in FILES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_errors_end_in_error() -> None:
    """The name of an exception class ends in Error."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            bases = (
                {base.id for base in node.bases if isinstance(base, ast.Name)} if isinstance(node, ast.ClassDef) else ()
            )
            if isinstance(node, ast.ClassDef) and any(base == "Exception" or base.endswith("Error") for base in bases):
                assert node.name.endswith("Error"), f"{path}: {node.name}"


def test_command_loads_only_what_it_needs() -> None:
    """Help, completion and usage errors load nothing of the service."""
    heavy = {"aiokafka", "httptools", "httpx", "orjson", "pydantic", "rocksdict", "structlog", "uvloop"}
    code = "import sys, bridge.cli; print(*(name.partition('.')[0] for name in sys.modules))"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, check=True, text=True).stdout  # noqa: S603 - our own
    assert not heavy & set(loaded.split())
