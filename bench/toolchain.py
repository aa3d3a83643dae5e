"""What the peers are built with and run by: fetched once, kept in the user's cache folder, nothing installed.

Java comes from a wheel, as the sandbox's; it has no compiler, so Eclipse's comes with the jars. Go comes from a wheel.
The peers that are Python have an environment of their own (`make bench` makes it).
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from bench.process import Failed, finished
from bridge.sandbox.kafka.broker import prepare_installation
from bridge.sandbox.kafka.installation import get_cache_folder

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
"""Where the Python peers run."""

KAFKA_STREAMS = (
    "org.apache.kafka:kafka-streams:jar:4.1.1:compile",
    "com.fasterxml.jackson.core:jackson-databind:jar:2.19.0:compile",
    "org.slf4j:slf4j-simple:jar:1.7.36:compile",
)
COMPILER = ("org.eclipse.jdt:ecj:jar:3.42.0:compile",)

BUILD_WITHIN = 300.0
"""Seconds; the first time, things are fetched."""


def python() -> str:
    """The Python of the peers.

    Raises:
        Failed: Its environment is missing.
    """
    if not PYTHON.exists():
        raise Failed(f"{PYTHON} is missing: `make bench` makes it")
    return str(PYTHON)


async def java_program(name: str) -> tuple[str, ...]:
    """The command that runs a Java peer, compiled first where it has changed.

    Args:
        name: Its source in `peers/`, without `.java`, which is its class too.

    Raises:
        Failed: Java, the jars or the compiler can't be had.
    """
    java = str((await prepare_installation()).java)
    jars = _jars("streams", KAFKA_STREAMS)
    source = PEERS / f"{name}.java"
    classes = get_cache_folder() / "bench" / f"{name}-{_digest([source])}"
    if not (classes / f"{name}.class").exists():
        compiler = _jars("compiler", COMPILER)
        main = "org.eclipse.jdt.internal.compiler.batch.Main"
        told = ("-17", "-nowarn", "-d", str(classes), "-cp", ":".join(jars), str(source))
        await finished((java, "-cp", ":".join(compiler), main, *told), _work(), {}, BUILD_WITHIN)
    options = ("-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
    return (java, *options, "-cp", ":".join([str(classes), *jars]), name)


async def go_program(name: str) -> str:
    """A Go peer's binary, built first where it has changed.

    Args:
        name: Its folder in `peers/`.

    Raises:
        Failed: Go or a module can't be had.
    """
    folder = PEERS / name
    binary = get_cache_folder() / "bench" / f"{name}-{_digest(sorted(folder.glob('*')))}"
    if not binary.exists():
        go = Path(python()).with_name("go")
        if not go.exists():
            raise Failed("the environment of the peers has no Go")
        environment = {name: os.environ[name] for name in ("GOPROXY", "GOFLAGS", "GOSUMDB") if name in os.environ}
        command = (str(go), "build", "-C", str(folder), "-buildvcs=false", "-o", str(binary), ".")
        await finished(command, _work(), {**environment, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}, BUILD_WITHIN)
    return str(binary)


def _work() -> Path:
    return get_cache_folder() / "bench" / "work"


def _digest(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _jars(name: str, coordinates: Sequence[str]) -> list[str]:
    folder = get_cache_folder() / "bench" / f"{name}-{hashlib.sha256(repr(coordinates).encode()).hexdigest()[:12]}"
    if not (folder / ".complete").exists():
        try:
            _fetch(folder, coordinates)
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            raise Failed(f"the jars of {name} can't be fetched: {error}") from error
        (folder / ".complete").touch()
    return sorted(str(jar) for jar in folder.rglob("*.jar"))


def _fetch(folder: Path, coordinates: Sequence[str]) -> None:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - slow to import, and rarely needed

    context = MavenContext(PythonResolver(), repo_cache=folder, timeout=60)
    direct, transitive = context.resolver.resolve([context.create_dependency(one) for one in coordinates])
    for dependency in (*direct, *transitive):
        if dependency.scope != "provided":
            dependency.artifact.resolve()
