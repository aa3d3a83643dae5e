"""Runtimes for the examples: what they install, a Java compiler and Kafka's tools from Maven, packages from npm."""

import asyncio
import hashlib
import os
import shlex
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge.sandbox.kafka.broker import prepare_installation
from bridge.sandbox.kafka.installation import get_cache_folder, hold_lock

ECJ = "3.42.0"
"""Eclipse's compiler: the sandbox's Java is a runtime without one."""


async def run(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command and return its exit code and output."""
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, env=env, stdout=PIPE, stderr=STDOUT)
    async with asyncio.timeout(100):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace")


async def compile_java(source: Path, into: Path, class_path: str = "") -> tuple[str, ...]:
    """Compile a Java file and return the command that runs its class, by default with Kafka's jars."""
    installation = await prepare_installation()
    class_path = class_path or installation.class_path
    ecj = await jar(f"org.eclipse.jdt:ecj:{ECJ}")
    code, said = await run(
        *(str(installation.java), "-cp", str(ecj), "org.eclipse.jdt.internal.compiler.batch.Main"),
        *("-17", "-proc:none", "-failOnWarning", "-cp", class_path, "-sourcepath", str(source.parent)),
        *("-d", str(into), str(source)),
    )
    assert code == 0, said
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    return str(installation.java), "-Xmx512m", quiet, "-cp", f"{into}:{class_path}", source.stem


async def jar(coordinate: str) -> Path:
    """Return a jar without its dependencies, `group:name:version`, downloaded once."""
    _, name, version = coordinate.split(":")
    folder = get_cache_folder() / f"{name}-{version}"
    async with hold_lock():
        if not folder.exists():
            await asyncio.to_thread(_fetch, coordinate, folder)
    [found] = folder.rglob(f"{name}-*.jar")
    return found


def _fetch(coordinate: str, folder: Path) -> None:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - of the sandbox extra

    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    context = MavenContext(PythonResolver(), repo_cache=partial, timeout=30)
    context.create_dependency(coordinate).artifact.resolve()
    partial.rename(folder)


async def jars(name: str, *coordinates: str) -> str:
    """Return a class path of jars with their dependencies, downloaded once; skips the test if that is impossible."""
    folder = get_cache_folder() / f"{name}-{hashlib.sha256(repr(coordinates).encode()).hexdigest()[:16]}"
    async with hold_lock():
        if not folder.exists():
            try:
                await asyncio.to_thread(_fetch_all, coordinates, folder)
            except (OSError, RuntimeError, ValueError) as error:
                pytest.skip(f"{name} can't be downloaded: {error}")
    return ":".join(sorted(map(str, folder.rglob("*.jar"))))


def _fetch_all(coordinates: Sequence[str], folder: Path) -> None:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - of the sandbox extra

    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    context = MavenContext(PythonResolver(), repo_cache=partial, timeout=60)
    direct, transitive = context.resolver.resolve([context.create_dependency(one) for one in coordinates])
    needed = [one.artifact for one in (*direct, *transitive) if one.scope not in {"provided", "test"}]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda artifact: artifact.resolve(), needed))
    partial.rename(folder)


async def install(line: str, files: Sequence[Path]) -> Path:
    """Return a folder with copies of files in which a printed line was run; skips the test if that is impossible.

    The folder has a new Python environment, whose programs such a line finds first. It is kept for the next time.
    """
    program = shlex.split(line)[0]
    if shutil.which(program) is None and program != "pip":
        pytest.skip(f"there is no {program} on this machine")

    async def fill(partial: Path) -> None:
        for file in files:
            shutil.copy(file, partial)
        code, said = await run(sys.executable, "-m", "venv", str(partial / "venv"))
        assert code == 0, said
        code, said = await run("sh", "-c", line, cwd=partial, env=environment_of(partial))
        if code:
            pytest.skip(f"{line!r} fails here: {said.splitlines()[-1:]}")

    digest = hashlib.sha256(line.encode() + b"".join(file.read_bytes() for file in files)).hexdigest()
    return await make_once(f"example-{digest[:16]}", fill)


async def make_once(name: str, fill: Callable[[Path], Awaitable[None]]) -> Path:
    """Return a folder of the cache; if it isn't there, it is made, and gets its name once it was filled."""
    folder = get_cache_folder() / name
    async with hold_lock():
        if not folder.exists():
            partial = folder.with_name(f"{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            await fill(partial)
            partial.rename(folder)
    return folder


def environment_of(folder: Path) -> dict[str, str]:
    """Return the environment variables for commands in a folder that `install` made."""
    return {**os.environ, "PATH": f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}"}


async def node_modules(*packages: str) -> Path:
    """Return a folder with these npm packages, each `name@version`; skips the test if they are unavailable."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no node on this machine")
    name = "-".join(package.replace("@", "-").replace("/", "-").strip("-") for package in packages)

    async def fill(partial: Path) -> None:
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier")
        code, said = await run(npm, "install", *options, "--prefix", str(partial), *packages, cwd=partial)
        if code:
            pytest.skip(f"npm can't install {', '.join(packages)}: {said.splitlines()[-1:]}")

    return await make_once(f"npm-{name}", fill) / "node_modules"
