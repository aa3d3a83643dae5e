"""Builds and runs the peers; the tools are downloaded once to the cache folder.

Java and Go come from wheels. This Java has no compiler, so Eclipse's is downloaded with the jars. The bridge and the
Python peers have environments of their own, which `make bench` creates.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from bench.process import BenchmarkError, run_to_end
from bridge.sandbox.kafka.broker import prepare_installation
from bridge.sandbox.kafka.installation import get_cache_folder

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
BRIDGE_PYTHON = ROOT / ".venv-service" / "bin" / "python"
"""The interpreter of the bridge, with what its image has."""

PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
"""The interpreter of the Python peers."""

KAFKA_STREAMS = (
    "org.apache.kafka:kafka-streams:jar:4.1.1:compile",
    "com.fasterxml.jackson.core:jackson-databind:jar:2.19.0:compile",
    "org.slf4j:slf4j-simple:jar:1.7.36:compile",
)
COMPILER = ("org.eclipse.jdt:ecj:jar:3.42.0:compile",)

BUILD_TIMEOUT_SECONDS = 300.0
"""The first build includes downloads."""


def find_python(path: Path = PEERS_PYTHON) -> str:
    """Return an interpreter; unless another is asked for, that of the Python peers.

    Raises:
        BenchmarkError: Its environment is missing.
    """
    if not path.exists():
        raise BenchmarkError(f"{path} is missing: `make bench` creates it")
    return str(path)


async def build_java_program(name: str) -> tuple[str, ...]:
    """Return the command of a Java peer, which is compiled first if it has changed.

    Args:
        name: Its class, whose source is in `peers/`.

    Raises:
        BenchmarkError: Java, the jars or the compiler are missing.
    """
    java = str((await prepare_installation()).java)
    jars = _jars("streams", KAFKA_STREAMS)
    source = PEERS / f"{name}.java"
    classes = get_cache_folder() / "bench" / f"{name}-{_digest([source])}"
    if not (classes / f"{name}.class").exists():
        compiler = _jars("compiler", COMPILER)
        main = "org.eclipse.jdt.internal.compiler.batch.Main"
        arguments = ("-17", "-nowarn", "-d", str(classes), "-cp", ":".join(jars), str(source))
        await run_to_end((java, "-cp", ":".join(compiler), main, *arguments), _work_folder(), {}, BUILD_TIMEOUT_SECONDS)
    options = ("-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
    return (java, *options, "-cp", ":".join([str(classes), *jars]), name)


async def build_go_program(name: str) -> str:
    """Return the binary of a Go peer, which is built first if it has changed.

    Args:
        name: Its folder in `peers/`.

    Raises:
        BenchmarkError: Go or a module is missing.
    """
    folder = PEERS / name
    binary = get_cache_folder() / "bench" / f"{name}-{_digest(sorted(folder.glob('*')))}"
    if not binary.exists():
        go = Path(find_python()).with_name("go")
        if not go.exists():
            raise BenchmarkError("the environment of the peers has no Go")
        environment = {name: os.environ[name] for name in ("GOPROXY", "GOFLAGS", "GOSUMDB") if name in os.environ}
        command = (str(go), "build", "-C", str(folder), "-buildvcs=false", "-o", str(binary), ".")
        await run_to_end(
            command, _work_folder(), {**environment, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}, BUILD_TIMEOUT_SECONDS
        )
    return str(binary)


def _work_folder() -> Path:
    return get_cache_folder() / "bench" / "work"


def _digest(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _jars(name: str, coordinates: Sequence[str]) -> list[str]:
    folder = get_cache_folder() / "bench" / f"{name}-{hashlib.sha256(repr(coordinates).encode()).hexdigest()[:12]}"
    if not (folder / ".complete").exists():
        try:
            _download(folder, coordinates)
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            raise BenchmarkError(f"the jars of {name} can't be downloaded: {error}") from error
        (folder / ".complete").touch()
    return sorted(str(jar) for jar in folder.rglob("*.jar"))


def _download(folder: Path, coordinates: Sequence[str]) -> None:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - slow to import, and rarely needed

    context = MavenContext(PythonResolver(), repo_cache=folder, timeout=60)
    direct, transitive = context.resolver.resolve([context.create_dependency(one) for one in coordinates])
    for dependency in (*direct, *transitive):
        if dependency.scope != "provided":
            dependency.artifact.resolve()
